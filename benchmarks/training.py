"""What training costs: the step over a bare loop, and the network over its rivals.

    python benchmarks/training.py [--part step profile networks encoders]
                                  [--steps 20] [--seconds 60] [--profile]

`step`: every step of a Lightning run (data, augmentation, corruption, objective,
logging) and a bare step of the same network on tensors in memory, in turn; target at
most 1.08. `profile`: where the time of these steps goes. `networks`: ours, variants of
it, and MONAI's AutoencoderKL and VarAutoEncoder, each in a process of its own for the
same processor time: seconds a volume, peak memory, the error that is left on new
volumes, and the time in which it came down to given errors. `encoders`: a volume to its
code, beside Stanford's MedVAE where MEDVAE_STANFORD names its unpacked wheel. One
thread. Writes benchmarks/results/training.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from measured.ratios import spread
from measured.result import RESULTS, header, write

TARGET = 1.08
PARTS = ("step", "profile", "networks", "encoders")


def networks(
    shape: tuple[int, int, int], seconds: float, rounds: int
) -> dict[str, Any]:
    """All networks in turn, ``rounds`` times."""
    from training_parts.networks import NETWORKS, alone

    runs = [
        {name: alone(name, shape, seconds) for name in NETWORKS} for _ in range(rounds)
    ]
    return {
        name: {
            key: spread([run[name][key] for run in runs])
            for key in (
                "seconds_per_volume",
                "warm_up_seconds",
                "peak_mib",
                "steps",
            )
        }
        | {
            "rms_error": _reached([run[name]["rms_error"] for run in runs]),
            "parameters": runs[0][name]["parameters"],
            "seconds_to_error": {
                error: _reached([run[name]["seconds_to_error"][error] for run in runs])
                for error in runs[0][name]["seconds_to_error"]
            },
        }
        for name in NETWORKS
    }


def _reached(seconds: list[float | None]) -> dict[str, Any] | None:
    """Spread over the runs, or nothing where one of them did not get there."""
    known = [one for one in seconds if one is not None]
    return spread(known) if len(known) == len(seconds) else None


def main() -> None:
    """Run the parts and write what they found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", nargs="*", choices=PARTS, default=[*PARTS])
    parser.add_argument(
        "--profile", action="store_true", help="the profile alone: --part profile"
    )
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    parts = ["profile"] if args.profile else args.part
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    path = RESULTS / "training.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    packages = ("torch", "monai", "pytorch-lightning")
    network = f"--part networks --seconds {args.seconds:g} --rounds {args.rounds}"
    about = {
        part: header(f"training.py {options}", *packages)
        for part, options in (
            ("step", f"--part step --steps {args.steps}"),
            ("profile", f"--part profile --steps {args.steps}"),
            ("networks", network),
            ("encoders", f"--part encoders --rounds {args.rounds}"),
        )
    }
    shape = (48, 56, 48)
    if "step" in parts:
        from training_parts.step import step_costs

        known["step"] = {
            **about["step"],
            "grid": shape,
            "target": TARGET,
            "cases": step_costs(shape, args.steps),
        }
    if "profile" in parts:
        from training_parts.step import step_profiles

        known["profile"] = {
            **about["profile"],
            "grid": shape,
            "stages": step_profiles(shape, args.steps),
        }
    if "networks" in parts:
        known["networks"] = {
            **about["networks"],
            "grid": shape,
            "processor_seconds_each": args.seconds,
            "found": networks(shape, args.seconds, args.rounds),
        }
    if "encoders" in parts:
        from training_parts.encoders import FOLDER, encoder_costs

        if FOLDER in os.environ:
            known["encoders"] = {
                **about["encoders"],
                "grid": shape,
                "found": encoder_costs(shape, args.rounds),
            }
        else:
            print(f"encoders: skipped. {FOLDER} names no folder.", file=sys.stderr)
    write("training", known)
    print(json.dumps(known, indent=2))


if __name__ == "__main__":
    main()
