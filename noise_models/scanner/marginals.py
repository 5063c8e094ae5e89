"""A, corrupt(A) and B held side by side, one feature at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from noise_models.scanner.common_grid import Looks
from noise_models.scanner.features import FEATURES, SPECTRUM_PER_MM
from noise_models.scanner.record import MeanSpectra, Quantiles

DECILES = tuple(k / 10 for k in range(11))

Array = NDArray[np.float64]


def joined(parts: Iterable[Looks]) -> Looks:
    """Several groups of scans as one."""
    both = list(parts)
    return Looks(
        np.concatenate([part.features for part in both]),
        np.concatenate([part.spectra for part in both]),
    )


def compare_features(found: Array, real: Array) -> dict[str, tuple[float, float]]:
    """Kolmogorov-Smirnov distance of every feature, and its p after Holm."""
    tests = [
        stats.ks_2samp(found[:, k], real[:, k], method="exact")
        for k in range(len(FEATURES))
    ]
    p = np.array([float(test.pvalue) for test in tests])
    order = np.argsort(p)
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(raised, 1)
    return {
        name: (float(test.statistic), float(value))
        for name, test, value in zip(FEATURES, tests, adjusted, strict=True)
    }


def feature_deciles(tables: Sequence[Array]) -> dict[str, Quantiles]:
    """Deciles of every feature at A, corrupt(A) and B."""
    kept = np.stack([np.quantile(table, DECILES, axis=0).T for table in tables], 1)
    return {
        name: (_plain(a), _plain(moved), _plain(b))
        for name, (a, moved, b) in zip(FEATURES, kept, strict=True)
    }


def mean_spectra(tables: Sequence[Looks]) -> MeanSpectra:
    """Mean log spectra of A, corrupt(A) and B."""
    edges = np.array(SPECTRUM_PER_MM)
    middles = (edges[1:] + edges[:-1]) / 2
    a, moved, b = (_plain(table.spectra.mean(0)) for table in tables)
    return MeanSpectra(_plain(middles), a, moved, b)


def _plain(values: Array) -> tuple[float, ...]:
    """Rounded: for a plot, and for a file that stays readable."""
    return tuple(float(v) for v in np.round(values, 4))
