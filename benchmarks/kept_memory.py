"""What a command gains by keeping the memory that it frees.

    python benchmarks/kept_memory.py [--rounds 4]

Each task runs in two processes in turn, one of which keeps its memory as commands do;
processor time on one thread and peak memory, as ratios of neighbours. Writes
benchmarks/results/kept_memory.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from fit_parts.simulator import Machine, scan
from measured.ratios import ratio
from measured.result import header, write

from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.objective import vae
from medvae.threads import one_thread
from medvae.training.seeds import generator
from noise_models.kept_memory import keep_freed_memory
from noise_models.scanner.estimate import estimate_scan

BATCH = 2


def training(grid: tuple[int, int, int]) -> Callable[[], object]:
    """A plain step of the default network."""
    model = DenoisingVAE(NetworkConfig(grid_shape=grid, sites=("A", "B")))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    x, rng = torch.rand(BATCH, 1, *grid, generator=generator(0)), generator(1)

    def likelihood(target: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return model.likelihood(target, model.decode(z, model.site_inputs(["A", "B"])))

    def step() -> None:
        loss = -vae(x, None, model.encode, likelihood, rng).objective.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def estimating() -> Callable[[], object]:
    """The estimates of one scan of 1 mm."""
    made = scan(0, Machine(voxel_mm=(1, 1, 1), fine_mm=(1, 1, 1)))
    image = np.asarray(made.image, np.float32)
    return partial(one_thread(estimate_scan), image, (1.0, 1.0, 1.0))


TASKS = {
    "training step, 2 volumes of 96 x 112 x 96": partial(training, (96, 112, 96)),
    "training step, 2 volumes of 48 x 56 x 48": partial(training, (48, 56, 48)),
    "estimates of a scan of 1 mm": estimating,
}


def measured(task: str, runs: int, *, is_kept: bool) -> tuple[float, float]:
    """Median processor seconds, and peak megabytes, of this process."""
    torch.set_num_threads(1)
    if is_kept and not keep_freed_memory():
        raise SystemExit("nothing to measure: not glibc, or MALLOC_... is set")
    work = TASKS[task]()
    work()
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return statistics.median(seconds), peak


def in_a_process(task: str, runs: int, *, is_kept: bool) -> tuple[float, float]:
    """The same in a process of its own."""
    words = [sys.executable, __file__, "--task", task, "--runs", str(runs)]
    words += ["--kept"] if is_kept else []
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def main() -> None:
    """Measure all tasks, print and write the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--task", choices=list(TASKS), help="Only that, here.")
    parser.add_argument("--kept", action="store_true")
    args = parser.parse_args()
    if args.task:
        print(json.dumps(measured(args.task, args.runs, is_kept=args.kept)))
        return
    found = {}
    result = header(f"kept_memory.py --rounds {args.rounds}", "torch", "numpy")
    for task in TASKS:
        pairs = [
            [in_a_process(task, args.runs, is_kept=kept) for kept in (True, False)]
            for _ in range(args.rounds)
        ]
        kept, given_back = zip(*pairs, strict=True)
        (seconds, peaks), (others, other_peaks) = (
            zip(*each, strict=True) for each in (kept, given_back)
        )
        found[task] = {
            "seconds": ratio(seconds, others),
            "peak_memory": ratio(peaks, other_peaks),
        }
        print(task, found[task])
    write("kept_memory", {**result, "unit": "kept over given back", "tasks": found})


if __name__ == "__main__":
    main()
