"""The report's plots. Small and plain, so that they survive a phone's width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medvae.evaluation.estimate import Estimate
from medvae.evaluation.questions.transfer import by_traveler
from medvae.evaluation.result import Evaluation, LatentPoint
from medvae.report.canvas import COLOURS, MARKERS, SOFT, STYLE, canvas, legend, plain

Row = Mapping[str, Any]


def site_map(points: Sequence[LatentPoint], held_out: Sequence[str]) -> Figure:
    """Scans on the latents' two main axes, by site; held-out sites are hollow."""
    figure, axes = canvas()
    sites = sorted({p.site or "" for p in points}, key=lambda s: (s in held_out, s))
    for site, colour, marker in zip(
        sites, cycle(COLOURS), cycle(MARKERS), strict=False
    ):
        mine = [p for p in points if (p.site or "") == site]
        hollow = site in held_out
        axes.scatter(
            [p.x for p in mine],
            [p.y for p in mine],
            s=34,
            marker=marker,
            facecolor="none" if hollow else colour,
            edgecolor=colour,
            linewidth=1.5 if hollow else 0.5,
            alpha=1.0 if hollow else 0.8,
            label=plain(f"{site} (held out)" if hollow else site),
        )
    _name_axes(axes)
    legend(figure, axes)
    return figure


def age_map(points: Sequence[LatentPoint]) -> Figure | None:
    """The same map by age; None if no age is known."""
    known = [p for p in points if p.age is not None]
    if not known:
        return None
    figure, axes = canvas()
    drawn = axes.scatter(
        [p.x for p in known],
        [p.y for p in known],
        c=[p.age or 0.0 for p in known],
        s=34,
        cmap="viridis",
        edgecolor="white",
        linewidth=0.3,
    )
    with rc_context(STYLE):
        figure.colorbar(drawn, ax=axes, label="age in years", shrink=0.9)
    _name_axes(axes)
    return figure


def _name_axes(axes: Axes) -> None:
    axes.set_xlabel("first principal component")
    axes.set_ylabel("second")
    axes.set_aspect("equal", "datalim")


def trade_off(
    evaluations: Mapping[str, Evaluation], across: tuple[str, str], label: str
) -> Figure | None:
    """Leakage against a number that must survive, one marker an arm; up is better.

    Args:
        evaluations: By arm.
        across: Group and name of the number on the vertical axis.
        label: What that axis says.
    """
    found = {
        arm: (leak, kept)
        for arm, run in evaluations.items()
        if (leak := run.get("leakage", "auc_rbf_sample")) and (kept := run.get(*across))
    }
    if not found:
        return None
    figure, axes = canvas()
    axes.axvline(0.5, color=SOFT, linewidth=1, linestyle=":")
    marks = zip(found.items(), cycle(COLOURS), cycle(MARKERS), strict=False)
    for (arm, (leak, kept)), colour, marker in marks:
        axes.errorbar(
            leak.value,
            kept.value,
            xerr=_whiskers(leak),
            yerr=_whiskers(kept),
            fmt=marker,
            color=colour,
            markersize=8,
            elinewidth=1.2,
            label=plain(arm),
        )
        if kept.chance is not None:
            axes.axhline(kept.chance, color=colour, linewidth=0.8, linestyle=":")
    if across[1].startswith("mae"):
        axes.invert_yaxis()  # an error: less is better, and better is up
    axes.set_xlabel("site leakage: AUC of an RBF probe on samples")
    axes.set_ylabel(label)
    legend(figure, axes)
    return figure


def _whiskers(number: Estimate) -> list[list[float]] | None:
    if number.ci95 is None:
        return None
    low, high = number.ci95
    return [[max(number.value - low, 0.0)], [max(high - number.value, 0.0)]]


TRANSFERS = {"with_detail": "harmonised,\ndetail kept", "error": "decoded\nalone"}


def transfer_lines(
    evaluations: Mapping[str, Evaluation], measures: Sequence[str]
) -> Figure | None:
    """Every traveler's transfer error, a line from way to way, with the means.

    Args:
        evaluations: By arm.
        measures: Of `TravelerTransfer`; one where there are several arms.
    """
    # The first arm is the report's subject; it comes last, where the eye ends.
    arms = reversed(list(evaluations.items()))
    scored = {arm: run.travelers for arm, run in arms if run.travelers}
    values: dict[str, dict[str, float]] = {}
    for arm, rows in scored.items():
        values.setdefault("left alone", by_traveler(rows, "do_nothing"))  # in all alike
        for measure in measures:
            name = arm if len(measures) == 1 else TRANSFERS[measure]
            if found := by_traveler(rows, measure):
                values[name] = found
    if len(values) < 2:
        return None
    shared = sorted(set.intersection(*(set(v) for v in values.values())))
    if not shared:
        return None
    figure, axes = canvas()
    columns = np.array([[v[who] for who in shared] for v in values.values()])
    place = np.arange(len(columns))
    axes.plot(place, columns, color=SOFT, linewidth=1, marker="o", markersize=3.5)
    axes.plot(
        place,
        columns.mean(axis=1),
        color=COLOURS[1],
        linewidth=2.6,
        marker="D",
        markersize=7,
        label=f"mean of {len(shared)} travelers",
    )
    axes.set_xticks(place, [plain(arm) for arm in values])
    axes.set_xlim(-0.3, len(place) - 0.7)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("error, in variances of the real scan")
    legend(figure, axes)
    return figure


def training_curves(
    curves: Mapping[str, Sequence[Row]], key: str, label: str
) -> Figure | None:
    """One line an arm and split: ``train_<key>`` solid, ``validation_<key>`` dashed.

    Args:
        curves: Rows of metrics.jsonl by arm; rows without the key are skipped.
        key: Such as ``bound``.
        label: What the vertical axis says.
    """
    figure, axes = canvas()
    drawn = 0
    for (arm, rows), colour in zip(curves.items(), cycle(COLOURS), strict=False):
        for split, style in (("train", "-"), ("validation", "--")):
            points = _series(rows, f"{split}_{key}")
            if points:
                x, y = zip(*points, strict=True)
                text = f"{arm}, {split}"
                axes.plot(x, y, style, color=colour, linewidth=1.6, label=plain(text))
                drawn += 1
    if not drawn:
        return None
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    legend(figure, axes)
    return figure


def _series(rows: Sequence[Row], name: str) -> list[tuple[float, float]]:
    return [(row["epoch"], row[name]) for row in rows if {"epoch", name} <= set(row)]
