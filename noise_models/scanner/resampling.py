"""What resampling to another voxel size does to noise and to sharpness.

The resampling meant here is the usual careful one: a Gaussian against aliasing along
the axes where the output is coarser, whose FWHM makes up the difference in voxel size
in quadrature (``fwhm^2 = grid^2 - native^2``), followed by a cubic spline.
Sample positions fall anywhere between voxels, so the gains are averages over them.
A grid with the scan's own spacing (within 1 %) is taken as the scan's own
grid: nothing was interpolated, and the gain is exactly 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from noise_models.blur import FWHM2_PER_VARIANCE

SAME_SPACING = 0.01


def resampling_variance_mm2(native_mm: float, grid_mm: float) -> float:
    """Variance of the anti-aliasing kernel along one axis, mm^2; 0 if not coarser.

    The cubic spline after it has no second moment.

    Example:
        >>> round(resampling_variance_mm2(1.0, 2.0), 3)
        0.541
    """
    if _is_same(native_mm, grid_mm):
        return 0.0
    return max(0.0, grid_mm**2 - native_mm**2) / FWHM2_PER_VARIANCE


@lru_cache(maxsize=4096)
def _antialias(native_mm: float, grid_mm: float) -> NDArray[np.float64]:
    """The discrete Gaussian ``exp(-t) I_n(t)``, in voxels of the scan.

    Its variance is exactly ``t``, also below half a voxel, where a sampled Gaussian
    is too narrow (Lindeberg 1990, doi:10.1109/34.49051).
    """
    variance = resampling_variance_mm2(native_mm, grid_mm) / native_mm**2
    reach = math.ceil(5 * math.sqrt(variance)) + 2 if variance > 0 else 0
    weights = special.ive(np.abs(np.arange(-reach, reach + 1)), variance)
    return np.asarray(weights / weights.sum())


def noise_gain(
    native_spacing_mm: Sequence[float],
    grid_spacing_mm: Sequence[float],
    blur_variance_mm2: Sequence[float] | None = None,
) -> float:
    """SD of white noise after resampling, and then blurring, over its SD before.

    ``sqrt(sum w^2)`` of the whole separable kernel, averaged over sample
    positions: along each axis ``native * integral |G(f) C(f) H(f)|^2 df`` with the
    anti-aliasing Gaussian G, the cubic spline C and the added blur H.

    Args:
        native_spacing_mm: Voxel size of the scan.
        grid_spacing_mm: Voxel size it is brought to.
        blur_variance_mm2: Variance of a Gaussian applied afterwards, per axis.

    Example:
        >>> noise_gain((1, 1, 1), (1, 1, 1))
        1.0
        >>> round(noise_gain((1, 1, 1), (2, 2, 2)), 2)
        0.28
    """
    blur = blur_variance_mm2 or (0.0,) * len(grid_spacing_mm)
    power = 1.0
    for native, grid, added in zip(
        native_spacing_mm, grid_spacing_mm, blur, strict=True
    ):
        power *= _axis_power(float(native), float(grid), round(float(added), 6))
    return math.sqrt(power)


@lru_cache(maxsize=65536)
def _axis_power(native_mm: float, grid_mm: float, blur_mm2: float) -> float:
    same = _is_same(native_mm, grid_mm)
    if same and blur_mm2 == 0:
        return 1.0
    # In units of the native voxel; a spline passes little beyond its first zero.
    count = 400
    f = (np.arange(count) + 0.5) / count * (0.5 if same else 1.5)
    passed = np.ones_like(f) if same else _kernel_response(native_mm, grid_mm, f)
    blur = np.exp(-2 * np.pi**2 * blur_mm2 / native_mm**2 * f**2)
    return float(2 * np.mean((passed * blur) ** 2) * (0.5 if same else 1.5))


def skew_gain(
    native_spacing_mm: Sequence[float], grid_spacing_mm: Sequence[float]
) -> float:
    """Third moment of independent noise after resampling, over that before.

    ``sum w^3`` of the separable kernel, averaged over sample positions: a sum of many
    Rayleigh magnitudes is less skewed than one.

    Example:
        >>> skew_gain((1, 1, 1), (1, 1, 1)), skew_gain((1, 1, 1), (2, 2, 2)) < 0.02
        (1.0, True)
    """
    product = 1.0
    for native, grid in zip(native_spacing_mm, grid_spacing_mm, strict=True):
        product *= _axis_skew(round(float(native), 4), round(float(grid), 4))
    return product


@lru_cache(maxsize=4096)
def _axis_skew(native_mm: float, grid_mm: float) -> float:
    if _is_same(native_mm, grid_mm):
        return 1.0
    size = math.ceil(120 * max(1.0, grid_mm / native_mm))
    rows = _axis_matrix(size, native_mm, grid_mm).astype(float)
    inner = rows[len(rows) // 4 : -len(rows) // 4]
    return float((inner**3).sum(1).mean())


def signal_response(
    native_mm: float, grid_mm: float, cycles_per_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What resampling leaves of a signal at each frequency of one axis.

    The anti-aliasing Gaussian times the spline, and nothing beyond the frequencies
    that the scan holds, ``0.5 / native``. Ones on the scan's own grid.

    Example:
        >>> signal_response(3.0, 2.0, np.array([0.0, 0.2])).round(2).tolist()
        [1.0, 0.0]
    """
    if _is_same(native_mm, grid_mm):
        return np.ones_like(cycles_per_mm)
    f = np.abs(cycles_per_mm) * native_mm
    return np.where(f <= 0.5, _kernel_response(native_mm, grid_mm, f), 0.0)


def noise_response(
    native_mm: float, grid_mm: float, cycles_per_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Power spectrum of unit white noise after resampling, along one axis of the grid.

    ``(native / grid) * sum_k |K(f + k / grid)|^2``: what lies beyond the grid's reach
    is folded back. Its mean over all frequencies is the square of `noise_gain`.

    Example:
        >>> f = (np.arange(200) + 0.5) / 400 / 2.0        # up to 0.25 per mm
        >>> round(float(noise_response(1.0, 2.0, f).mean()), 3)
        0.427
        >>> round(noise_gain((1.0,), (2.0,)) ** 2, 3)
        0.427
    """
    if _is_same(native_mm, grid_mm):
        return np.ones_like(cycles_per_mm)
    total = np.zeros_like(cycles_per_mm)
    for k in range(-3, 4):
        f = np.abs(cycles_per_mm + k / grid_mm) * native_mm
        total += _kernel_response(native_mm, grid_mm, f) ** 2
    return total * native_mm / grid_mm


def _kernel_response(
    native_mm: float, grid_mm: float, f: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Response of anti-aliasing and spline at ``f`` cycles per native voxel."""
    spline = np.sinc(f) ** 4 / (2 / 3 + np.cos(2 * np.pi * f) / 3)
    weights = _antialias(native_mm, grid_mm)
    offsets = np.arange(len(weights)) - len(weights) // 2
    smoothed = np.cos(2 * np.pi * f[:, None] * offsets) @ weights
    return np.asarray(spline * smoothed)


def _is_same(native_mm: float, grid_mm: float) -> bool:
    return abs(native_mm - grid_mm) <= SAME_SPACING * grid_mm


def to_spacing(
    x: NDArray[np.float32], spacing_mm: Sequence[float], grid_mm: Sequence[float]
) -> NDArray[np.float32]:
    """Resample with the kernel this module describes, about the same centre.

    Example:
        >>> to_spacing(np.ones((8, 8, 8), np.float32), (1, 1, 1), (2, 2, 2)).shape
        (4, 4, 4)
    """
    y = np.asarray(x, dtype=np.float32)
    for axis, (native, grid) in enumerate(zip(spacing_mm, grid_mm, strict=True)):
        if not _is_same(native, grid):
            matrix = _axis_matrix(y.shape[axis], float(native), float(grid))
            y = np.moveaxis(np.tensordot(matrix, y, (1, axis)), 0, axis)
    return np.ascontiguousarray(np.maximum(y, 0), dtype=np.float32)


def is_same_spacing(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two voxel sizes agree within 1 % on every axis.

    Example:
        >>> is_same_spacing((1, 1, 1), (1, 1, 1.3))
        False
    """
    return all(_is_same(a, b) for a, b in zip(one, other, strict=True))


@lru_cache(maxsize=256)
def _axis_matrix(size: int, native_mm: float, grid_mm: float) -> NDArray[np.float32]:
    """Weights (output, input) along one axis: what becomes of every impulse."""
    count = max(1, int(size * native_mm / grid_mm))
    weights = np.eye(size)
    kernel = _antialias(native_mm, grid_mm)
    weights = ndimage.correlate1d(weights, kernel, axis=0, mode="nearest")
    scale = grid_mm / native_mm
    start = (size - 1 - (count - 1) * scale) / 2
    rows = ndimage.affine_transform(
        weights,
        np.array([scale, 1.0]),
        np.array([start, 0.0]),
        output_shape=(count, size),
        order=3,
        mode="nearest",
    )
    return np.asarray(rows, dtype=np.float32)
