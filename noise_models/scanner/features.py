"""What a scan looks like, in numbers that no part of the fit has made.

A fit that is judged by its own parameters cannot be caught where its model is wrong.
These features are plain: moments of the air, details of the finest scale, the radial
spectrum, quantiles and the coarse shading, all on one common grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from noise_models.cosine import cosine_terms
from noise_models.scanner.blocks import block_means, spread
from noise_models.scanner.head import Head, find_head
from noise_models.scanner.tissue import basis_rows

BANDS_PER_MM = (0.03, 0.06, 0.10, 0.14, 0.18, 0.22)
BRAIN_QUANTILES = (10, 25, 50, 75, 90)
SHADING_ORDER = 2
WINDOW_SD_MM = 35.0
FAINTEST = 1e-4  # of the reference: a zeroed background has a logarithm, too
SPECTRUM_PER_MM = tuple(round(0.0125 * k, 4) for k in range(1, 21))
"""Edges of the shells of `radial_spectrum`: 19 of them, to the end of a 2 mm grid."""

_DETAILS = ("hhh", "hll", "lhl", "llh")
FEATURES = (
    "air level",
    "air mean/SD",
    *(f"detail {name}" for name in _DETAILS),
    *(f"power {low:.2f}-{high:.2f}/mm" for low, high in pairwise(BANDS_PER_MM)),
    *(f"brain q{q}" for q in BRAIN_QUANTILES),
    "head q95",
    *(
        "shading " + "".join(str(k) for k in term)
        for term in cosine_terms(3, SHADING_ORDER)
    ),
)
"""Names of `scan_features`, in order."""

Array = NDArray[np.floating]


def scan_features(volume: Array, spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Low-level features of one scan, (K,), named by `FEATURES`.

    Levels, details and powers are logarithms, so that gains and ratios are shifts.

    Args:
        volume: ``(X, Y, Z)``, RAS order, reference units, on the grid that all scans
            to be compared share.
        spacing_mm: Voxel size of that grid.

    Raises:
        ValueError: No head in it.

    Example:
        >>> x = np.zeros((48, 56, 48), np.float32); x[8:40, 8:48, 8:40] = 1
        >>> x += 0.01 * np.random.default_rng(0).random(x.shape, np.float32)
        >>> scan_features(x, (4.0, 4.0, 4.0)).shape == (len(FEATURES),)
        True
    """
    head = find_head(volume, spacing_mm)
    region = head.brain if head.brain.any() else head.mask
    brain = spread(region, volume.shape, head.factors)
    inside = volume[brain]
    quantiles = np.percentile(inside, BRAIN_QUANTILES)
    top = np.percentile(volume[spread(head.mask, volume.shape, head.factors)], 95)
    return np.concatenate(
        [
            _air(volume, head),
            _details(volume, region, head),
            _band_power(volume, spacing_mm, head.centre_voxels, BANDS_PER_MM),
            _log(quantiles),
            _log(np.array([top])),
            _shading(volume, head, region),
        ]
    )


def _log(values: Array) -> NDArray[np.float64]:
    return np.asarray(np.log(np.maximum(np.asarray(values, dtype=float), FAINTEST)))


def _air(volume: Array, head: Head) -> NDArray[np.float64]:
    """Level of the air, and its mean over its SD, where no tissue is near."""
    grown = ndimage.binary_dilation(head.mask, iterations=3)
    air = volume[~spread(grown, volume.shape, head.factors)]
    if air.size < 100:
        return _log(np.array([0.0, 1.0]))
    quiet = air[air <= np.percentile(air, 90)]  # ghosts and stray signal stay out
    deviation = max(float(quiet.std()), FAINTEST)
    level = max(float(quiet.mean()), FAINTEST)
    return _log(np.array([level, min(level / deviation, 30.0)]))


def _details(
    volume: Array, region: NDArray[np.bool_], head: Head
) -> NDArray[np.float64]:
    """Log of the MAD of finest Haar details inside the brain: all axes, and each."""
    cut = volume[tuple(slice(0, n // 2 * 2) for n in volume.shape)]
    halved = tuple(n // 2 for n in cut.shape)
    inside = spread(region, halved, [f / 2 for f in head.factors])
    found = []
    for name in _DETAILS:
        detail = cut
        for axis, kind in enumerate(name):
            first, second = (
                detail[(slice(None),) * axis + (slice(start, None, 2),)]
                for start in (0, 1)
            )
            detail = (first - second if kind == "h" else first + second) / np.sqrt(2)
        found.append(float(np.median(np.abs(detail[inside]))))
    return _log(np.array(found))


def radial_spectrum(
    volume: Array, spacing_mm: Sequence[float], centre_voxels: Sequence[float]
) -> NDArray[np.float64]:
    """Log power per mode in the shells between `SPECTRUM_PER_MM`, (19,).

    A Gaussian window as large as a brain lies on the head's centre, so that the skull
    and the cut of the neck have little say.

    Args:
        volume: ``(X, Y, Z)``, reference units.
        spacing_mm: Voxel size.
        centre_voxels: Centre of the head.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(64, 64, 64)).astype(np.float32)
        >>> found = radial_spectrum(x, (2.0, 2.0, 2.0), (31.5, 31.5, 31.5))
        >>> bool(np.abs(found[4:]).max() < 0.1)  # white noise of SD 1: log 1
        True
    """
    return _band_power(volume, spacing_mm, centre_voxels, SPECTRUM_PER_MM)


def _band_power(
    volume: Array,
    spacing_mm: Sequence[float],
    centre_voxels: Sequence[float],
    edges_per_mm: tuple[float, ...],
) -> NDArray[np.float64]:
    """Log power per mode in radial bands, under a window as large as a brain."""
    weights = [
        np.exp(-0.5 * ((np.arange(n) - c) * step / WINDOW_SD_MM) ** 2)
        for n, c, step in zip(volume.shape, centre_voxels, spacing_mm, strict=True)
    ]
    window = weights[0][:, None, None] * weights[1][:, None] * weights[2]
    window = window.astype(np.float32)
    middle = float(np.vdot(volume, window) / window.sum())
    spectrum = fft.rfftn((volume - middle) * window)
    power = spectrum.real**2 + spectrum.imag**2
    band = _bands(volume.shape, tuple(float(s) for s in spacing_mm), edges_per_mm)
    count = len(edges_per_mm)
    sums = np.bincount(band, weights=power.ravel(), minlength=count + 1)[1:count]
    modes = np.bincount(band, minlength=count + 1)[1:count]
    scale = float(np.vdot(window, window))
    return np.asarray(np.log(np.maximum(sums / np.maximum(modes, 1) / scale, 1e-12)))


@lru_cache(maxsize=8)
def _bands(
    shape: tuple[int, ...],
    spacing_mm: tuple[float, ...],
    edges_per_mm: tuple[float, ...],
) -> NDArray[np.intp]:
    """Number of the radial band of every mode, 0 below the first, flattened."""
    last = len(shape) - 1
    axes = [
        fft.rfftfreq(n, step) if a == last else fft.fftfreq(n, step)
        for a, (n, step) in enumerate(zip(shape, spacing_mm, strict=True))
    ]
    squares = axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2
    return np.asarray(np.digitize(np.sqrt(squares).ravel(), edges_per_mm))


def _shading(
    volume: Array, head: Head, region: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Smooth trend of the log-intensity of the brain's brighter half."""
    coarse = block_means(volume, head.factors)
    places = np.argwhere(region)
    values = coarse[tuple(places.T)]
    bright = values > 0.6 * np.percentile(values, 80)
    centre = [
        (c + 0.5) / f - 0.5
        for c, f in zip(head.centre_voxels, head.factors, strict=True)
    ]
    rows = basis_rows(places[bright], head.spacing_mm, centre, coarse.shape)
    terms = cosine_terms(3, SHADING_ORDER)
    known = cosine_terms(3, 3)
    rows = rows[:, [known.index(term) for term in terms]]
    design = np.column_stack([np.ones(len(rows)), rows])
    precision = 0.05 * len(rows) * np.eye(design.shape[1])
    precision[0, 0] = 0
    logs = np.log(np.maximum(values[bright], FAINTEST))
    solution = np.linalg.solve(design.T @ design + precision, design.T @ logs)
    return np.asarray(solution[1:])
