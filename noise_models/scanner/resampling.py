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

FWHM2_PER_VARIANCE = 8 * math.log(2)
SAME_SPACING = 0.01


def resampling_variance_mm2(native_mm: float, grid_mm: float) -> float:
    """Variance of the anti-aliasing Gaussian along one axis, mm^2; 0 if not coarser.

    The cubic spline after it has no second moment.

    Example:
        >>> round(resampling_variance_mm2(1.0, 2.0), 3), resampling_variance_mm2(2.0, 1.0)
        (0.541, 0.0)
    """
    if _is_same(native_mm, grid_mm):
        return 0.0
    return max(0.0, grid_mm**2 - native_mm**2) / FWHM2_PER_VARIANCE


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
        0.22
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
    variance = resampling_variance_mm2(native_mm, grid_mm) + blur_mm2
    if same and blur_mm2 == 0:
        return 1.0
    # In units of the native voxel; a spline passes little beyond its first zero.
    count = 400
    f = (np.arange(count) + 0.5) / count * (0.5 if same else 1.5)
    spline = np.sinc(f) ** 4 / (2 / 3 + np.cos(2 * np.pi * f) / 3)
    passed = np.ones_like(f) if same else spline
    gaussian = np.exp(-2 * np.pi**2 * variance / native_mm**2 * f**2)
    return float(2 * np.mean((passed * gaussian) ** 2) * (0.5 if same else 1.5))


def _is_same(native_mm: float, grid_mm: float) -> bool:
    return abs(native_mm - grid_mm) <= SAME_SPACING * grid_mm
