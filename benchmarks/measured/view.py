"""The part of docs/generalisation.md on scans that end within the head."""

from __future__ import annotations

from statistics import fmean

from measured.cells import Result, shown, table

_TEXT = """## Where most of the rest of the way lies

Scans of {sites} end within the head, in the neck, where those of other sites go on.
That is a difference of scanners, too, and one that the fitted noise does not know: it
never takes a neck away, and has none to give. True images of the same heads, which the
oracle has, do both. So every traveler's scan of a held-out site was harmonised once
more, cut where scans of the site asked for end; nothing of the traveler's own scan
there is looked at.
`{command}`, seed {seed}, {n} travelers; harmonised errors:
"""
_AFTER = """
Over all targets the mean goes from {before} to {after} for *scanner*, and from
{oracle} to {oracle_cut} for *oracle*. Cutting is no part of `medvae harmonize`; a
corruption that ends scans where other sites' end is the next thing to fit.
"""


def view_section(found: Result) -> str:
    """What cutting scans to the target's field of view changes, Markdown."""
    arms, widest = found["arms"], _widest(found)
    cut = [
        site
        for site, faces in found["fields_of_view"].items()
        if any(
            [low, high] != other
            for (low, high), other in zip(faces, widest, strict=True)
        )
    ]
    rows = [
        [
            f"{arm}, to {site}",
            *(shown(by[site][k]) for k in ("whole", "cut", "change")),
        ]
        for arm, by in arms.items()
        for site in cut
    ]
    first = next(iter(arms.values()))[cut[0]]
    head = _TEXT.format(
        sites=" and ".join(cut),
        command=found["command"],
        seed=found["seed"],
        n=first["n"],
    )
    after = _AFTER.format(
        before=_mean(arms["scanner"], "whole"),
        after=_mean(arms["scanner"], "cut"),
        oracle=_mean(arms["oracle"], "whole"),
        oracle_cut=_mean(arms["oracle"], "cut"),
    )
    return head + "\n" + table(["arm", "whole", "cut", "change"], rows) + after


def _widest(found: Result) -> list[list[int]]:
    views = found["fields_of_view"].values()
    return [
        [min(v[axis][0] for v in views), max(v[axis][1] for v in views)]
        for axis in range(3)
    ]


def _mean(by_target: Result, kind: str) -> str:
    return f"{fmean(by[kind]['mean'] for by in by_target.values()):.3f}"
