"""How long the scanner corruption takes, against TorchIO, MONAI and a physical floor.

    python benchmarks/corruption.py [--size 128] [--batch 1] [--runs 9] [--json]
                                    [--profile]

All of it in one process, in turn, on the same volumes, with --threads threads, which
wait for each other as under the medvae command (`medvae.cli.wait_briefly`). Ratios are
medians of ratios of neighbours. `randomised` does exactly the four effects that the
peers do (contrast, PSF, bias field, Rician noise); `scanner` is the complete fitted
model, with coloured noise, a noise field and two shadings. The floor is two normal
draws a voxel, one real Fourier transform forth and back, and one copy. Writes
benchmarks/results/corruption-SIZE.json, with a profile of the four effects on one
thread; --profile makes that alone anew.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "5000")  # as under the medvae command

import torch
from corruption_parts.rivals import floor, monai_chain, torchio_chain
from corruption_parts.scanners import fitted, heads
from corruption_parts.stages import FOUR_EFFECTS, STAGES_OF_FLOOR
from measured.profile import profile
from measured.ratios import interleaved, ratio
from measured.result import RESULTS, header, write

import noise_models

TARGETS = {"speedup_torchio": 10.0, "speedup_monai": 5.5, "floor_ratio": 1.25}
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def contestants(x: torch.Tensor) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    rng = torch.Generator().manual_seed(0)
    randomised = noise_models.get("randomised")
    monai = monai_chain()
    native, resampled = fitted(), fitted((1.2, 1.0, 1.0))
    found: dict[str, Callable[[], object]] = {
        "floor": lambda: floor(x, rng),
        "randomised": lambda: randomised(x, rng=rng),
        "scanner": lambda: native(x, rng=rng),
        "scanner, another grid": lambda: resampled(x, rng=rng),
        "monai": lambda: monai(x),
    }
    peer = torchio_chain()
    return found if peer is None else {**found, "torchio": lambda: peer(x)}


def measure(size: int, batch: int, runs: int, clock: str) -> dict[str, Any]:
    """Seconds and ratios at one size."""
    x = heads(size, batch)
    seconds = interleaved(contestants(x), runs, CLOCKS[clock])
    ours = seconds["randomised"]
    found = {
        "floor_ratio": ratio(ours, seconds["floor"]),
        "speedup_monai": ratio(seconds["monai"], ours),
        "scanner_floor_ratio": ratio(seconds["scanner"], seconds["floor"]),
        "scanner_speedup_monai": ratio(seconds["monai"], seconds["scanner"]),
        "scanner_other_grid_floor_ratio": ratio(
            seconds["scanner, another grid"], seconds["floor"]
        ),
    }
    if "torchio" in seconds:
        found["speedup_torchio"] = ratio(seconds["torchio"], ours)
        found["scanner_speedup_torchio"] = ratio(seconds["torchio"], seconds["scanner"])
    medians = {name: sorted(s)[len(s) // 2] / batch for name, s in seconds.items()}
    return {"spread": found, "seconds_per_volume": medians}


def profiles(size: int, batch: int, runs: int) -> dict[str, Any]:
    """Where the time of the four effects and of the floor goes, on one thread."""
    torch.set_num_threads(1)
    x, rng = heads(size, batch), torch.Generator().manual_seed(0)
    randomised = noise_models.get("randomised")
    return {
        "four effects": profile(lambda: randomised(x, rng=rng), FOUR_EFFECTS, runs),
        "the floor": profile(lambda: floor(x, rng), STAGES_OF_FLOOR, runs),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall")
    parser.add_argument("--json", action="store_true", help="print JSON, one line")
    parser.add_argument("--profile", action="store_true", help="the profile alone")
    args = parser.parse_args()
    options = f"--size {args.size} --batch {args.batch} --runs {args.runs}"
    timed = f"{options} --threads {args.threads} --clock {args.clock}"
    name = f"corruption-{args.size}"
    path = RESULTS / f"{name}.json"
    if args.profile and not path.exists():
        parser.error(f"{path} is not there: run --size {args.size} first, in full.")
    about = header(f"corruption.py {timed}", "torch", "monai", "torchio", "numpy")
    stages = {
        **header(f"corruption.py {options} --profile", "torch"),
        "stages": profiles(args.size, args.batch, args.runs),
    }
    if args.profile:
        write(name, {**json.loads(path.read_text()), "profile": stages})
        print(json.dumps(stages, indent=None if args.json else 2))
        return
    torch.set_num_threads(args.threads)
    found = measure(args.size, args.batch, args.runs, args.clock)
    summary = {name: value["median"] for name, value in found["spread"].items()}
    result = {
        **summary,
        **about,
        "size": args.size,
        "batch": args.batch,
        "runs": args.runs,
        "threads": args.threads,
        "clock": args.clock,
        "targets": TARGETS,
        **found,
        "profile": stages,
    }
    write(name, result)
    print(json.dumps(result, indent=None if args.json else 2))


if __name__ == "__main__":
    main()
