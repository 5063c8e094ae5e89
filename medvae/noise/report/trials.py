"""The goodness of a fit, as rows and small plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medvae.noise.report.figures import quantile_plot
from medvae.report.embed import svg
from noise_models.scanner.record import Goodness
from noise_models.scanner.summary import describe_goodness

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
            "ci95": "–".join(_two(end) for end in found.auc_after_ci95),
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
        plots = [
            {
                "source": svg(quantile_plot(found.quantiles[name])),
                "name": name,
                "ks": f"{found.features[name][0]:.2f}",
                "p": _p(found.features[name][1]),
                "differs": name in differing,
            }
            for name in order
            if name in found.quantiles
        ]
        words = f"{len(differing)} of {len(order)} features differ"
        groups.append({"pair": key, "words": words, "plots": plots})
    return groups


def _two(value: float, digits: int = 2) -> str:
    return "–" if np.isnan(value) else f"{value:.{digits}f}"


def _p(value: float) -> str:
    return "p < .001" if value < 0.001 else f"p {value:.3f}"
