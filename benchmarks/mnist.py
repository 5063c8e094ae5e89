"""What the denoising criterion does on MNIST, against the VAE it is said to improve.

    python benchmarks/mnist.py --data FOLDER [--seeds 0 1 2] [--only NAME ...]

FOLDER holds the four standard idx files, gzipped or not; MEDVAE_MNIST names it too.
Every run is kept in the working folder and, without its weights, in
benchmarks/results/mnist, so that the study goes on where it stopped, here or elsewhere;
benchmarks/results/mnist.json and mnist.png are written again after each. One core.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from functools import partial
from importlib import metadata
from pathlib import Path

from mnist_parts.figure import draw
from mnist_parts.page import fill
from mnist_parts.runs import one_thread, perform, queue
from mnist_parts.step_cost import step_cost
from mnist_parts.summary import summary

from medvae.errors import UserError
from medvae.files import write_json

RESULT = Path(__file__).parent / "results" / "mnist.json"
RECORD = RESULT.parent / "mnist"


def recall(work: Path) -> None:
    """Take the runs on record into the working folder: the study goes on from there."""
    work.mkdir(parents=True, exist_ok=True)
    for path in RECORD.glob("*.json"):
        if not (work / path.name).exists():
            write_json(work / path.name, json.loads(path.read_text()))


def record(work: Path) -> None:
    """Put every finished run on record."""
    for path in work.glob("*.json"):
        write_json(RECORD / path.name, json.loads(path.read_text()))


def write(args: argparse.Namespace) -> None:
    """Write the table of what is finished, and its figure."""
    found = summary(args.work)
    packages = ("torch", "numpy", "scipy", "medvae-denoise")
    known = json.loads(args.out.read_text()) if args.out.exists() else {}
    kept = {key: known[key] for key in ("step_cost",) if key in known}
    seeds = " ".join(map(str, args.seeds))
    header = {
        "seeds": args.seeds,
        "command": f"python benchmarks/mnist.py --data FOLDER --seeds {seeds}",
        "software": {
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in packages},
        },
    }
    write_json(args.out, {**header, **kept, **found})
    draw(found, args.out.with_suffix(".png"))


def write_step_cost(out: Path, steps: int = 1000) -> None:
    """Measure what a denoising step costs, and put it beside the study."""
    cost = step_cost(steps)
    known = json.loads(out.read_text()) if out.exists() else {}
    write_json(out, {**known, "step_cost": cost})


def main() -> None:
    """Run what is not finished yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    folder = os.environ.get("MEDVAE_MNIST")
    parser.add_argument("--data", type=Path, default=Path(folder) if folder else None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, default=Path("build/mnist"))
    parser.add_argument("--only", nargs="*", help="arms, by name")
    parser.add_argument("--sizes", type=int, nargs="*", help="training sizes")
    parser.add_argument("--step-cost", action="store_true", help="measure only that")
    parser.add_argument("--summarise", action="store_true", help="train nothing")
    parser.add_argument("--page", type=Path, help="fill in this page's numbers, only")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    one_thread()
    if args.step_cost:
        return write_step_cost(args.out)
    if args.page:
        return fill(args.page, json.loads(args.out.read_text()))
    recall(args.work)
    if args.data is None:
        if args.summarise:
            record(args.work)
            return write(args)
        print("mnist: skipped. Give the folder with --data or MEDVAE_MNIST.")
        return None
    for run in queue() if not args.summarise else []:
        wanted = not args.only or run.arm in args.only
        wanted &= not args.sizes or run.train_size in args.sizes
        if wanted and not run.is_finished(args.work):
            perform(run, args.data, args.work, args.seeds, partial(print, flush=True))
            record(args.work)
            write(args)
    return write(args)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
