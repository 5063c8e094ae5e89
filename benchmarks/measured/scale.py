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

Profiles are under the tables there; gains are of processor time on one thread, old and
new in turn in one process.

- *Corruption.* Two fifths of the time at 128 voxels a side are the matrix products of
  the PSF along three axes (2.4 ns a voxel and axis, of which 1.3 are the products, at
  100 billion operations a second) and a quarter the normals, whose twister alone takes
  2.1 of 2.4 ns. The floor holds the same normals, but a Fourier transform where we have
  the PSF and all arithmetic: the four effects take 1.6 of it on one thread. Second
  attempt, kept: shadings made plane by plane and never written down (0.8 ns of 20 a
  voxel), the PSF in place and in memory that is used again (0.1 to 0.3 ns an axis);
  together 5 % less. Tried and given up: a PSF cut to a band (0.5 ns an axis, but only
  for FWHM above 3 voxels, where the weights end: 3 % in the mean); numpy's normals (7
  to 9 ns against 2.4); Box and Muller's transform from torch's parts (logarithm and
  cosine cost what a faster generator saves); blocks of 2^14 to 2^16 voxels (the same,
  or up to 40 % slower where operations are many); contrast in two operations a knot
  instead of three (1 %, and air is no longer exactly 0). Left: MKL's generators, which
  are not on every machine. Threads of Python share the drawing only: elsewhere they
  wait for the interpreter's lock.
- *Training step with the fitted scanner.* On the training grid the corruption needs a
  Fourier transform, three matrix products, two shadings, two noise maps and moments of
  two Rice distributions: about 60 ns a voxel, four times a step, beside a network that
  is small. A fifth is the cost of some 400 small operations, whatever the grid. Second
  attempt, kept: coloured noise drawn at half of its frequencies, with one transform
  instead of two; noise and signal in units without shading; what A's magnitude tells
  from one table, without a case for high ratios; all fields in one product; roots of
  covariances kept. Together 29 to 47 % less time in corruption, more the busier the
  machine. Tried and given up: smaller blocks (5 to 40 % slower), larger ones (5 %
  faster in a cache of 32 MB that few share). What remains would need a smaller model or
  fewer calls: one call for all scans of a batch would share the small operations, but
  every scan has a generator of its own, so that neither batch nor number of devices
  changes a draw.
- *Networks* ([performance](performance.md)), one volume of the training grid forward
  and back, one thread, 12 processor seconds each, medians of 3, beside one other job.
  Without any convolution at the image's own resolution a step takes 0.94 of ours and
  leaves no more error; every place of the last map then paints its own 2 x 2 x 2
  voxels, whose edges no later layer smooths, so the last convolution stays. A
  convolution at full resolution before the first one costs 8 % and gains nothing.
  `torch.compile` takes as long a step as the plain network and 1.3 times the memory:
  not used. Resize convolutions take 1.12 of a step and did not come to an RMS error
  of 0.25 in every run. MONAI's AutoencoderKL takes 3.1 times as long a step and did
  not come to 0.2; its VarAutoEncoder takes 0.74 of a step and 1.9 times the time to
  0.2. Stanford's MedVAE (`medvae` 0.1.7 on PyPI) was not measured: it fetches its
  network's settings and weights from the internet when it starts, and needs
  torchvision.
- *Augmentation* took MONAI 14 ms for a volume that is flipped, turned and bent: two
  resamplings, the first in double precision. One resampling with MONAI's draws takes 4
  ms.
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
