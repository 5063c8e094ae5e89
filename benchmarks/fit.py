"""How well fit-noise does what it says, on two simulators that it knows nothing of.

    python benchmarks/fit.py [--part NAME ...] [--quick] [--jobs 2] [--work DIR]

Parts: sigma psf contrast coverage claims judged chosen attainable growth colin27 speed.
Everything that is simulated or measured is kept in the working folder, so that the
study goes on where it stopped. Needs the extra `torchio` for `judged`. Writes
benchmarks/results/fit.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from fit_parts.accuracy import contrast_and_bias, psf_differences, sigma_errors
from fit_parts.attainable import attainable
from fit_parts.certainty import coverage, null_and_power
from fit_parts.chosen import PAIRS as CHOSEN_PAIRS
from fit_parts.chosen import chosen
from fit_parts.growth import growth
from fit_parts.judged import PAIRS, judged
from fit_parts.page import page
from fit_parts.speed import linearity, speed

from noise_models.scanner.estimate import estimate_scan
from noise_models.scanner.scans import read_scan

RESULT = Path(__file__).parent / "results" / "fit.json"
PAGE = Path(__file__).parent.parent / "docs" / "fit.md"


def colin27(folder: Path | None) -> dict[str, Any]:
    """Flags of an average of 27 scans with processed air, whole and stripped."""
    found = {}
    for name in ("ch2.nii.gz", "ch2bet.nii.gz"):
        path = folder / name if folder else None
        if path is None or not path.exists():
            return {"skipped": "give the folder with --colin27 or MEDVAE_COLIN27"}
        nib.load(path)
        estimate = estimate_scan(*read_scan(path))
        found[name] = {
            "evidence": estimate.evidence,
            "sigma": None if np.isnan(estimate.values[0]) else estimate.sigma,
            "flags": list(estimate.flags),
            "gm_over_wm": estimate.gm_over_wm,
            "csf_over_wm": estimate.csf_over_wm,
        }
    return found


def parts(args: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    """What each part does, at full size or small."""
    work, jobs, small = (
        args.work / ("quick" if args.quick else "full"),
        args.jobs,
        args.quick,
    )
    return {
        "sigma": lambda: sigma_errors(work, 4 if small else 12, jobs),
        "psf": lambda: psf_differences(work, 12 if small else 16, jobs),
        "contrast": lambda: contrast_and_bias(work, 4 if small else 12, jobs),
        "coverage": lambda: coverage(
            work, 36 if small else 120, 20 if small else 400, jobs
        ),
        "claims": lambda: null_and_power(
            work, 26 if small else 48, 5 if small else 60, jobs
        ),
        "judged": lambda: judged(
            work,
            8 if small else args.scans,
            2.0 if small else args.scale,
            1 if small else len(PAIRS),
            jobs,
        ),
        "chosen": lambda: chosen(
            work,
            2.0 if small else args.scale,
            1 if small else len(CHOSEN_PAIRS),
            jobs,
        ),
        "attainable": lambda: attainable((24, 48, 96, 192), 10 if small else 100),
        "growth": lambda: growth(
            work, (8,) if small else (12, 24, 48), 2.0 if small else args.scale, jobs
        ),
        "colin27": lambda: colin27(args.colin27),
        "speed": lambda: {
            "one scan": speed(2 if small else 7),
            "growth": linearity(2, 4) if small else linearity(10, 100),
        },
    }


def main() -> None:
    """Run the parts and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    folder = os.environ.get("MEDVAE_COLIN27")
    parser.add_argument("--part", nargs="*", help="only these")
    parser.add_argument("--quick", action="store_true", help="small, to see it run")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="phantom voxels, judged"
    )
    parser.add_argument("--scans", type=int, default=24, help="a site, judged")
    parser.add_argument("--work", type=Path, default=Path("build/fit-study"))
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument(
        "--colin27", type=Path, default=Path(folder) if folder else None
    )
    parser.add_argument("--page", action="store_true", help="only write docs/fit.md")
    args = parser.parse_args()
    if args.page:
        PAGE.write_text(page(json.loads(args.out.read_text())))
        return
    known = json.loads(args.out.read_text()) if args.out.exists() else {"parts": {}}
    for name, run in parts(args).items():
        if args.part is None or name in args.part:
            known["parts"][name] = run()
            print(json.dumps({name: known["parts"][name]}, indent=1), flush=True)
            packages = ("torch", "numpy", "scipy", "medvae-denoise")
            software = {p: metadata.version(p) for p in packages}
            options = " --quick" if args.quick else ""
            header = {
                "command": f"python benchmarks/fit.py{options} --scale {args.scale:g} "
                f"--scans {args.scans}",
                "seed": 0,
                "software": {"python": platform.python_version(), **software},
            }
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps({**header, **known}, indent=1) + "\n")


if __name__ == "__main__":
    main()
