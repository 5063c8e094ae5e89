"""From a continuous object to voxels: what one axis of a scan does to a profile."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def axis_operator(
    source_mm: np.ndarray,
    target_mm: np.ndarray,
    *,
    voxel_mm: float,
    blur_fwhm_mm: float,
    kspace_filter: float,
) -> np.ndarray:
    """Matrix that turns object samples along one axis into voxel values.

    A Fourier-encoded axis keeps spatial frequencies up to ``1 / (2 voxel)``, tapered
    at the edge by the raw-data filter; T2* decay and motion add a Gaussian. So

        voxel(x) = integral of object(u) h(x - u) du,
        h(x) = 2 * integral from 0 to 1/(2 voxel) of taper(k) G(k) cos(2 pi k x) dk.

    Args:
        source_mm: ``(N,)`` equally spaced object positions.
        target_mm: ``(M,)`` voxel centres.
        voxel_mm: Nominal voxel size.
        blur_fwhm_mm: FWHM of the Gaussian; 0 is none.
        kspace_filter: Share of the frequencies, from the edge, under a raised cosine.

    Returns:
        ``(M, N)`` float32; rows that see only object have sum 1.

    Example:
        >>> u = np.arange(-50.0, 50.0)
        >>> a = axis_operator(u, np.array([0.0]), voxel_mm=2, blur_fwhm_mm=0,
        ...     kspace_filter=0.0)
        >>> bool(abs(a.sum() - 1) < 0.02)
        True
    """
    spacing = float(source_mm[1] - source_mm[0])
    kernel = point_spread(
        target_mm[:, None] - source_mm[None],
        voxel_mm=max(voxel_mm, spacing),
        blur_fwhm_mm=blur_fwhm_mm,
        kspace_filter=kspace_filter,
    )
    return (kernel * spacing).astype(np.float32)


def point_spread(
    offset_mm: np.ndarray,
    *,
    voxel_mm: float,
    blur_fwhm_mm: float,
    kspace_filter: float,
) -> np.ndarray:
    """The kernel ``h`` of ``axis_operator``, per mm, at any offsets.

    Example:
        >>> peak = point_spread(np.array(0.0), voxel_mm=2.0, blur_fwhm_mm=0.0,
        ...     kspace_filter=0.0)
        >>> round(float(peak), 3)                              # a pure sinc: 1 / voxel
        0.5
    """
    places, values = _tabulated(voxel_mm, blur_fwhm_mm, kspace_filter)
    return np.asarray(np.interp(np.abs(offset_mm), places, values, right=0.0))


@lru_cache(maxsize=64)
def _tabulated(
    voxel_mm: float, blur_fwhm_mm: float, kspace_filter: float
) -> tuple[np.ndarray, np.ndarray]:
    """The kernel on a fine line of offsets, wide enough for any head."""
    # Midpoint rule; its period is 1024 voxels, beyond every offset of a scan.
    edge, count = 0.5 / voxel_mm, 512
    k = (np.arange(count) + 0.5) * edge / count
    weight = np.exp(-((np.pi * k * blur_fwhm_mm) ** 2) / (4 * np.log(2)))
    if kspace_filter > 0:
        start = (1 - kspace_filter) * edge
        phase = np.clip((k - start) / (edge - start), 0, 1)
        weight *= 0.5 * (1 + np.cos(np.pi * phase))
    places = np.arange(0, 400.0, voxel_mm / 24)
    waves = np.cos(2 * np.pi * np.outer(places, k).astype(np.float32))
    values = 2 * edge / count * (waves @ weight)
    return places, values


def kernel_fwhm_mm(
    *, voxel_mm: float, blur_fwhm_mm: float, kspace_filter: float
) -> float:
    """Full width at half maximum of the whole kernel, truncation and blur together.

    Example:
        >>> round(kernel_fwhm_mm(voxel_mm=1, blur_fwhm_mm=0, kspace_filter=0), 2)
        1.21
    """
    x = np.linspace(0, 4 * voxel_mm + 2 * blur_fwhm_mm, 4001)
    h = point_spread(
        x, voxel_mm=voxel_mm, blur_fwhm_mm=blur_fwhm_mm, kspace_filter=kspace_filter
    )
    return float(2 * x[np.argmax(h < h[0] / 2)])
