"""docs/performance.md: targets, what was measured, how, and what falls short."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from measured.profile import over
from measured.row import Row, once

Results = Mapping[str, Mapping[str, Any]]

_HEAD = """# Performance

Written by `python benchmarks/performance.py` from the JSON files in
`benchmarks/results`; nothing is typed in. `make bench` measures
everything again. Ratios are taken between neighbours in time, in one run; a row gives
the median and, in brackets, the quartiles of *n* of them; *n* = 1 has no spread. Every
file states command, versions, machine and how busy it was with other work (its load,
where 0 is idle and the number of cores is full; on a busy machine the processor clock
is the one to read). What misses its target is marked, and [docs/scale.md](scale.md)
says why.
"""

_NOTES = {
    "Encoders": "Stanford's MedVAE is `medvae` 0.1.7 on PyPI, whose import name is "
    "ours, too; its encoder is built from its unpacked wheel, with the settings of its "
    "`medvae_4_1_3d` and random weights: cost hangs on none. Its code keeps a "
    "fourth of the grid in one channel and is trained for detail; ours keeps less, and "
    "is not trained for that: a cost is compared here, not a quality.",
    "fit-noise on more scans": "Calibration and goodness of fit are left out: they "
    "look at a number of scans that does not grow with the cohort.",
}


def page(results: Results) -> str:
    """The whole page, Markdown."""
    texts = [_HEAD]
    for title, rows, made in sections(results):
        note = f"{_NOTES[title]}\n\n" if title in _NOTES else ""
        texts.append(f"## {title}\n\n{_made(made)}\n\n{note}{_table(rows)}")
        if "profile" in made:
            texts.append(_profile(made["profile"]))
    return "\n".join(texts)


def sections(
    results: Results,
) -> Iterator[tuple[str, list[Row], Mapping[str, Any]]]:
    """Title, rows and how they were made, for every file that is there."""
    for name in sorted(results):
        found = results[name]
        if name.startswith("corruption-"):
            size = found["size"]
            yield f"Corruption, {size} voxels a side", _corruption(found), found
    training = results.get("training", {})
    if "step" in training:
        step = training["step"]
        known = {"profile": training["profile"]} if "profile" in training else {}
        yield "Training step", _steps(step), {**step, **known}
    if "networks" in training:
        made = training["networks"]
        yield "Networks", _networks(made), made
    if "encoders" in training:
        made = training["encoders"]
        yield "Encoders", _encoders(made), made
    fit = results.get("fit", {"parts": {}})
    if "speed" in fit["parts"]:
        speed = fit["parts"]["speed"]["one scan"]
        made = {
            "command": f"{fit['command']} --part speed",
            "software": fit["software"],
        }
        yield "fit-noise, one scan", [_fit_speed(speed)], {**made, **speed}
    if "fit_scale" in results:
        found = results["fit_scale"]
        yield "fit-noise on more scans", _fit_scale(found), found
    if "encoding" in results:
        found = results["encoding"]
        yield "Encoding", _encoding(found), found
    if "encoding_large" in results:
        found = results["encoding_large"]
        yield "A large scan, by windows", _large(found), found
    if "encoding_many" in results:
        found = results["encoding_many"]
        yield (
            "Thousands of scans in one call, killed and continued",
            _many(found),
            found,
        )
    if "cohort_index" in results:
        found = results["cohort_index"]
        yield "Cohort index", _index(found), found
    if "startup" in results:
        found = results["startup"]
        yield "Start-up", _startup(found), found


def _corruption(found: Mapping[str, Any]) -> list[Row]:
    known = found["spread"]
    rows = [
        (
            "contrast, PSF, bias field, Rician noise: over the floor",
            -1.25,
            "floor_ratio",
        ),
        ("the same: TorchIO's time over ours", 10, "speedup_torchio"),
        ("the same: MONAI's time over ours", 5.5, "speedup_monai"),
        (
            "complete fitted model, native grid: over the floor",
            0,
            "scanner_floor_ratio",
        ),
        (
            "complete fitted model, another grid: over the floor",
            0,
            "scanner_other_grid_floor_ratio",
        ),
        (
            "complete fitted model: TorchIO's time over ours",
            0,
            "scanner_speedup_torchio",
        ),
        ("complete fitted model: MONAI's time over ours", 0, "scanner_speedup_monai"),
    ]
    made = [Row(what, limit, known[key]) for what, limit, key in rows if key in known]
    if "profile" in found:
        what = "the same over the floor, each by itself on one thread (profile below)"
        ratio = over(found["profile"]["stages"], "four effects", "the floor")
        made.insert(1, Row(what, 0, {"median": ratio, "n": found["runs"]}))
    return made


def _steps(found: Mapping[str, Any]) -> list[Row]:
    return [
        Row(f"{name}: whole step over bare step", -found["target"], case["ratio"])
        for name, case in found["cases"].items()
    ]


def _networks(found: Mapping[str, Any]) -> list[Row]:
    rows = []
    for name, one in found["found"].items():
        rows += [
            Row(f"{name}: one volume", 0, one["seconds_per_volume"], " s"),
            Row(f"{name}: its first three steps", 0, one["warm_up_seconds"], " s"),
            Row(f"{name}: peak memory", 0, one["peak_mib"], " MiB"),
            *(
                [Row(f"{name}: RMS error left", 0, one["rms_error"])]
                if one["rms_error"]
                else []  # it diverged
            ),
            *(
                Row(f"{name}: until an RMS error of {error}", 0, seconds, " s")
                for error, seconds in one.get("seconds_to_error", {}).items()
                if seconds is not None
            ),
        ]
    return rows


def _encoders(found: Mapping[str, Any]) -> list[Row]:
    rows = []
    for name, one in found["found"].items():
        rows += [
            Row(f"{name}: one volume", 0, one["seconds_per_volume"], " s"),
            Row(f"{name}: peak memory", 0, one["peak_mib"], " MiB"),
        ]
        if "seconds_per_volume_ratio" in one:
            rows += [
                Row(f"{name}'s time over ours", 0, one["seconds_per_volume_ratio"]),
                Row(f"{name}'s memory over ours", 0, one["peak_mib_ratio"]),
            ]
    return rows


def _fit_speed(found: Mapping[str, Any]) -> Row:
    size = " x ".join(map(str, found["shape"]))
    what = f"{size} voxels: over one read and one Fourier transform"
    return Row(what, -found["target"], found["ratio"])


def _fit_scale(found: Mapping[str, Any]) -> list[Row]:
    few, many = found["counts"]
    return [
        Row(f"time a scan, {many} over {few} scans", -1.1, found["time_ratio"]),
        Row(f"peak memory, {many} over {few} scans", -1.1, found["memory_ratio"]),
        Row("time a scan", 0, found["seconds_per_scan"], " s"),
    ]


def _encoding(found: Mapping[str, Any]) -> list[Row]:
    few, all_scans = (
        found["memory"][k] for k in ("after_a_third_mib", "at_the_end_mib")
    )
    grown = round(all_scans / few, 3)
    return [
        Row(
            "throughput over the slower of reading alone and the network alone",
            found["target"],
            found["overlap"],
        ),
        Row(
            "peak memory, all scans over the first third",
            -1.1,
            once(grown),
        ),
    ]


def _large(found: Mapping[str, Any]) -> list[Row]:
    side = found["side"]
    size = f"{side} x {side} x {side} voxels"
    return [
        Row(
            f"{size}: peak memory of the process",
            -4096,
            once(found["peak_mib"]),
            " MiB",
        ),
        Row("by the clock, one thread", 0, once(found["seconds"]), " s"),
    ]


def _many(found: Mapping[str, Any]) -> list[Row]:
    few, last, count = found["few"], found["continued"], found["scans"]
    ratio = last["peak_mib"] / few["peak_mib"]
    is_told = last["exit_code"] == 2 and last["bad_scan_is_named"]
    share = last["rows"] / (count - 1) if last["every_good_scan_once"] else 0.0
    cost = last["processor_seconds_a_scan"]
    size = f"{found['side']}^3 voxels"
    return [
        Row("share of the good scans in the table, each once", 1, once(share)),
        Row("the bad scan is named, and the exit code 2", 1, once(float(is_told))),
        Row(f"peak memory, {count} over {few['scans']} scans", -1.1, once(ratio)),
        Row(f"processor time a scan of {size}, start included", 0, once(cost), " s"),
    ]


def _index(found: Mapping[str, Any]) -> list[Row]:
    first, again, targets = found["first"], found["again"], found["targets"]
    count = f"{found['scans']:,} scans"
    return [
        Row(f"{count}: first look", -targets["first_seconds"], first["seconds"], " s"),
        Row("its processor time", 0, first["processor_seconds"], " s"),
        Row("its peak memory", -targets["peak_mib"], first["peak_mib"], " MiB"),
        Row("second start", -targets["again_seconds"], again["seconds"], " s"),
        Row("its processor time", 0, again["processor_seconds"], " s"),
    ]


def _startup(found: Mapping[str, Any]) -> list[Row]:
    known = found["ratio"]
    ratio = {
        "median": known["median"],
        "quartiles": [known["min"], known["max"]],
        "n": found["runs"],
    }
    what = "`medvae --help` over its imports alone (in brackets: all runs)"
    return [Row(what, -found["target"], ratio)]


def _made(found: Mapping[str, Any]) -> str:
    machine = found.get("machine")
    where = (
        f", on {machine['cores']} cores of {machine['processor']}, load "
        f"{machine['load_before']}"
        if machine
        else ""
    )
    versions = found.get("software", {})
    software = ", ".join(f"{name} {version}" for name, version in versions.items())
    clock = ""
    if "clock" in found:
        threads = found["threads"]
        plural = "" if threads == 1 else "s"
        clock = f"; {found['clock']} clock, {threads} thread{plural}"
    ending = f" ({software})" if software else ""
    return f"`{found['command']}`{where}{clock}{ending}."


def _profile(found: Mapping[str, Any]) -> str:
    """Stages of every piece of work, one table each."""
    text = (
        "Where the time goes, processor time of one thread, medians "
        f"({_made(found).rstrip('.')}):\n"
    )
    for name, stages in found["stages"].items():
        total = sum(stage["ms"] for stage in stages.values())
        text += f"\n| {name} | ms | share |\n|---|---|---|\n"
        for stage, value in stages.items():
            text += f"| {stage} | {value['ms']:.3g} | {100 * value['share']:.0f} % |\n"
        text += f"| together | {total:.3g} | |\n"
    return text


def _table(rows: list[Row]) -> str:
    head = "| what | target | median (quartiles) | n | met |\n|---|---|---|---|---|\n"
    return head + "\n".join(row.line() for row in rows) + "\n"
