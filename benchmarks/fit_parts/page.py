"""docs/fit.md: the results of `benchmarks/fit.py` in words and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEAD = """# How well fit-noise does what it says

Everything on this page is written by `python benchmarks/fit.py --page` from
[benchmarks/results/fit.json](../benchmarks/results/fit.json); nothing is typed in.
Command: `{command}`, seed {seed}. Two simulators were used, neither of which
shares code with the fit: the phantom (`medvae phantom`: MNI152 anatomy, Bloch signals,
scanners like those of ABIDE) and a second one (`benchmarks/fit_parts/simulator.py`:
procedural anatomy, raised-cosine k-space filters, coil lobes). They are no patients.
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
        "judged": _judged,
        "attainable": _attainable,
        "growth": _growth,
        "colin27": _colin27,
        "speed": _speed,
    }
    texts = [_HEAD.format(**{k: results[k] for k in ("command", "seed")})]
    texts += [write(parts[name]) for name, write in writers.items() if name in parts]
    return "\n".join(texts)


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _sigma(found: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{100 * v['median']:.1f}", _ends(v["ci95"], 100, 1), str(v["n"])]
        for name, v in found.items()
    ]
    head = ("simulator, air, noise", "median error, %", "95 % interval", "scans")
    text = (
        "## Noise\n\nError of one scan's sigma; target 3 % with air, 6 % without.\n\n"
    )
    return text + _table(head, rows)


def _psf(found: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            *(f"{v[a]['bias_voxel']:+.3f}" for a in "xyz"),
            f"{max(v[a]['mean_abs_error_voxel'] for a in 'xyz'):.3f}",
        ]
        for name, v in found.items()
    ]
    head = ("difference", "bias x", "bias y", "bias z", "largest mean error")
    text = (
        "## Sharpness\n\nDifference of two sites of 12 scans, voxels; target 0.1.\n\n"
    )
    return text + _table(head, rows)


def _contrast(found: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{v['truth']:.3f}", f"{v['fitted']:.3f}"]
        if "truth" in v
        else [name, "correlation", f"{v['correlation']:.4f}"]
        for name, v in found.items()
    ]
    text = "## Contrast and shading\n\nSecond simulator, sites of 12 scans.\n\n"
    return text + _table(("what", "truth", "fitted"), rows)


def _coverage(found: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{100 * v['mean']:.1f}", f"{100 * v['lowest']:.1f}", str(v["refits"])]
        for name, v in found.items()
    ]
    head = ("simulator", "mean over parameters, %", "lowest, %", "refits")
    text = "## Intervals\n\nHow often a 95 % interval holds the mean of others.\n\n"
    return text + _table(head, rows)


def _claims(found: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            v["of"],
            f"{100 * v['share']:.0f}",
            _ends(v["ci95"], 100, 0),
            str(v["n"]),
        ]
        for name, v in found.items()
    ]
    head = ("pairs", "verdict", "share, %", "95 % interval", "pairs tried")
    return "## Null and power, 12 scans a site\n\n" + _table(head, rows)


def _judged(found: Mapping[str, Any]) -> str:
    rows = [_pair(name, v) for name, v in found["pairs"].items()]
    head = (
        *("A->B", "AUC before", "after", "a perfect model", "floor", "verdict"),
        *("after, same people", "out of reach", "Nyul", "hand-set ranges"),
        "gm, csf over B's",
    )
    reached = ", and ".join(
        f"{count} of {found['of']} with {who}"
        for who, count in found["auc_after_at_most_0.65"].items()
    )
    text = (
        f"## Does corrupt(A) pass for B?\n\nPhantom at {found['voxel_scale']:g} times "
        f"its voxels, {found['scans_per_site']} scans a site, halves that never meet; "
        "other people at B than at A, and the same people at both. "
        f"{len(found['pairs'])} pairs have been run. Of those whose B is at least as "
        "noisy and as blurred as A by the sites' own settings, an AUC of at most .65 "
        f"after corruption is reached by {reached}. A perfect model is B itself, "
        "imaging A's people, but for the mean features, which it has to learn from as "
        "many people as the fit has: more can hardly be learned from so few. Where the "
        "fit finds something out of reach, it is named. The last column is the tissue "
        f"contrast of corrupted scans over that of B's own. {found.get('note', '')}"
    )
    return text.rstrip() + "\n\n" + _table(head, rows) + _reasons(found["pairs"])


def _pair(name: str, v: Mapping[str, Any]) -> list[str]:
    def number(part: str, key: str) -> str:
        known = v.get(part, {})
        return f"{known[key]:.2f}" if key in known else "not run"

    other, ratio = v["other people"], v["contrast over B's"]
    return [
        name,
        f"{other['auc_before']:.2f}",
        f"{other['auc_after']:.2f}",
        number("other people", "perfect"),
        f"{other['auc_floor']:.2f}",
        other["verdict"],
        number("same people", "auc_after"),
        ", ".join(other["unattainable"]) or "-",
        f"{v['nyul']['auc_after']:.2f}",
        f"{v['torchio ranges']['auc_after']:.2f}",
        f"{ratio['gm_over_wm']:.2f}, {ratio['csf_over_wm']:.2f}",
    ]


def _reasons(pairs: Mapping[str, Any]) -> str:
    """What the model itself misses: it shows where people are the same."""
    rows = []
    for name, v in pairs.items():
        if "same people" in v:
            off = v["same people"]["off_sd"].items()
            rows.append([name, ", ".join(f"{k} {sd:+.1f}" for k, sd in off) or "-"])
    if not rows:
        return ""
    text = (
        "\nWhat the model itself misses shows where people are the same: features that "
        "are off by more than half an SD within sites, and by how many SD.\n\n"
    )
    return text + _table(("A->B", "off"), rows)


def _attainable(found: Mapping[str, Any]) -> str:
    rows = [
        [
            scans,
            f"{v['auc']:.2f} ({v['sd']:.2f})",
            f"{100 * v['share_that_pass']:.0f}",
            f"{v['best_classifier']:.2f}",
        ]
        for scans, v in found.items()
    ]
    head = (
        *("scans a site", "AUC of a perfect model (SD)", "of them at most .65, %"),
        "by the best classifier",
    )
    text = (
        "## What can be attained\n\nA model is learned from half of the scans and "
        "judged by the other, and the other way round. Learned from n people a site, "
        "the mean of each of K features is off by sqrt(2/n) SD, whatever the model; "
        "the best of all classifiers tells it by that with an AUC of Phi(sqrt(K/n)). "
        "Ours has to learn from n people a side where to look, and sees less. "
        "Simulated with independent Gaussian features and a model without any other "
        "error, many times. So an AUC of .65 between unrelated people asks for many "
        "scans, or for luck; people seen at both sites (`--paired`) take that error "
        "away, since it is theirs and not the scanners'.\n\n"
    )
    return text + _table(head, rows)


def _growth(found: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            f"{v['auc_after']:.2f}",
            f"{v['perfect']:.2f}",
            f"{v['best_classifier']:.2f}",
        ]
        for name, v in found.items()
    ]
    head = (
        *("pair, scans a site", "AUC after", "a perfect model"),
        "perfect model, best classifier",
    )
    return "## More scans, on the phantom\n\n" + _table(head, rows)


def _colin27(found: Mapping[str, Any]) -> str:
    if "skipped" in found:
        return ""
    rows = [
        [name, v["evidence"], ", ".join(v["flags"]) or "-"] for name, v in found.items()
    ]
    text = "## Colin 27, an average of 27 scans of one head\n\n"
    return text + _table(("scan", "noise from", "flags"), rows)


def _speed(found: Mapping[str, Any]) -> str:
    one = found["one scan"]
    ratio = one["ratio"]
    shape = " x ".join(map(str, one["shape"]))
    rows = [
        [name, f"{v['seconds_per_scan']:.2f}"] for name, v in found["growth"].items()
    ]
    text = (
        f"## Cost\n\nA scan of {shape} costs {ratio['median']:.1f} times (range "
        f"{ratio['min']:.1f} to {ratio['max']:.1f} over {one['runs']} runs) what "
        "reading it and one 3-D FFT of it cost on the same core; target 6.\n\n"
    )
    return text + _table(("scans", "seconds a scan"), rows)


def _ends(ends: list[float], scale: float, digits: int) -> str:
    low, high = (f"{scale * end:.{digits}f}" for end in ends)
    return f"{low} to {high}"
