"""The comparison as one page: what came out, and everything behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from medvae.comparison import figures
from medvae.comparison.result import pooled
from medvae.comparison.unit import Unit, encoder_of
from medvae.evaluation.estimate import Estimate
from medvae.evaluation.pictures import choose_scans, keep_one, picture_of
from medvae.evaluation.report import Picture
from medvae.evaluation.report.numbers import number
from medvae.evaluation.report.page import picture_table, viewed
from medvae.evaluation.report.rows import headline_rows, number_rows
from medvae.evaluation.result import Evaluation, names_of
from medvae.report import write_page
from medvae.report.embed import svg

SHOWN = 4  # arms in the pictures


def write_comparison_report(
    path: Path, content: Mapping[str, Any], units: Mapping[str, Sequence[Unit]]
) -> Path:
    """Write report.html beside compare.json.

    Args:
        path: File to write.
        content: Of compare.json.
        units: Finished, by arm.
    """
    arms = {
        name: pooled(name, [unit.evaluation() for unit in own])
        for name, own in units.items()
    }
    rows = pictures(units)
    page = {
        "title": f"What was learned for {names_of(content['held_out'])}, never seen",
        "intro": (
            f"{len(arms)} arms, {len(content['seeds'])} seed(s) each, alike in "
            "network, budget and augmentation. Intervals are over people and seeds."
        ),
        "findings": findings(content),
        "arms": list(arms),
        "headline": headline_rows(arms),
        "numbers": number_rows(arms),
        "gaps": gap_rows(content["gaps"]),
        "differences": measure_rows(content["differences"]),
        "same_setting": setting_rows(content["same_setting"]),
        "challenger": content["plan"]["challenger"],
        "plots_of": _plots(content),
        "pictures": picture_table(rows),
        "viewed": viewed(rows),
        "facts": fact_rows(content["settings"]),
        "notes": _unique(arms, "notes"),
        "unanswered": _unique(arms, "unanswered"),
        "command": content["command"],
    }
    return write_page(path, "medvae.comparison", page)


def findings(content: Mapping[str, Any]) -> list[str]:
    """Sentences with numbers: the gap, then the differences beyond their interval.

    Example:
        >>> none = {"gap_closed": {"mean": None, "ci95": None, "metric": "no oracle"},
        ...         "differences": {}, "plan": {"challenger": "scanner"}}
        >>> findings(none)
        ['The gap to the oracle is not known: no oracle.']
    """
    gap, challenger = content["gap_closed"], content["plan"]["challenger"]
    if gap["mean"] is None:
        first = f"The gap to the oracle is not known: {gap['metric']}."
        if "each" in gap:
            known = [
                f"{_percent(share)} in {name.replace('_', ' ')}"
                for name, share in gap["each"].items()
                if share["mean"] is not None
            ]
            first = (
                "The average share of the way to the oracle is not known: in one "
                "measure the oracle was no better than the best generic corruption."
            )
            if known:
                first += f" Where there is a way, {challenger} goes {names_of(known)}."
    else:
        first = (
            f"{challenger} goes {_percent(gap)} of the way from the best generic "
            "corruption to the oracle."
        )
    sentences = [first]
    for arm, rows in content["differences"].items():
        better: list[str] = []
        worse: list[str] = []
        for measure, row in rows.items():
            low, high = row["ci95"] or (-np.inf, np.inf)
            sign = -1 if row["better"] == "lower" else 1
            if low > 0 or high < 0:
                (better if sign * row["mean"] > 0 else worse).append(measure)
        words = [
            f"{word} in {names_of([m.replace('_', ' ') for m in found])}"
            for word, found in (("better", better), ("worse", worse))
            if found
        ]
        told = " and ".join(words) or "no different beyond the margin of error"
        sentences.append(f"Against {arm}, {challenger} is {told}.")
    return sentences


def _percent(gap: Mapping[str, Any]) -> str:
    text = f"{round(100 * gap['mean'])}%"
    if not gap["ci95"]:
        return f"{text} (no interval)"
    low, high = (f"{round(100 * v)}%" for v in gap["ci95"])
    return f"{text} ({low} to {high})"


def gap_rows(gaps: Mapping[str, Any]) -> dict[str, Any]:
    """The gap's table: one line an arm, one column a measure."""
    columns = list(dict.fromkeys(m for gap in gaps.values() for m in gap["each"]))
    lines = [
        {
            "name": arm,
            "cells": [_gap_cell(gap["each"][m]) for m in columns] + [_gap_cell(gap)],
        }
        for arm, gap in gaps.items()
    ]
    return {"columns": [c.replace("_", " ") for c in columns], "lines": lines}


def _gap_cell(gap: Mapping[str, Any]) -> str:
    return "oracle no better" if gap["mean"] is None else _percent(gap)


def measure_rows(table: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers with intervals: one line an arm, one column a measure."""
    columns = list(dict.fromkeys(m for rows in table.values() for m in rows))
    lines = [
        {
            "name": arm,
            "cells": [_with_interval(rows[m]) if m in rows else "–" for m in columns],
        }
        for arm, rows in table.items()
    ]
    return {"columns": [c.replace("_", " ") for c in columns], "lines": lines}


def setting_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A table for each setting that arms share, and the challenger's differences."""
    tables = []
    for row in rows:
        words = ", ".join(f"{k} {v}" for k, v in row["settings"].items())
        values = measure_rows(row["arms"])
        changes = measure_rows(row["differences"])
        tables.append({"words": words, "values": values, "changes": changes})
    return tables


def _with_interval(row: Mapping[str, Any]) -> str:
    ci95 = tuple(row["ci95"]) if row["ci95"] else None
    return number(Estimate(row["mean"], ci95, 0), 3)


def fact_rows(settings: Mapping[str, Any]) -> list[dict[str, str]]:
    """How each arm was corrupted, how strongly, and which setting was chosen."""
    return [
        {
            "name": arm,
            "noise": facts["arm"]["baseline"] or facts["arm"]["noise"],
            "regime": facts["arm"]["regime"],
            "energy": _list(facts["energy"], "{:.4f}"),
            "factor": _list(facts["level_factor"], "{:.2f}"),
            "chosen": ", ".join(
                dict.fromkeys(str(s) for s in facts["chosen"].values() if s)
            ),
        }
        for arm, facts in settings.items()
    ]


def _list(values: Mapping[str, float | None], form: str) -> str:
    return ", ".join(form.format(v) for v in values.values() if v is not None) or "–"


def _unique(arms: Mapping[str, Evaluation], field: str) -> list[Any]:
    return list(
        dict.fromkeys(row for arm in arms.values() for row in getattr(arm, field))
    )


def _plots(content: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    points, per_site, away = (
        content["points"],
        content["per_site"],
        content["held_out"],
    )
    groups: dict[str, list[tuple[Figure | None, str]]] = {
        "gap": [(figures.gap_bars(content["gaps"]), "Share of the gap closed")],
        "pareto": [
            (
                figures.pareto(
                    points, "age_error", "age error over guessing", upward=False
                ),
                "Leakage against age",
            ),
            (
                figures.pareto(
                    points, "reidentification", "travelers recognised", upward=True
                ),
                "Leakage against re-identification",
            ),
        ],
        "sites": [
            (
                figures.site_panel(per_site, away, measure, "error, in variances"),
                caption,
            )
            for measure, caption in (
                ("reconstruction", "Reconstruction, by site of the scan"),
                ("transfer", "Harmonisation of travelers, by held-out site"),
            )
        ],
    }
    return {
        name: [
            {"source": svg(figure), "caption": caption}
            for figure, caption in drawn
            if figure is not None
        ]
        for name, drawn in groups.items()
    }


def pictures(units: Mapping[str, Sequence[Unit]]) -> list[Picture]:
    """One traveler from every scanner, decoded as the first training site's scan."""
    first = {name: own[0] for name, own in units.items()}
    drawable = {
        name: unit for name, unit in first.items() if unit.arm.baseline != "combat"
    }
    stage = next(iter(first.values())).stage
    wanted = [stage.plan.challenger, "none", "oracle", "randomised", *drawable]
    shown = [name for name in dict.fromkeys(wanted) if name in drawable][:SHOWN]
    encoders = {
        name: encoder_of(drawable[name], drawable[name].finished().choice)
        for name in shown
    }
    target, spacing = stage.sites[0], stage.store.grid.spacing_mm
    scans = choose_scans(stage.prepared())
    rows = []
    for scan in scans:
        x = torch.from_numpy(np.array(scan.image, dtype=np.float32))[None, None]
        panels = {"as scanned": x}
        for name, encoder in encoders.items():
            site_input = target if target in encoder.sites else None
            moved = encoder.decode_batch(encoder.encode_batch(x)[0], site_input)
            panels[f"as {target} ({name})"] = moved
        mark = " (unseen)" if scan.site in stage.plan.held_out else ""
        label = f"{scan.subject} at {scan.site}{mark}"
        rows.append(picture_of(label, panels, spacing))
    return keep_one(rows, [scan.site in stage.plan.held_out for scan in scans])
