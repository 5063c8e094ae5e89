"""docs/scale.md: hours, memory and storage for many scans, from what one costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from measured.misses import misses
from medvae.training.config import OptimiserSettings

Results = Mapping[str, Mapping[str, Any]]

COUNTS = (100, 10_000, 1_000_000)
EPOCHS, BATCH = (OptimiserSettings().epochs, OptimiserSettings().batch_size)
MACHINES = {
    "laptop, 2 cores": 2,
    "workstation, 32 cores": 32,
    "cluster, 1,000 cores": 1000,
}
GIB = 1024.0  # MiB


_HEAD = """# What more scans cost

The numbers are written by `python benchmarks/performance.py` from
[stages.json](../benchmarks/results/stages.json) (`{command}`, load {load}
on {cores} cores of {processor}) and, where it says so, from other files beside it. All
of the time grows in proportion to the number of scans, because no stage looks at two
scans at once, except where it is said below. Times are of one core of that processor,
processor seconds of one thread; memory is what the stage holds above the {held:.0f} MiB
of a process with its libraries and the network. In brackets the quartiles of {n}.

## One scan of 184 x 220 x 208 voxels

| stage | when | core seconds | memory, MiB | with more scans | measured by |
|---|---|---|---|---|---|
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

_COHORTS = """
## Cohorts

Hours assume the processor named above and perfect scaling over its cores; {cores} were
there to measure on. Stages that are done once come close as long as there are more
scans than cores, for every scan is a task of its own. Training does not unless a batch
has at least as many scans as there are cores, for a step is dealt out by scans and ends
with the slowest: the default is {batch}. Memory is of one process, and `--jobs`
multiplies it; where it grows, it is the growth measured between two numbers of scans,
carried on to the others.

"""

_TAIL = """
## What breaks first, and the remedy

1. **Training without a GPU.** It is {share:.0f} % of the time, for any number of scans.
   Use GPUs (their speed was not measured here), several on one batch
   (`--set devices=4`, [train.slurm](examples/train.slurm)); of a million scans an epoch
   is more than one needs: train on a sample.
2. **The first check of a cohort.** It reads every voxel. What was found is remembered
   until a file changes; `--headers-only` needs {header:.2g} ms a scan.
3. **Prepared volumes on a local disk.** {prepared:.1f} MB a scan: a million are
   {prepared:.1f} TB. Put `--cache` on a shared disk, or coarsen `grid.spacing_mm`.
4. **fit-noise.** The part that is done on every scan is spread with `--jobs` or
   `--dask`; the rest does not grow, since calibration and trial look at 24 people of a
   site at most. Of a million scans, fit on some hundred a site.
5. **Labels in memory.** {index} for the index of {indexed:,} scans; but the first walk
   over a million folders takes long on a network file system. Give a table
   (`path,subject,site`) instead.
"""


def scale_page(results: Results) -> str:
    """The whole page, Markdown."""
    found = results["stages"]
    machine, seconds = found["machine"], found["seconds"]
    median = {stage: value["median"] for stage, value in seconds.items()}
    once, epochs = _costs(median)
    index = results["cohort_index"]
    return (
        _HEAD.format(
            command=found["command"],
            load=machine["load_before"],
            cores=machine["cores"],
            processor=machine["processor"],
            held=found["held_mib"],
            n=seconds["check"]["n"],
        )
        + "\n".join(_stages(results))
        + "\n"
        + _COHORTS.format(cores=machine["cores"], batch=BATCH)
        + "\n".join([*_hours(once, epochs), *_memory(results), *_disk(found["bytes"])])
        + "\n"
        + _TAIL.format(
            share=100 * epochs / (once + epochs),
            header=1000 * median["header"],
            prepared=found["bytes"]["prepared"] / 1e6,
            index=_mib(index["first"]["peak_mib"]["median"]),
            indexed=index["scans"],
        )
        + misses(results)
    )


def _stages(results: Results) -> list[str]:
    found, growth = results["stages"], _growth(results)
    return [
        _line(
            stage,
            _WHEN[stage].format(copies=found["copies"]),
            _spread(value),
            _spread(found["peak_mib"][stage]),
            *growth[stage],
        )
        for stage, value in found["seconds"].items()
    ]


def _growth(results: Results) -> dict[str, tuple[str, str]]:
    """How every stage grows, and what measured it."""
    index, fit = results["cohort_index"], results["fit_scale"]
    coded, many = results["encoding"], results["encoding_many"]
    each = 1000 * index["first"]["processor_seconds"]["median"] / index["scans"]
    network = 1 / coded["scans_per_second"]["network"]
    kept = many["continued"]["peak_mib"] / many["few"]["peak_mib"]
    few_fits, many_fits = fit["counts"]
    alone = "every scan alone: in proportion", "one scan, stages.json"
    epoch = "in proportion, times epochs; memory times the batch", "one scan, "
    return {
        "header": (
            f"in proportion: {each:.2g} ms a scan of {index['scans']:,}",
            "cohort_index.json",
        ),
        "check": alone,
        "prepare": alone,
        "estimate": (
            f"in proportion: {fit['time_ratio']['median']:.2f} of the time a scan, "
            f"{fit['memory_ratio']['median']:.2f} of the memory, {many_fits:,} over "
            f"{few_fits} scans",
            "fit_scale.json",
        ),
        "corrupt": (epoch[0], epoch[1] + "stages.json"),
        "train": (epoch[0], epoch[1] + "stages.json; networks: training.json"),
        "encode": (
            f"in proportion: {network:.2g} s a scan by "
            f"the clock; {kept:.2f} of the memory, {many['scans']:,} over "
            f"{many['few']['scans']} scans",
            "encoding.json, encoding_many.json",
        ),
    }


def _costs(median: Mapping[str, float]) -> tuple[float, float]:
    """Core seconds of a scan: what is done once, and all epochs."""
    once = sum(median[stage] for stage in ("check", "prepare", "estimate", "encode"))
    return once, EPOCHS * (median["corrupt"] + median["train"])


def _hours(once: float, epochs: float) -> list[str]:
    lines = [
        _line("", *(f"{count:,} scans" for count in COUNTS)),
        "|---|" + "---|" * len(COUNTS),
    ]
    for name, cores in MACHINES.items():
        for what, cost in (
            ("check, prepare, fit-noise, encode", once),
            (f"{EPOCHS} epochs without a GPU", epochs),
        ):
            # A scan is not divided: no machine is faster than one core with one scan.
            cells = (_time(cost * max(count / cores, 1)) for count in COUNTS)
            lines.append(_line(f"{name}: {what}", *cells))
    return lines


def _memory(results: Results) -> list[str]:
    """Rows of peak memory: of one process, a constant and what every scan adds."""
    found, fit = results["stages"], results["fit_scale"]
    index, many = results["cohort_index"], results["encoding_many"]
    held = found["held_mib"]
    need = {stage: value["median"] for stage, value in found["peak_mib"].items()}
    labels = index["first"]["peak_mib"]["median"]
    few_fits, many_fits = fit["counts"]
    fitted = fit["peak_mib"]["median"] * (1 - 1 / fit["memory_ratio"]["median"])
    coded = many["continued"]["peak_mib"] - many["few"]["peak_mib"]
    rows = {
        "index, at most (cohort_index.json)": (0.0, labels / index["scans"], labels),
        "check": (held + need["check"], 0.0, 0.0),
        "prepare": (held + need["prepare"], 0.0, 0.0),
        "fit-noise (growth: fit_scale.json)": (
            held + need["estimate"],
            fitted / (many_fits - few_fits),
            0.0,
        ),
        f"train, a batch of {BATCH}": (
            held + BATCH * max(need["train"], need["corrupt"]),
            0.0,
            0.0,
        ),
        "encode, one reader (encoding.json; growth: encoding_many.json)": (
            results["encoding"]["memory"]["at_the_end_mib"],
            coded / (many["scans"] - many["few"]["scans"]),
            0.0,
        ),
    }
    return [
        _line(f"memory: {what}", *(_mib(max(a + b * n, least)) for n in COUNTS))
        for what, (a, b, least) in rows.items()
    ]


def _disk(size: Mapping[str, int]) -> list[str]:
    kinds = {"scans": "scan", "prepared volumes": "prepared", "codes": "code"}
    return [
        _line(f"disk: {what}", *(_bytes(size[key] * count) for count in COUNTS))
        for what, key in kinds.items()
    ]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(value: Mapping[str, Any]) -> str:
    low, high = value["quartiles"]
    return f"{value['median']:.3g} ({low:.3g} to {high:.3g})"


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


def _mib(count: float) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count:.0f} MiB"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
