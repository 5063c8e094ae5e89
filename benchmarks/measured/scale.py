"""docs/scale.md: hours, memory and storage for many scans, from what one costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COUNTS = (100, 10_000, 1_000_000)
EPOCHS = 100
MACHINES = {
    "laptop, 2 cores": 2,
    "workstation, 32 cores": 32,
    "cluster, 1,000 cores": 1000,
}


_HEAD = """# What more scans cost

The numbers are written by `python benchmarks/performance.py` from
[stages.json](../benchmarks/results/stages.json) (`{command}`, load {load}
on {cores} cores). All of it grows in proportion to the number of scans, because no
stage looks at two scans at once, except where it is said below. Times are of one core.

## One scan of 184 x 220 x 208 voxels

| stage | when | core seconds |
|---|---|---|
"""

_WHEN = {
    "header": "`medvae cohort --headers-only`",
    "check": "first use of a cohort",
    "prepare": "first training or encoding",
    "estimate": "`medvae fit-noise`",
    "corrupt": "every epoch, {copies} copies, complete fitted model",
    "train": "every epoch, forward and backward",
    "encode": "`medvae encode`, network alone",
}

_TAIL = """
## What breaks first, and the remedy

1. **Training without a GPU.** It is nearly all of the time from a hundred scans on. Use
   GPUs (their speed was not measured here), several on one batch
   (`--set devices=4`, [train.slurm](examples/train.slurm)); of a million scans an epoch
   is more than one needs: train on a sample.
2. **The first check of a cohort.** It reads every voxel. What was found is remembered
   until a file changes; `--headers-only` needs {header:.2g} ms a scan.
3. **Prepared volumes on a local disk.** {prepared:.1f} MB a scan: a million are
   {prepared:.1f} TB. Put `--cache` on a shared disk, or coarsen `grid.spacing_mm`.
4. **fit-noise.** The part that is done on every scan is spread with `--jobs` or
   `--dask`; the rest does not grow, since calibration and trial look at 16 people of a
   site at most. Of a million scans, fit on some hundred a site.
5. **Labels in memory.** They are small; but the first walk over a million folders takes
   long on a network file system. Give a table (`path,subject,site`) instead.

## Misses

[performance.md](performance.md) marks every target that was not met.

- *Corruption.* Where both cores are free, two fifths of the time at 128 voxels a side
  are the matrix products of the PSF along three axes and two fifths the normals, drawn
  by a Mersenne twister a block. The rest, arithmetic, took three times as long while
  threads of Python shared it (they wait for the interpreter's lock, and for OpenMP's
  threads, which go on spinning); it is now shared by torch itself, in blocks of
  2^17 voxels, and OpenMP is told to wait awake for a moment only. Tried and given up: a
  faster generator with Box and Muller's transform from torch's parts (logarithm and
  cosine cost what the generator saves). Thought of and left: MKL's generators, which
  are not on every machine, and a PSF cut to a band. Kept: lines of 128 voxels or more
  are filtered as even and odd parts.
- *The complete fitted model* does more than the floor counts: two shadings, two noise
  maps, a local mean, and coloured noise, which is a Fourier transform of its own; on
  another grid also moments of the Rice distribution from a table. That is also what a
  training step has over a bare one; augmentation, by MONAI, is the rest.
"""


def scale_page(found: Mapping[str, Any]) -> str:
    """The whole page, Markdown."""
    machine, seconds = found["machine"], found["seconds"]
    median = {stage: value["median"] for stage, value in seconds.items()}
    text = _HEAD.format(
        command=found["command"],
        load=machine["load_before"],
        cores=machine["cores"],
    )
    for stage, value in seconds.items():
        low, high = value["quartiles"]
        when = _WHEN[stage].format(copies=found["copies"])
        text += (
            f"| {stage} | {when} | {value['median']:.3g} ({low:.3g} to {high:.3g}) |\n"
        )
    text += _cohorts(median, found["bytes"])
    return text + _TAIL.format(
        header=1000 * median["header"],
        prepared=found["bytes"]["prepared"] / 1e6,
    )


def _cohorts(median: Mapping[str, float], size: Mapping[str, int]) -> str:
    once = sum(median[stage] for stage in ("check", "prepare", "estimate", "encode"))
    epochs = EPOCHS * (median["corrupt"] + median["train"])
    columns = " | ".join(f"{count:,} scans" for count in COUNTS)
    lines = [
        f"\n## Cohorts\n\n| | {columns} |",
        "|---|" + "---|" * len(COUNTS),
    ]
    for name, cores in MACHINES.items():
        for what, cost in (
            ("check, prepare, fit-noise, encode", once),
            (f"{EPOCHS} epochs without a GPU", epochs),
        ):
            # A scan is not divided: no machine is faster than one core with one scan.
            cells = (_time(cost * max(count / cores, 1)) for count in COUNTS)
            lines.append(f"| {name}: {what} | {' | '.join(cells)} |")
    for what, key in (
        ("scans", "scan"),
        ("prepared volumes", "prepared"),
        ("codes", "code"),
    ):
        cells = (_bytes(size[key] * count) for count in COUNTS)
        lines.append(f"| disk: {what} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _time(seconds: float) -> str:
    for unit, length in (("years", 3.156e7), ("days", 86400.0), ("hours", 3600.0)):
        if seconds >= length:
            return f"{_short(seconds / length)} {unit}"
    return f"{_short(seconds / 60)} minutes"


def _bytes(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9)):
        if count >= size:
            return f"{_short(count / size)} {unit}"
    return f"{_short(count / 1e6)} MB"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
