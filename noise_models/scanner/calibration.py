"""Correcting a transfer by what it does: corrupt(A) is measured and compared with B.

The parameters of a site are estimates, and estimators err: a little differently on a
noisy scan than on a clean one. What is off in the same way at both sites cancels in
the transfer; the rest shows when corrupted scans of A are looked at as those of B
are. The offset found here takes it out (indirect inference, Gourieroux, Monfort &
Renault 1993, doi:10.1002/jae.3950080507): the target's parameters are moved until the
features of corrupt(A) meet those of B, but no further than estimators may err.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from noise_models.cosine import cosine_terms
from noise_models.scanner.common_grid import GRID_MM, Specimen
from noise_models.scanner.estimate import NAMES
from noise_models.scanner.features import FEATURES, SHADING_ORDER, scan_features
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.sites import Site
from noise_models.scanner.tissue import BIAS_ORDER

ROUNDS = 2
PROBES = 2  # scans that the slopes are measured on
_PHYSICAL = NAMES[:7]
# How far an estimator may err, one SD; and the step by which slopes are measured.
_TRUST = (0.25, 0.6, 0.6, 0.6, 0.4, 0.25, 0.4)
_STEPS = (0.1, 0.4, 0.4, 0.4, 0.15, 0.1, 0.2)
_TRUST_SHADING = 0.05
_LEAST_SD = 0.03  # of a feature: smaller differences interest nobody

_SHADING_TERMS = cosine_terms(3, SHADING_ORDER)
_KNOBS = np.array(
    [
        *range(len(_PHYSICAL)),
        *(
            len(_PHYSICAL) + cosine_terms(3, BIAS_ORDER).index(t)
            for t in _SHADING_TERMS
        ),
    ]
)
_LIMITS = np.array([*_TRUST, *[_TRUST_SHADING] * len(_SHADING_TERMS)])

Array = NDArray[np.float64]


def calibrate(
    specimens: Sequence[Specimen],
    wanted: Array,
    sites: tuple[Site, ...],
    target: str,
    *,
    seed: int = 0,
) -> Array:
    """Offset (K,) to the mean of ``target`` for scans like ``specimens``.

    A damped Gauss-Newton search of the mean features, in units of the spread within
    sites; each parameter is held back by the error that its estimator may have, so
    with few scans, or a difference that no degradation can make, it stays near 0.

    Args:
        specimens: Scans of A on the common grid.
        wanted: Features of real scans of B, (N, F).
        sites: The fitted sites, A and B among them.
        target: Label of B.
        seed: Of the draws, which stay the same in every round.

    Returns:
        The best offset found; zeros where none was better.
    """
    offset = np.zeros(len(NAMES))
    best, least = offset, np.inf
    slopes = None
    for turn in range(ROUNDS + 1):
        found = corrupted_features(specimens, sites, target, offset, seed=seed)
        whitening = _whitening(found, wanted)
        gap = whitening @ (wanted.mean(0) - found.mean(0))
        cost = _cost(gap, offset, len(found), len(wanted))
        if cost < least:
            best, least = offset.copy(), cost
        if turn == ROUNDS:
            break
        if slopes is None:
            probes = specimens[:PROBES]
            slopes = _slopes(probes, found[:PROBES], sites, target, seed)
        weight = 1 / (1 / len(found) + 1 / len(wanted))
        seen = whitening @ slopes
        lhs = weight * seen.T @ seen + np.diag(1 / _LIMITS**2)
        rhs = weight * seen.T @ gap - offset[_KNOBS] / _LIMITS**2
        offset = offset.copy()
        offset[_KNOBS] += np.linalg.solve(lhs, rhs)
    return best


def corrupted_features(
    specimens: Sequence[Specimen],
    sites: tuple[Site, ...],
    target: str,
    offset: Array,
    *,
    seed: int = 0,
) -> Array:
    """Features (N, F) of scans sent to ``target``, whose mean is moved by ``offset``.

    Scan ``i`` always draws with seed ``seed + i``.
    """
    moved = tuple(
        replace(site, mean=tuple((np.array(site.mean) + offset).tolist()))
        if site.label == target
        else site
        for site in sites
    )
    noise = ScannerNoise(moved, target=target)
    rows = []
    for i, one in enumerate(specimens):
        y = noise(
            torch.tensor(one.volume)[None, None],
            rng=torch.Generator().manual_seed(seed + i),
            spacing_mm=GRID_MM,
            source=[one.origin],
        )
        found = scan_features(y[0, 0].numpy(), GRID_MM)
        rows.append(found + np.array(one.shift) if one.shift else found)
    return np.stack(rows)


def _slopes(
    probes: Sequence[Specimen],
    start: Array,
    sites: tuple[Site, ...],
    target: str,
    seed: int,
) -> Array:
    """What each knob does to the mean features, (F, knobs).

    Physics by finite differences; a shading moves its own feature and no other.
    """
    columns = []
    for knob, step in enumerate(_STEPS):
        moved = np.zeros(len(NAMES))
        moved[knob] = step
        found = corrupted_features(probes, sites, target, moved, seed=seed)
        columns.append((found - start).mean(0) / step)
    shading = np.zeros((len(FEATURES), len(_SHADING_TERMS)))
    shading[-len(_SHADING_TERMS) :] = np.eye(len(_SHADING_TERMS))
    return np.column_stack([*columns, shading])


def _whitening(found: Array, wanted: Array) -> Array:
    """(F, F) that makes the spread within both groups a unit ball, half shrunk."""
    rest = np.concatenate([found - found.mean(0), wanted - wanted.mean(0)])
    scale = np.sqrt((rest**2).mean(0) + _LEAST_SD**2)
    z = rest / scale
    correlation = 0.5 * z.T @ z / len(z) + 0.5 * np.eye(len(scale))
    values, vectors = np.linalg.eigh(correlation)
    return np.asarray((vectors / np.sqrt(values)).T / scale)


def _cost(gap: Array, offset: Array, found: int, wanted: int) -> float:
    weight = 1 / (1 / found + 1 / wanted)
    return float(weight * gap @ gap + ((offset[_KNOBS] / _LIMITS) ** 2).sum())
