"""The comparison's plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from medvae.report.canvas import COLOURS, MARKERS, SOFT, canvas, legend, plain


def pareto(
    points: Mapping[str, Sequence[Mapping[str, Any]]],
    kept: str,
    label: str,
    *,
    upward: bool,
) -> Figure | None:
    """Leakage against what must survive: every setting of every arm, joined by arm.

    Args:
        points: By arm, rows with ``leakage`` and ``kept``.
        kept: Which number stands on the vertical axis.
        label: What that axis says.
        upward: Whether more of it is better; the better end is drawn at the top.
    """
    figure, axes = canvas(5.6, 4.2)
    drawn = 0
    marks = zip(points.items(), cycle(COLOURS), cycle(MARKERS), strict=False)
    for (arm, rows), colour, marker in marks:
        known = sorted(
            (row["leakage"], row[kept])
            for row in rows
            if row["leakage"] is not None and row[kept] is not None
        )
        if not known:
            continue
        x, y = zip(*known, strict=True)
        axes.plot(x, y, marker=marker, color=colour, linewidth=1, label=plain(arm))
        drawn += 1
    if not drawn:
        return None
    axes.axvline(0.5, color=SOFT, linewidth=1, linestyle=":")
    if not upward:
        axes.invert_yaxis()
    axes.set_xlabel("site leakage: AUC of an RBF probe on samples")
    axes.set_ylabel(label)
    legend(figure, axes)
    return figure


def site_panel(
    per_site: Mapping[str, Mapping[str, Mapping[str, float]]],
    held_out: Sequence[str],
    measure: str,
    label: str,
) -> Figure | None:
    """One number of every arm at every site; held-out sites stand last, in brackets.

    Args:
        per_site: By arm, then by site, then by measure.
        held_out: Sites that no arm was trained on.
        measure: ``reconstruction`` or ``transfer``.
        label: What the vertical axis says.
    """
    known = {
        site
        for sites in per_site.values()
        for site, numbers in sites.items()
        if measure in numbers
    }
    if not known:
        return None
    order = sorted(known, key=lambda site: (site in held_out, site))
    figure, axes = canvas(max(4.4, 0.8 * len(order) + 1.5), 3.8)
    marks = zip(per_site.items(), cycle(COLOURS), cycle(MARKERS), strict=False)
    for number, ((arm, sites), colour, marker) in enumerate(marks):
        shift = 0.5 * (number / max(len(per_site) - 1, 1) - 0.5)
        values = [sites.get(site, {}).get(measure, np.nan) for site in order]
        place = np.arange(len(order)) + shift
        axes.plot(place, values, marker, color=colour, markersize=5, label=plain(arm))
    names = [f"({site})" if site in held_out else site for site in order]
    axes.set_xticks(range(len(order)), [plain(name) for name in names], rotation=30)
    axes.set_ylabel(label)
    legend(figure, axes)
    return figure


def gap_bars(gaps: Mapping[str, Mapping[str, Any]]) -> Figure | None:
    """Share of the way to the oracle, by arm, with intervals."""
    known = {arm: gap for arm, gap in gaps.items() if gap["mean"] is not None}
    if not known:
        return None
    figure, axes = canvas(5.6, 0.5 * len(known) + 1.6)
    for place, gap in enumerate(known.values()):
        if gap["ci95"]:
            axes.plot(gap["ci95"], [place] * 2, color=COLOURS[0], linewidth=2)
        axes.plot(gap["mean"], place, "o", color=COLOURS[0], markersize=7)
    axes.axvline(0, color=SOFT, linewidth=1, linestyle=":")
    axes.axvline(1, color=SOFT, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(known)), [plain(arm) for arm in known])
    axes.set_xlabel("0: best generic corruption; 1: the oracle")
    return figure
