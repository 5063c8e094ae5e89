"""Write report.html: findings first, then every number behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from medvae.evaluation.questions.transfer import compare_transfer
from medvae.evaluation.report import figures
from medvae.evaluation.report.rows import (
    cohort_rows,
    headline_rows,
    number_rows,
)
from medvae.evaluation.report.sentences import describe, describe_comparison
from medvae.evaluation.report.targets import target_rows
from medvae.evaluation.result import Evaluation
from medvae.report import write_page
from medvae.report.embed import slice_png, svg
from medvae.report.sides import PLANES
from medvae.report.viewer import viewer
from medvae.training.progress import read_metrics

CURVES = (
    ("bound", "evidence bound, nats a scan"),
    ("reconstruction", "log p(x|z), nats a scan"),
    ("kl", "KL to the prior, nats a scan"),
)

Curve = Path | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Picture:
    """One row of pictures: a scan, and what became of it.

    Args:
        label: Whose scan, from where.
        panels: Caption to slice (X, Y) or volume (X, Y, Z), in reference units; rows
            that share captions share columns.
        volumes: The same as whole volumes; the first row that has them gets a viewer.
        spacing_mm: Voxel size of ``volumes``.
    """

    label: str
    panels: Mapping[str, NDArray[np.floating]]
    volumes: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    spacing_mm: tuple[float, ...] = (1.0, 1.0, 1.0)


def write_report(
    path: Path,
    *,
    title: str,
    evaluations: Mapping[str, Evaluation],
    findings: Sequence[str] = (),
    intro: str = "",
    cohort: Sequence[Mapping[str, object]] = (),
    noise: Mapping[str, str] | None = None,
    pictures: Sequence[Picture] = (),
    curves: Mapping[str, Curve] | None = None,
    reference: str | None = None,
) -> Path:
    """Write one HTML file that needs no other file and no network.

    Args:
        path: Where, usually report.html.
        title: Its headline.
        evaluations: By arm, at least one; the first leads the summary.
        findings: Sentences that come first; made from the numbers if empty.
        intro: A paragraph under the title: what data, what question.
        cohort: Rows of the cohort table, columns by key; made from the latent map if
            empty.
        noise: By arm, which corruption it was trained with.
        pictures: Rows of slices.
        curves: By arm, metrics.jsonl or its rows.
        reference: The arm that others are compared with; the last if None.

    Returns:
        The path.

    Raises:
        ValueError: No evaluation, or no arm of the reference's name.
    """
    if not evaluations:
        raise ValueError("a report needs at least one evaluation, got none")
    if reference is not None and reference not in evaluations:
        known = ", ".join(evaluations)
        raise ValueError(f"no arm named {reference!r} to compare with; known: {known}")
    lead = next(iter(evaluations))
    content = {
        "title": title,
        "intro": intro,
        "findings": list(findings) or summary(evaluations, reference),
        "headline": headline_rows(evaluations),
        "lead": lead,
        "arms": list(evaluations),
        "cohort": list(cohort) or cohort_rows(evaluations[lead]),
        "noise": dict(noise or {}),
        "pictures": picture_table(pictures),
        "viewed": viewed(pictures),
        "plots_of": _plots(
            evaluations, {k: _rows(v) for k, v in (curves or {}).items()}
        ),
        "targets": target_rows(evaluations),
        "numbers": number_rows(evaluations),
        "notes": list(dict.fromkeys(s for e in evaluations.values() for s in e.notes)),
        "unanswered": list(
            dict.fromkeys(row for e in evaluations.values() for row in e.unanswered)
        ),
    }
    return write_page(path, "medvae.evaluation.report", content)


def summary(
    evaluations: Mapping[str, Evaluation], reference: str | None = None
) -> list[str]:
    """Sentences of the leading arm, after its comparison with the reference arm."""
    lead, run = next(iter(evaluations.items()))
    against = reference or list(evaluations)[-1]
    sentences = describe(run)
    if against != lead:
        try:
            difference = compare_transfer(evaluations[against], run)
        except ValueError:  # no traveler in common: the page says so elsewhere
            return sentences
        sentences.insert(0, describe_comparison(difference, lead, against))
    return sentences


def _rows(curve: Curve) -> Sequence[Mapping[str, Any]]:
    if not isinstance(curve, Path):
        return list(curve)
    return read_metrics(curve)


def picture_table(pictures: Sequence[Picture]) -> dict[str, Any]:
    """Rows of pictures as the template takes them; see `Picture`."""
    columns = list(dict.fromkeys(name for row in pictures for name in row.panels))
    rows = [
        {
            "label": row.label,
            "cells": [
                {
                    "alt": f"{row.label}: {name}",
                    "source": slice_png(row.panels[name]),
                    "sides": PLANES["axial"][1],
                }
                if name in row.panels
                else None
                for name in columns
            ],
        }
        for row in pictures
    ]
    return {"columns": columns, "lines": rows}


def viewed(pictures: Sequence[Picture]) -> dict[str, Any] | None:
    """The viewer of the first row with volumes, and whose they are."""
    row = next((row for row in pictures if row.volumes), None)
    if row is None:
        return None
    return {"label": row.label, "viewer": viewer(row.volumes, row.spacing_mm)}


def _transfers(arms: int) -> list[tuple[tuple[str, ...], str]]:
    """Which errors go into a plot: both of one arm, or one of several arms."""
    if arms == 1:
        return [(("with_detail", "error"), "Error of every traveler")]
    return [
        (("with_detail",), "Error of every traveler, harmonised, detail kept"),
        (("error",), "Error of every traveler, decoded alone"),
    ]


def _plots(
    evaluations: Mapping[str, Evaluation],
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, list[dict[str, str]]]:
    maps: list[tuple[Figure | None, str]] = []
    for arm, run in evaluations.items():
        if run.points:
            by_site = figures.site_map(run.points, run.held_out)
            maps.append((by_site, f"{arm}: latents by site"))
            maps.append(
                (figures.age_map(run.points), f"{arm}: the same latents by age")
            )
    trade: list[tuple[Figure | None, str]] = [
        (figures.trade_off(evaluations, (group, name), axis), f"Leakage against {what}")
        for group, name, axis, what in (
            ("age", "mae_years_across", "age error across sites, years", "age"),
            (
                "travelers",
                "reidentification_held_out",
                "travelers recognised (share)",
                "re-identification",
            ),
            (
                "reconstruction",
                "psnr_held_out",
                "held-out reconstruction, dB",
                "reconstruction",
            ),
        )
    ]
    lines: list[tuple[Figure | None, str]] = [
        (figures.transfer_lines(evaluations, measures), caption)
        for measures, caption in _transfers(len(evaluations))
    ]
    training: list[tuple[Figure | None, str]] = [
        (figures.training_curves(curves, key, label), f"Training: {label}")
        for key, label in CURVES
        if curves
    ]
    groups = {"map": maps, "trade": trade, "transfer": lines, "training": training}
    return {
        name: [
            {"source": svg(figure), "caption": caption}
            for figure, caption in drawn
            if figure is not None
        ]
        for name, drawn in groups.items()
    }
