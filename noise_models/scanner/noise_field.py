"""Where in the head the noise is stronger: a smooth field over sigma."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noise_models.cosine import cosine_terms
from noise_models.scanner.noise_level import (
    RAYLEIGH_RATIO,
    AirTiles,
    FlatTissue,
)
from noise_models.scanner.tissue import basis_rows, brain_mean_rows

FIELD_ORDER = 2
FIELD_TERMS = cosine_terms(3, FIELD_ORDER)
FIELD_PRIOR = 0.2  # SD of a first-order coefficient; falls as 1 / order
LOG_HALF_NORMAL = -0.6352  # E log|n|, n standard normal: -(log 2 + Euler) / 2
LOG_VARIANCE = np.pi**2 / 8  # of log|n|
AIR_VARIANCE = 0.15**2  # of a cube: cubes are few, near each other, and may be ghosted
FEWEST = 1000  # Haar details of tissue; of fewer no field is fitted
LEAST_RMS = 0.05  # of log sigma over the head; a field below counts as flat
CERTAIN = 27.9  # chi-squared of 9 terms at p = .001; a field below does, too

Array = NDArray[np.float64]


@dataclass(frozen=True)
class NoiseField:
    """Shape of sigma over the head: ``sigma(r) = sigma exp(basis(r) @ c)``.

    Attributes:
        coefficients: c, (9,), the terms of `FIELD_TERMS` on head-centred coordinates;
            the field has mean 0 over the white matter of a typical brain.
        chi2: Their distance from 0 in standard errors, squared: 9 where the noise is
            flat, within 4 of it or so.
        level: Sigma at the mean of the field, native intensity.

    Example:
        >>> NoiseField((0.0,) * 9, 8.1, 5.0).is_flat
        True
    """

    coefficients: tuple[float, ...]
    chi2: float
    level: float

    @property
    def is_flat(self) -> bool:
        """No field, or none that matters: an RMS below 0.05 or chance (p > .001)."""
        rms = float(np.linalg.norm(self.coefficients))
        return rms < LEAST_RMS or self.chi2 < CERTAIN


FLAT = NoiseField((0.0,) * len(FIELD_TERMS), 0.0, float("nan"))


def noise_field(
    flat: FlatTissue,
    air: AirTiles,
    spacing_mm: Sequence[float],
    centre_voxels: Sequence[float],
    shape: Sequence[int],
) -> NoiseField:
    """Regress the log of the noise, in tissue and in air, on low-order cosines.

    A Haar detail of white noise is normal with SD sigma(r), so ``log|d|`` is
    ``log sigma(r) - 0.635`` with variance pi^2 / 8. A cube of Rayleigh air gives
    ``log sqrt(E M^2 / 2)``. Tissue has a level of its own, since its texture counts as
    noise, but the same shape. A ridge holds what few voxels cannot tell at 0.
    Parallel imaging makes such fields (g-factor, Pruessmann et al. 1999,
    doi:10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S).

    Args:
        flat: Details of even tissue (`noise_level.flat_tissue`).
        air: Cubes of air; those that are not Rayleigh are left out.
        spacing_mm: Voxel size.
        centre_voxels: Centre of the head.
        shape: Size of the scan.

    Returns:
        The field, its level that of the tissue; `FLAT` with fewer than 1000 details.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> places = rng.integers(20, 80, (9000, 3))
        >>> slope = np.exp(-0.3 * np.sin(np.pi * (places[:, 0] - 50) * 2 / 240))
        >>> flat = FlatTissue(np.ones(9000), slope * rng.standard_normal(9000), places)
        >>> air = AirTiles(np.empty((0, 8, 8, 8)), np.empty((0, 3), int))
        >>> found = noise_field(flat, air, (2, 2, 2), (50, 50, 50), (100, 100, 100))
        >>> bool(abs(found.coefficients[2] - 0.3 / np.sqrt(2)) < 0.05)
        True
    """
    size = np.abs(flat.details)
    nonzero = size > 0
    if nonzero.sum() < FEWEST:
        return FLAT
    # The tail of the logarithm towards 0 tells nothing.
    inside = np.log(size[nonzero])
    inside = np.maximum(inside, np.median(inside) - 4.0) - LOG_HALF_NORMAL
    outside, places = _air_levels(air)
    rows = basis_rows(
        np.concatenate([flat.voxels[nonzero], places]), spacing_mm, centre_voxels, shape
    )[:, : len(FIELD_TERMS)]
    rows = rows - brain_mean_rows()[: len(FIELD_TERMS)]
    is_tissue = np.repeat([1.0, 0.0], [inside.size, outside.size])
    design = np.column_stack([is_tissue, 1 - is_tissue, rows])
    logs = np.r_[inside, outside]
    weight = np.where(is_tissue > 0, 1 / LOG_VARIANCE, 1 / AIR_VARIANCE)
    degree = np.array([0, 0, *(sum(term) for term in FIELD_TERMS)])
    precision = design.T @ (design * weight[:, None])
    precision += np.diag((degree / FIELD_PRIOR) ** 2)
    precision[1, 1] += 1e-9  # there may be no air
    solution = np.linalg.solve(precision, design.T @ (weight * logs))
    covariance = np.linalg.inv(precision)[2:, 2:]
    found = solution[2:]
    return NoiseField(
        tuple(float(v) for v in found),
        float(found @ np.linalg.solve(covariance, found)),
        float(np.exp(solution[0])),
    )


def _air_levels(air: AirTiles) -> tuple[Array, NDArray[np.integer]]:
    """Log of sigma in every cube that is Rayleigh, (T,), and where it is, (T, 3)."""
    cubes, within = air.cubes.astype(float), (1, 2, 3)
    spread = cubes.std(axis=within)
    ratio = cubes.mean(axis=within) / np.maximum(spread, 1e-30)
    clean = (np.abs(ratio - RAYLEIGH_RATIO) < 0.25) & (spread > 0)
    return np.log(np.square(cubes[clean]).mean(axis=within) / 2) / 2, air.voxels[clean]
