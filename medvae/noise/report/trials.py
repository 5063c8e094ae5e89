"""The goodness of a fit, as rows and small plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medvae.noise.report.figures import quantile_plot
from medvae.report.embed import svg
from medvae.report.p_values import p_value
from noise_models.scanner.goodness import FEWEST
from noise_models.scanner.record import Goodness
from noise_models.scanner.summary import describe_goodness
from noise_models.scanner.words import FEATURE_WORDS

SURE = 0.05  # p after Holm below which a feature is said to differ


def trials(goodness: Mapping[str, Goodness]) -> list[dict[str, str]]:
    """A row a pair: verdict, AUC before, after and floor."""
    return [
        {
            "pair": key,
            "verdict": found.verdict,
            "kind": found.verdict.split()[0],
            "before": _two(found.auc_before),
            "after": _two(found.auc_after),
            "ci95": _interval(found.auc_after_ci95),
            "attainable": _two(found.auc_attainable),
            "floor": _two(found.auc_floor),
            "p": _two(found.separation_p, 3),
            "scans": f"{found.scans[0]} / {found.scans[1]}",
            "words": describe_goodness(key, found),
        }
        for key, found in goodness.items()
    ]


def quantile_groups(goodness: Mapping[str, Goodness]) -> list[dict[str, Any]]:
    """For every trial its features, those that differ most first."""
    groups = []
    for key, found in goodness.items():
        if not found.quantiles:
            continue
        order = sorted(found.features, key=lambda name: found.features[name][1])
        differing = [name for name in order if found.features[name][1] < SURE]
        is_tested = min(found.scans) >= FEWEST
        plots = [
            {
                "source": svg(quantile_plot(found.quantiles[name])),
                "name": FEATURE_WORDS.get(name, name),
                "told": _told(*found.features[name]) if is_tested else "",
                "differs": is_tested and name in differing,
            }
            for name in order
            if name in found.quantiles
        ]
        words = (
            f"{len(differing)} of {len(order)} features differ"
            if is_tested
            else f"{found.scans[0]} and {found.scans[1]} scans are too few to test"
        )
        groups.append(
            {"pair": key, "words": words, "plots": plots, "is_open": is_tested}
        )
    return groups


def _interval(ends: tuple[float, float]) -> str:
    return "" if np.isnan(ends).any() else " to ".join(_two(end) for end in ends)


def _two(value: float, digits: int = 2) -> str:
    return "–" if np.isnan(value) else f"{value:.{digits}f}"


def _told(distance: float, p: float) -> str:
    return f"KS {distance:.2f}, {p_value(p)}"
