"""What docs/fit.md says of corrupted scans that are to pass for another scanner's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from measured.students import spread

from fit_parts.markdown import prose, table

_NOT_RUN = "not run"
_WHO = {"other people": "other people", "same people": "the same people"}


def judged(found: Mapping[str, Any]) -> str:
    """AUC of every pair, beside what could be reached."""
    reached = ", and ".join(
        f"{count} of {found['of']} with {_WHO[who]}"
        for who, count in found["auc_after_at_most_0.65"].items()
    )
    reachable = [pair for pair in found["reachable"] if pair in found["pairs"]]
    means = " ".join(
        _against_perfect(found["pairs"], who, reachable)
        for who in _WHO
        if all("perfect" in found["pairs"][pair].get(who, {}) for pair in reachable)
    )
    text = f"""## Does corrupt(A) pass for B?

    Phantom, voxels {found["voxel_scale"]:g} times as large as the sites' own,
    {found["scans_per_site"]} scans a site, {len(found["pairs"])} pairs. The fit learns
    from half of the people and is judged by the others, and the other way round. A
    classifier looks at plain features of the scans (air, detail, spectrum, quantiles,
    shading); an AUC of 0.5 says that it cannot tell two groups of scans apart, 1 that
    it always can.

    - **before**: scans of A against scans of other people at B.
    - **after**: corrupted scans of A against the same scans of B.
    - **a perfect model**: A's people, imaged by B itself, in place of corrupted scans.
    Only the mean of the features is learned, from as many people as the fit has; more
    can hardly be learned from so few. Where the people are the same, it is B's scans of
    another day: noise, shading and place vary from day to day, and few days tell their
    mean badly, too{_unless_run(found["pairs"])}.
    - **floor**: B against B, split at random.
    - **after, same people**: as after, but A's own people are scanned at B, too, so
    that what differs between heads cancels. What a perfect model does better is the
    model's own error.
    - **out of reach**: what B has less of than A, noise or blur, by the fit; no
    corruption can make up for it.
    - **Nyul**, **hand-set ranges**: other methods in place of the fit, against other
    people.
    - **gm, csf over B's**: tissue contrast of corrupted scans over that of other people
    at B, medians of 12 scans each, so that they differ by chance, too; target 0.97 to
    1.03.

    Of the pairs whose B is at least as noisy and as blurred as A by the sites' own
    settings, the target of an AUC of at most .65 is reached by {reached}. {means}"""
    head = (
        *("A->B", "before", "after", "a perfect model", "floor", "verdict"),
        *("after, same people", "a perfect model, same people", "out of reach"),
        *("Nyul", "hand-set ranges", "gm, csf over B's"),
    )
    rows = [_pair(_named(name, v), v) for name, v in found["pairs"].items()]
    head, rows = _without_empty(head, rows)
    if any("of_the_fit_before" in v for v in found["pairs"].values()):
        text += (
            "\n\n    Pairs with a star are of the version of the fit before this one."
        )
    return prose(text) + table(head, rows) + _reasons(found["pairs"])


def _without_empty(
    head: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Without the columns of which nothing was run."""
    kept = [k for k in range(len(head)) if any(row[k] != _NOT_RUN for row in rows)]
    return [head[k] for k in kept], [[row[k] for k in kept] for row in rows]


def _unless_run(pairs: Mapping[str, Any]) -> str:
    is_run = any("perfect" in v.get("same people", {}) for v in pairs.values())
    return "" if is_run else " (not run yet)"


def _against_perfect(
    pairs: Mapping[str, Any], who: str, reachable: Sequence[str]
) -> str:
    """Mean AUC after, that of a perfect model, and the difference."""
    after, perfect = (
        np.array([pairs[pair][who][key] for pair in reachable])
        for key in ("auc_after", "perfect")
    )
    change = spread(after - perfect)
    more, (low, high) = change["mean"], change["ci95"]
    return (
        f"With {_WHO[who]} their mean is {after.mean():.2f}, where a perfect model "
        f"would have {perfect.mean():.2f}: a difference of {more:.2f} "
        f"({low:.2f} to {high:.2f}; Student's t over {len(reachable)} pairs, as if "
        "they shared no site)."
    )


def _named(name: str, v: Mapping[str, Any]) -> str:
    return f"{name} *" if "of_the_fit_before" in v else name


def _pair(name: str, v: Mapping[str, Any]) -> list[str]:
    def number(part: str, key: str) -> str:
        known = v.get(part, {})
        return f"{known[key]:.2f}" if key in known else _NOT_RUN

    other, ratio = v["other people"], v["contrast over B's"]
    return [
        name,
        f"{other['auc_before']:.2f}",
        f"{other['auc_after']:.2f}",
        number("other people", "perfect"),
        f"{other['auc_floor']:.2f}",
        other["verdict"],
        number("same people", "auc_after"),
        number("same people", "perfect"),
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
            rows.append(
                [_named(name, v), ", ".join(f"{k} {sd:+.1f}" for k, sd in off) or "-"]
            )
    if not rows:
        return ""
    text = """What the model itself misses, seen where people are the same: features
    whose mean is off by more than half of the SD between people, and by how many SD."""
    return "\n" + prose(text) + table(("A->B", "off"), rows)


def attainable(found: Mapping[str, Any]) -> str:
    """AUC of a perfect model against the number of scans, simulated."""
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
    repeats = next(iter(found.values()))["repeats"]
    text = f"""## What can be attained

    A fit from few people carries their anatomy along. With n people a site to learn
    from (half of the scans; the other half judges), the mean of each of K features is
    off by sqrt(2/n) SD, whatever the model, and the best of all classifiers tells it by
    that with an AUC of Phi(sqrt(K/n)). Ours has to find out from n people a side where
    to look, and sees less. Simulated {repeats} times with independent Gaussian features
    and a model without any other error. So an AUC of .65 between unrelated people asks
    for many scans, or for luck; people seen at both sites (`--paired`) take that error
    away, since it is theirs and not the scanners'."""
    return prose(text) + table(head, rows)


def growth(found: Mapping[str, Any]) -> str:
    """AUC of two pairs against the number of scans."""
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
    text = """## More scans, on the phantom

    Pairs with fewer scans and with more, other people at B than at A; the columns are
    those of the tables above."""
    return prose(text) + table(head, rows)
