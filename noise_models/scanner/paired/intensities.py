"""Difference in shading and contrast, from one head that two scanners have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from noise_models.cosine import cosine_terms
from noise_models.scanner.blocks import block_factors, block_means, spread
from noise_models.scanner.estimate import BIAS_NAMES, NAMES, ScanEstimate, levels_of
from noise_models.scanner.head import Head
from noise_models.scanner.paired.registration import Rigid, pulled
from noise_models.scanner.tissue import (
    BIAS_ORDER,
    EMPTY,
    around_ventricles,
    basis_rows,
    brain_mean_rows,
    prior_precision,
)

GRID_MM = 2.0
SMOOTH_MM2 = 1.5**2  # added to both scans; noise and interpolation sink below it
FLAT_SHARE = 0.4  # of the voxels of a tissue: those in even surroundings
BRIGHTEST = 1.25  # of white matter: above are vessels and fat
FEWEST = 60  # voxels of a tissue
MOST = 12000  # voxels that take part
HUBER = 1.5
ROUNDS = 8

Array = NDArray[np.floating]
BIAS = slice(NAMES.index(BIAS_NAMES[0]), NAMES.index(BIAS_NAMES[-1]) + 1)


@dataclass(frozen=True)
class IntensityDifference:
    """What B makes of the same head, over A.

    Attributes:
        coefficients: Log-bias of B over A, (K,), on `BIAS_NAMES`.
        log_gm: Log of gm/wm in B over gm/wm in A.
        log_csf: The same of csf/wm; nan where too little fluid is seen.
        residual: Robust SD of what the two do not explain.

    Example:
        >>> IntensityDifference((0.0,) * 19, 0.13, float("nan"), 0.02).log_gm
        0.13
    """

    coefficients: tuple[float, ...]
    log_gm: float
    log_csf: float
    residual: float


@dataclass(frozen=True)
class MeasuredScan:
    """A scan and what was measured on it, as both enter the comparison.

    Attributes:
        volume: Native grid, ``(X, Y, Z)``, over its white matter; shading left in.
        estimate: What was found on it.

    Example:
        >>> MeasuredScan.__name__
        'MeasuredScan'
    """

    volume: NDArray[np.float32]
    estimate: ScanEstimate

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """Its own log-bias, (K,)."""
        return self.estimate.vector[BIAS]


def intensity_difference(
    a: MeasuredScan,
    b: MeasuredScan,
    head: Head,
    motion: Rigid,
    blur_mm2: Sequence[float],
) -> IntensityDifference:
    """Log-ratio of two registered scans: one smooth field, one step per tissue.

        log B(T x) - log A(x) = bias_B(T x) - bias_A(x) + step of the tissue at x

    Both scans are brought to one sharpness first, so that edges agree, and only the
    evenest voxels of each tissue count. Each shading lies in its own scanner's
    coordinates; with ``c`` the mean and ``d`` the difference of the coefficients,
    ``R_B c_B - R_A c_A = (R_A + R_B) d / 2 + (R_B - R_A) c``, where the last term is
    small (it is zero for a head that lies alike) and taken from the scans' own fits.

    Args:
        a: Scan A.
        b: Scan B.
        head: Masks of A.
        motion: From A to B.
        blur_mm2: ``s_B^2 - s_A^2`` per axis.

    Raises:
        ValueError: Too little grey or white matter in both.
    """
    first, second, places = _on_one_grid(a, b, motion, blur_mm2)
    tissue = _tissues(first, a, head, places)
    inside = second > 0
    even = _evenness(first) + _evenness(second)
    chosen = [_evenest(np.argwhere(part & inside), even) for part in tissue]
    few = [len(part) < FEWEST for part in chosen]
    if few[1] or few[2]:
        raise ValueError(
            f"{a.estimate.label} and {b.estimate.label}: both must show {FEWEST} even "
            f"voxels of grey and white matter, got {len(chosen[1])} and "
            f"{len(chosen[2])}."
        )
    which = [k for k in range(3) if not few[k]]
    voxels = np.concatenate([chosen[k] for k in which])
    step = np.repeat(which, [len(chosen[k]) for k in which])
    rows_a, rows_b = _both_rows(voxels, places, a, b, motion)
    index = tuple(voxels.T)
    ratio = np.log(_bare(second[index], b)) - np.log(_bare(first[index], a))
    mean = (a.coefficients + b.coefficients) / 2
    ratio = ratio - (rows_b - rows_a) @ mean
    steps = np.stack([step == k for k in which], 1).astype(float)
    design = np.column_stack([(rows_a + rows_b) / 2, steps])
    solution, left = _robust(design, ratio)
    field = design[:, : len(BIAS_NAMES)] @ solution[: len(BIAS_NAMES)]
    seen = _bare(first[index], a) / np.exp(_relative(rows_a, a))
    log_csf, log_gm = _curve(seen, seen * np.exp(ratio - field), a)
    return IntensityDifference(
        tuple(float(v) for v in solution[: len(BIAS_NAMES)]),
        log_gm,
        float("nan") if few[0] else log_csf,
        left,
    )


@dataclass(frozen=True)
class _Places:
    """The grid of blocks of A: shape, voxel size, and where its first voxel lies."""

    shape: tuple[int, ...]
    size: tuple[float, ...]
    first_mm: tuple[float, ...]


def _on_one_grid(
    a: MeasuredScan, b: MeasuredScan, motion: Rigid, blur_mm2: Sequence[float]
) -> tuple[Array, Array, _Places]:
    """Blocks of A, and B there, as sharp as each other."""
    blocks = []
    for scan, sign in ((a, 1.0), (b, -1.0)):
        spacing = scan.estimate.spacing_mm
        factors = block_factors(spacing, GRID_MM)
        size = tuple(f * s for f, s in zip(factors, spacing, strict=True))
        first = tuple((f - 1) / 2 * s for f, s in zip(factors, spacing, strict=True))
        width = [
            np.sqrt(SMOOTH_MM2 + max(0.0, sign * float(v))) / s
            for v, s in zip(blur_mm2, size, strict=True)
        ]
        means = ndimage.gaussian_filter(block_means(scan.volume, factors), width)
        blocks.append((means, size, first))
    (one, size, first), (other, other_size, other_first) = blocks
    there = pulled(
        other, other_size, motion, one.shape, size, first_mm=(first, other_first)
    )
    return one, there, _Places(one.shape, size, first)


def _bare(values: Array, scan: MeasuredScan) -> Array:
    """Signal under smoothed magnitudes: ``A^2 = E[M]^2 - sigma^2``."""
    sigma = scan.estimate.sigma
    power = np.maximum(values**2 - sigma**2, (0.2 * values) ** 2)
    return np.asarray(np.sqrt(power))


def _tissues(
    first: Array, a: MeasuredScan, head: Head, places: _Places
) -> list[NDArray[np.bool_]]:
    """Fluid, grey and white matter of A, by the level that is nearest."""
    ratio = (np.array(head.spacing_mm) / places.size).tolist()
    brain = spread(head.brain, first.shape, ratio)
    voxels = np.argwhere(brain & (first > EMPTY * a.estimate.sigma))
    centre = _centre(a, places)
    rows = basis_rows(voxels, places.size, centre.tolist(), places.shape)
    field = np.zeros(first.shape)
    index = tuple(voxels.T)
    field[index] = _bare(first[index], a) / np.exp(_relative(rows, a))
    csf, gm, _ = levels_of(a.estimate.vector)
    low, high = (csf + gm) / 2, (gm + 1) / 2
    fluid = np.zeros(first.shape, dtype=bool)
    middle = around_ventricles(voxels, places.size, centre)
    fluid[index] = middle & spread(head.deep, first.shape, ratio)[index]
    return [
        fluid & (field < low),
        (field >= low) & (field < high) & brain,
        (field >= high) & (field < BRIGHTEST),
    ]


def _relative(rows: Array, scan: MeasuredScan) -> Array:
    """Log-shading over its mean in a brain, to which the reference belongs."""
    return np.asarray((rows - brain_mean_rows()) @ scan.coefficients)


def _centre(scan: MeasuredScan, places: _Places) -> NDArray[np.float64]:
    """Centre of the head in voxels of the grid of blocks."""
    native = np.array(scan.estimate.centre_voxels) * scan.estimate.spacing_mm
    return np.asarray((native - places.first_mm) / places.size)


def _evenness(x: Array) -> Array:
    """Squared relative slope; small where the surroundings are even."""
    slopes = np.gradient(x)
    return np.asarray(
        sum(s**2 for s in slopes) / np.maximum(x, 1e-2 * float(x.max())) ** 2
    )


def _evenest(voxels: NDArray[np.intp], slope: Array) -> NDArray[np.intp]:
    if len(voxels) == 0:
        return voxels
    values = slope[tuple(voxels.T)]
    kept = voxels[values <= np.quantile(values, FLAT_SHARE)]
    return np.asarray(kept[:: max(1, len(kept) * 2 // MOST)])


def _both_rows(
    voxels: NDArray[np.intp],
    places: _Places,
    a: MeasuredScan,
    b: MeasuredScan,
    motion: Rigid,
) -> tuple[Array, Array]:
    """The basis at the same points of the head, in A's and in B's coordinates."""
    centre = _centre(a, places).tolist()
    rows_a = basis_rows(voxels, places.size, centre, places.shape)
    there = motion.points(voxels * np.array(places.size) + places.first_mm)
    b_centre = np.array(b.estimate.centre_voxels) * b.estimate.spacing_mm
    # A 1 mm lattice around B's centre: fine enough for cosines of 240 mm.
    lattice = np.rint(there - b_centre).astype(np.int64) + 150
    lattice = np.clip(lattice, 0, 300)
    rows_b = basis_rows(lattice, (1.0, 1.0, 1.0), (150.0,) * 3, (301, 301, 301))
    return rows_a, rows_b


def _curve(u: Array, v: Array, a: MeasuredScan) -> tuple[float, float]:
    """Log of v/u at the fluid and the grey level of A, over that at white matter.

    Intensities of voxels that two tissues share mix linearly in both scans, so the
    curve is a broken line through the levels; above white matter it keeps its slope.
    """
    csf, gm, _ = levels_of(a.estimate.vector)
    knots = np.array([csf, gm, 1.0])
    part = np.maximum(u, 1.0)
    design = np.stack([np.interp(u, knots, np.eye(3)[k]) * part for k in range(3)], 1)
    weight, level = np.ones(len(u)), knots
    for _ in range(ROUNDS):
        level = np.linalg.lstsq(
            design * np.sqrt(weight)[:, None], v * np.sqrt(weight), rcond=None
        )[0]
        left = np.abs(v - design @ level)
        scale = max(1.4826 * float(np.median(left)), 1e-4)
        weight = np.minimum(1.0, HUBER * scale / np.maximum(left, 1e-9))
    ratio = np.log(np.maximum(level, 1e-3) / knots)
    return float(ratio[0] - ratio[2]), float(ratio[1] - ratio[2])


def _robust(design: Array, ratio: Array) -> tuple[Array, float]:
    """Huber regression; the field is held by the same prior as in `tissue`."""
    size = len(cosine_terms(3, BIAS_ORDER))
    precision = np.zeros((design.shape[1],) * 2)
    precision[range(size), range(size)] = prior_precision()
    weight = np.ones(len(ratio))
    solution: Array = np.zeros(design.shape[1])
    scale = 1.0
    for _ in range(ROUNDS):
        # Voxels are correlated: they count a tenth.
        weighted = design * (0.1 * weight / scale**2)[:, None]
        solution = np.linalg.solve(weighted.T @ design + precision, weighted.T @ ratio)
        left = ratio - design @ solution
        scale = max(1.4826 * float(np.median(np.abs(left))), 1e-3)
        weight = np.minimum(1.0, HUBER * scale / np.maximum(np.abs(left), 1e-9))
    return solution, scale
