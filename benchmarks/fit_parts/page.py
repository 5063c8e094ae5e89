"""docs/fit.md: the results of `benchmarks/fit.py` in words and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from measured.students import spread

from fit_parts.judged_page import attainable, growth, judged
from fit_parts.markdown import ends, prose, table

_HEAD = """# How well fit-noise does what it says

Everything on this page is written by `python benchmarks/fit.py --page` from
[benchmarks/results/fit.json](../benchmarks/results/fit.json); nothing is typed in.
Command: `{command}`, seed {seed}. Two simulators were used, neither of which
shares code with the fit: the phantom (`medvae phantom`: MNI152 anatomy, Bloch signals,
scanners like those of ABIDE) and a second one (`benchmarks/fit_parts/simulator.py`:
procedural anatomy, raised-cosine k-space filters, coil lobes). Neither holds a patient:
errors and intervals are those of simulated scans.
"""


def page(results: Mapping[str, Any]) -> str:
    """The whole page, Markdown."""
    parts = results["parts"]
    writers = {
        "sigma": _sigma,
        "psf": _psf,
        "contrast": _contrast,
        "coverage": _coverage,
        "claims": _claims,
        "judged": judged,
        "chosen": _chosen,
        "attainable": attainable,
        "growth": growth,
        "colin27": _colin27,
        "speed": _speed,
    }
    texts = [_HEAD.format(**{k: results[k] for k in ("command", "seed")})]
    texts += [write(parts[name]) for name, write in writers.items() if name in parts]
    return "\n".join(texts)


def _sigma(found: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{100 * v['median']:.1f}", ends(v["ci95"], 100, 1), str(v["n"])]
        for name, v in found.items()
    ]
    head = ("simulator, air, noise", "median error, %", "95 % interval", "scans")
    text = """## Noise

    How far the sigma of a single scan is from the simulated one, in per cent of it; the
    noise itself is in per cent of white matter. Where air was zeroed, as masks do,
    sigma is read inside tissue. The interval is that of the median, by bootstrap over
    scans. Target: 3 % with air, 6 % without."""
    return prose(text) + table(head, rows)


def _psf(found: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            *(f"{v[a]['bias_voxel']:+.3f}" for a in "xyz"),
            f"{max(v[a]['mean_abs_error_voxel'] for a in 'xyz'):.3f}",
        ]
        for name, v in found.items()
    ]
    missed = sum(float(row[-1]) > 0.1 for row in rows)
    draws = next(iter(found.values()))["x"]
    head = ("difference", "bias x", "bias y", "bias z", "largest mean error")
    text = f"""## Sharpness

    B is more blurred than A by a point spread of known SD, in voxels: a Gaussian, or
    the raised cosine (Hann) that filters raw data. Medians of 12 scans a site, of
    different people, are compared {draws["draws"]} times, drawn from {draws["pool"][0]}
    scans a site. Bias is the mean error of the difference; the last column is the mean
    absolute error of the worst axis. Target: 0.1 voxel; missed by {missed} of
    {len(rows)}."""
    return prose(text) + table(head, rows)


def _contrast(found: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{v['truth']:.3f}", f"{v['fitted']:.3f}"]
        for name, v in found.items()
        if "truth" in v
    ]
    text = """## Contrast and shading

    Three scanners of the second simulator, 12 scans each. Level of a tissue over that
    of white matter; target: within 3 %."""
    ratios = [
        [name, f"{v['correlation']:.4f}", *(f"{v[k]:.3f}" for k in _SPREADS)]
        for name, v in found.items()
        if "correlation" in v
    ]
    shading = """The ratio of two scanners' shadings inside a brain, as the means of the
    sites give it, against the true one; target: a correlation of .9. SDs are of its
    logarithm."""
    head = ("ratio", "correlation", "SD of the true", "SD of the error")
    tissues = table(("what", "truth", "fitted"), rows)
    return prose(text) + tissues + "\n" + prose(shading) + table(head, ratios)


_SPREADS = ("rms_true", "rms_error")


def _coverage(found: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            f"{100 * v['mean']:.1f}",
            f"{100 * v['lowest']:.1f}",
            f"{100 * v['highest']:.1f}",
            str(v["refits"]),
        ]
        for name, v in found.items()
    ]
    one = next(iter(found.values()))
    shares = [
        share
        for name, v in found.items()
        if name != "Gaussian numbers"
        for share in v["parameters"].values()
    ]
    outside = sum(not 0.9 <= share <= 0.99 for share in shares)
    head = (
        *("simulator", "mean over parameters, %", "lowest, %", "highest, %"),
        "refits",
    )
    text = f"""## Intervals

    How often the 95 % interval of a site of {one["scans"]} scans holds the true mean,
    for each of {len(one["parameters"])} parameters. {one["pool"]} scans of one scanner
    are dealt into sites of {one["scans"]}, again and again. The robust mean of all
    scans that a site does not have stands for the truth; it has an error of its own,
    for which the interval is widened by sqrt(1 + {one["scans"]} / m), m being their
    number. Sites of one pool share scans, so chance has more say in a share than the
    number of refits suggests: Gaussian numbers, as many and treated in the same way,
    show how much. Target: 90 to 99 % for every parameter; missed by {outside} of
    {len(shares)}."""
    return prose(text) + table(head, rows)


def _claims(found: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            v["of"],
            f"{100 * v['share']:.0f}",
            ends(v["ci95"], 100, 0),
            str(v["n"]),
        ]
        for name, v in found.items()
    ]
    head = ("pairs", "verdict", "share, %", "95 % interval", "pairs tried")
    one = next(iter(found.values()))
    text = f"""## Null and power, {one["scans"]} scans a site

    Null: two sites of {one["scans"]} people each on one scanner; target: no difference
    is claimed in 95 %. Power: B differs from A in its noise alone, or in its blur alone
    (SD per axis); target: found in 90 %. Pairs are drawn from {one["pool"]} scans of
    the scanner, and from half as many of the altered one. They share scans; the
    interval (Wilson) takes them for independent and is too narrow for it."""
    return prose(text) + table(head, rows)


def _chosen(found: Mapping[str, Any]) -> str:
    ways = ("uncalibrated", "first", "chosen", "all")
    rows = [
        [pair, *(f"{one[way]['rms']:.2f} ({one[way]['largest']:.2f})" for way in ways)]
        for pair, one in found["pairs"].items()
    ]
    of = {w: np.array([v[w]["rms"] for v in found["pairs"].values()]) for w in ways}
    less = spread(of["chosen"] - of["first"])
    two_groups = (2 / found["learned_from"]) ** 0.5
    head = (
        "A->B",
        "uncalibrated",
        f"the first {found['first']}",
        f"{found['chosen']} chosen",
        f"all {found['learned_from']}",
    )
    text = f"""## On whom a transfer is calibrated

    A transfer is corrected by what it does to scans of A, again and again, so a few
    have to do. Of {found["learned_from"]} people of each site, other ones at B than at
    A, those of A are taken whose mean features lie nearest to the mean of all
    (`representatives`); before, the first {found["first"]} were. Tried on
    {found["tried_on"]} further people of A, who were at B, too: how far the mean
    features of their corrupted scans are from those of their scans at B, in SD between
    people, root mean square over features and, in brackets, of the worst. Two groups of
    {found["learned_from"]} people of one site differ by {two_groups:.2f} SD on average.

    Mean over the pairs {of["chosen"].mean():.2f}, with the first {found["first"]}
    {of["first"].mean():.2f}: a difference of {less["mean"]:.2f}
    ({less["ci95"][0]:.2f} to {less["ci95"][1]:.2f}; Student's t over {len(rows)} pairs,
    as if they shared no site)."""
    return prose(text) + table(head, rows)


def _colin27(found: Mapping[str, Any]) -> str:
    if "skipped" in found:
        return ""
    rows = [
        [name, v["evidence"], ", ".join(v["flags"]) or "-"] for name, v in found.items()
    ]
    text = """## Colin 27, an average of 27 scans of one head

    Averaged, stored in coarse levels and with its air set to zero, it tells nothing of
    one scan's noise; the fit has to say so and give no number."""
    return prose(text) + table(("scan", "noise from", "flags"), rows)


def _speed(found: Mapping[str, Any]) -> str:
    one = found["one scan"]
    ratio = one["ratio"]
    shape = " x ".join(map(str, one["shape"]))
    rows = [
        [name, f"{v['seconds_per_scan']:.2f}"] for name, v in found["growth"].items()
    ]
    text = f"""## Cost

    A scan of {shape} costs {ratio["median"]:.1f} times (range {ratio["min"]:.1f} to
    {ratio["max"]:.1f} over {one["runs"]} runs) what reading it and one 3-D FFT of it
    cost on the same core; target 6."""
    return prose(text) + table(("scans", "seconds a scan"), rows)
