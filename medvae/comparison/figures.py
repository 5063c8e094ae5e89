"""The comparison's plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from medvae.report.canvas import COLOURS, MARKERS, SOFT, canvas, legend, plain

SHOWN = (-1.0, 2.0)  # of shares of the gap


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
    """Each share of the way to the oracle, by arm, with intervals.

    What lies outside ``SHOWN`` is drawn at its edge, as an arrow.
    """
    shares = [share for gap in gaps.values() for share in gap["each"].values()]
    if all(share["mean"] is None for share in shares):
        return None
    parts = list(next(iter(gaps.values()))["each"])
    low, high = SHOWN
    figure, axes = canvas(6.4, 0.3 * len(gaps) * len(parts) + 1.6)
    for row, gap in enumerate(gaps.values()):
        for k, part in enumerate(parts):
            share, colour = gap["each"][part], COLOURS[k % len(COLOURS)]
            place = row + 0.7 * (k / max(len(parts) - 1, 1) - 0.5)
            if share["ci95"]:
                line = np.clip(share["ci95"], low, high)
                axes.plot(line, [place] * 2, color=colour, linewidth=1.5)
            if share["mean"] is not None:
                mean = share["mean"]
                marker = "<" if mean < low else ">" if mean > high else "o"
                axes.plot(np.clip(mean, low, high), place, marker, color=colour)
    for k, part in enumerate(parts):
        if any(gap["each"][part]["mean"] is not None for gap in gaps.values()):
            colour, words = COLOURS[k % len(COLOURS)], plain(part.replace("_", " "))
            axes.plot([], [], "o-", color=colour, label=words)
    for edge in (0, 1):
        axes.axvline(edge, color=SOFT, linewidth=1, linestyle=":")
    axes.set_xlim(low - 0.05, high + 0.05)
    axes.set_yticks(range(len(gaps)), [plain(arm) for arm in gaps])
    axes.invert_yaxis()
    axes.set_xlabel("0: best generic corruption; 1: the oracle")
    legend(figure, axes)
    return figure
