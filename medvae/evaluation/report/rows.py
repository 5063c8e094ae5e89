"""Tables of the report, as rows of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medvae.evaluation.estimate import Estimate
from medvae.evaluation.report.numbers import number
from medvae.evaluation.report.words import words_of
from medvae.evaluation.result import Evaluation
from medvae.report.p_values import p_value

GROUPS = {
    "transfer": "Transfer to a training site",
    "reconstruction": "Reconstruction",
    "leakage": "Site leakage, training sites",
    "held_out_distance": "Held-out site against training sites",
    "travelers": "Travelers",
    "age": "Age probe",
    "collapse": "Use of the latent",
}
COUNTS = ("dimensions", "inactive_dimensions")
TRANSFERS = (
    *("do_nothing", "with_detail", "error", "own", "psnr", "ssim"),
    *("with_detail_share_of_do_nothing", "share_of_do_nothing"),
)
"""One order in sentences, tables and plots; a file may have another."""
# group, name, words, digits, which way is better
HEADLINE = (
    (
        "transfer",
        "with_detail",
        "Harmonised, detail kept: error (variances)",
        2,
        "lower",
    ),
    ("transfer", "error", "Decoded alone: error (variances)", 2, "lower"),
    ("reconstruction", "psnr_held_out", "Held-out reconstruction (dB)", 1, "higher"),
    ("reconstruction", "psnr_seen", "Training-site reconstruction (dB)", 1, "higher"),
    (
        "leakage",
        "auc_rbf_sample",
        "Site leakage (AUC of RBF probe, samples)",
        2,
        "lower",
    ),
    ("leakage", "auc_rbf_mean", "Site leakage (AUC of RBF probe, means)", 2, "lower"),
    (
        "travelers",
        "reidentification_held_out",
        "Travelers recognised, held-out site",
        2,
        "higher",
    ),
    ("travelers", "icc_held_out", "Travelers' ICC(2,1), held-out site", 2, "higher"),
    ("age", "mae_years_across", "Age error across sites (years)", 1, "lower"),
    ("collapse", "inactive_share", "Inactive share of the latent", 2, "lower"),
)


def headline_rows(evaluations: Mapping[str, Evaluation]) -> list[dict[str, Any]]:
    """The numbers that must be read together, one row each, one cell an arm."""
    rows = []
    for group, name, words, digits, better in HEADLINE:
        found = [run.get(group, name) for run in evaluations.values()]
        if not any(found):
            continue
        cells = [_cell(estimate, digits) for estimate in found]
        chance = next((e.chance for e in found if e and e.chance is not None), None)
        rows.append(
            {
                "words": words,
                "better": better,
                "cells": cells,
                "against": _reference(evaluations, group, chance, digits),
                "n": max(e.n for e in found if e),
            }
        )
    return rows


def _reference(
    evaluations: Mapping[str, Evaluation], group: str, chance: float | None, digits: int
) -> str:
    """What a number is to be held against, and what that is."""
    if chance is not None:
        return f"{chance:.{digits}f} by chance"
    still = next(iter(evaluations.values())).get("transfer", "do_nothing")
    if group == "transfer" and still is not None:
        return f"{still.value:.{digits}f} left alone"
    return "none"


def _cell(estimate: Estimate | None, digits: int) -> dict[str, str]:
    if estimate is None:
        return {"value": "–", "ci95": ""}
    whole = number(estimate, digits).split(" ", 1)
    return {"value": whole[0], "ci95": whole[1] if len(whole) > 1 else ""}


def number_rows(evaluations: Mapping[str, Evaluation]) -> list[dict[str, Any]]:
    """Every number of every arm, by group."""
    tables = []
    for group, words in GROUPS.items():
        there = dict.fromkeys(
            name for run in evaluations.values() for name in run.metrics.get(group, {})
        )
        first = [name for name in TRANSFERS if name in there and group == "transfer"]
        names = [*first, *(name for name in there if name not in first)]
        rows = [
            {
                "name": words_of(name),
                "key": name,
                "cells": [
                    _full(run.get(group, name), name) for run in evaluations.values()
                ],
            }
            for name in names
        ]
        if rows:
            tables.append({"words": words, "lines": rows})
    return tables


def _full(estimate: Estimate | None, name: str) -> dict[str, str]:
    if estimate is None:
        return {"value": "–", "ci95": "", "n": "", "against": "", "p": ""}
    size = max(abs(estimate.value), 1e-12)
    digits = 0 if name in COUNTS else 3 if size < 10 else 1
    cell = _cell(estimate, digits)
    return {
        **cell,
        "n": str(estimate.n),
        "against": "" if estimate.chance is None else _level(estimate.chance, digits),
        "p": "" if estimate.p is None else p_value(estimate.p),
    }


def _level(level: float, digits: int) -> str:
    """Zero by definition, as of a difference where there is none, has no decimals."""
    return f"{level:.{digits}f}" if level else "0"


def cohort_rows(run: Evaluation) -> list[dict[str, object]]:
    """Who was scanned where, from the latent map."""
    rows: list[dict[str, object]] = []
    sites = sorted(
        {p.site or "" for p in run.points}, key=lambda s: (s in run.held_out, s)
    )
    for site in sites:
        here = [p for p in run.points if (p.site or "") == site]
        ages = [p.age for p in here if p.age is not None]
        splits = {
            split: len({p.subject for p in here if p.split == split})
            for split in ("train", "validation", "test")
        }
        rows.append(
            {
                "site": site,
                "role": "held out" if site in run.held_out else "training",
                "scans": len(here),
                "subjects": len({p.subject for p in here}),
                **splits,
                "ages": f"{min(ages):.0f} to {max(ages):.0f}" if ages else "unknown",
            }
        )
    return rows
