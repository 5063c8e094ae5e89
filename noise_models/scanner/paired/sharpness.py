"""Difference in sharpness of two scanners, from one head that both have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noise_models.scanner.power_spectrum import HeadSpectrum, head_spectrum
from noise_models.scanner.resolution import SignalBand, signal_band, smooth_signal

LENGTH_MM = 200.0  # windows are padded to this: the same frequencies for all voxels
UNLIKE = 0.1  # relative SD of power between two looks at one head, turned a little
STEPS = 30

Array = NDArray[np.float64]


def sharpness_difference(
    a: NDArray[np.floating],
    a_mm: Sequence[float],
    a_centre: Sequence[float],
    b: NDArray[np.floating],
    b_mm: Sequence[float],
    b_centre: Sequence[float],
    *,
    sigmas: tuple[float, float] = (float("nan"), float("nan")),
) -> Array:
    """``s_B^2 - s_A^2`` per axis, (3,), mm^2, from the ratio of two power spectra.

    Both spectra are taken on the scans' own grids, so that no interpolation counts as
    blur, under one Gaussian window at the same place of the head. What the anatomy is
    drops out of the ratio, ``P_B / P_A = c exp(-4 pi^2 sum_a (s_B^2 - s_A^2) f_a^2)``,
    and with it the largest error of `resolution.sharpness`. A head turned by some
    degrees turns its spectrum, which the window's symmetry forgives to second order.

    Args:
        a: Scan A, native grid, ``(X, Y, Z)``.
        a_mm: Its voxel size.
        a_centre: Centre of the window, voxels.
        b: Scan B.
        b_mm: Its voxel size.
        b_centre: The same place of the head in B.
        sigmas: Noise SD of A and of B in their own intensity, where known.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(64,) * 3).cumsum(0).cumsum(1)
        >>> x, one, middle = x.cumsum(2), (1.0, 1.0, 1.0), (31.5, 31.5, 31.5)
        >>> found = sharpness_difference(x, one, middle, x, one, middle)
        >>> bool(np.abs(found).max() < 1e-6)
        True
    """
    seen = [
        head_spectrum(scan, step, centre, length_mm=LENGTH_MM)
        for scan, step, centre in ((a, a_mm, a_centre), (b, b_mm, b_centre))
    ]
    bands = [signal_band(s, sigma) for s, sigma in zip(seen, sigmas, strict=True)]
    return _fit_ratio(*_shared((seen[0], seen[1]), (bands[0], bands[1])))


@dataclass(frozen=True)
class _Bins:
    """One scan in the bins that both can use: power and modes (M,), noise floor."""

    power: Array
    counts: Array
    floor: float


def _shared(
    seen: tuple[HeadSpectrum, HeadSpectrum], bands: tuple[SignalBand, SignalBand]
) -> tuple[_Bins, _Bins, Array, Array]:
    """Both scans, the smooth signal of A (M,), and the frequencies squared (M, 3)."""
    a, b = seen
    size = tuple(min(n, m) for n, m in zip(a.power.shape, b.power.shape, strict=True))
    cut = tuple(slice(0, n) for n in size)
    signal = np.zeros(a.power.shape)
    signal[bands[0].used] = smooth_signal(a, bands[0])
    both = bands[0].used[cut] & bands[1].used[cut]
    parts = [
        _Bins(
            np.asarray(s.power[cut][both], float),
            np.asarray(s.counts[cut][both], float),
            band.floor,
        )
        for s, band in zip(seen, bands, strict=True)
    ]
    grids = [np.meshgrid(*s.axes, indexing="ij") for s in seen]
    squares = [
        (f[cut][both] ** 2 + g[cut][both] ** 2) / 2 for f, g in zip(*grids, strict=True)
    ]
    smooth = np.asarray(signal[cut][both])
    return parts[0], parts[1], smooth, np.asarray(np.stack(squares, 1), float)


def _fit_ratio(a: _Bins, b: _Bins, smooth: Array, squares: Array) -> Array:
    """Root of ``sum w S r (P_B - N_B - r (P_A - N_A)) = 0``, r the ratio, S smooth.

    The weights know the smooth signal and not the measured one, so noise in A's
    spectrum does not pull the ratio down.
    """
    design = np.column_stack([np.ones(len(squares)), -4 * np.pi**2 * squares])
    excess_a, excess_b = (float((s.power - s.floor).sum()) for s in (a, b))
    solution = np.zeros(4)
    if excess_a > 0 and excess_b > 0:
        solution[0] = np.log(excess_b / excess_a)
    for _ in range(STEPS):
        ratio = np.exp(np.clip(design @ solution, -30, 30))
        want = ratio * smooth
        spread = np.sqrt(
            (want + b.floor) ** 2 / b.counts
            + (ratio * (smooth + a.floor)) ** 2 / a.counts
            + (UNLIKE * want) ** 2
        )
        z = ((b.power - b.floor) - ratio * (a.power - a.floor)) / spread
        root = np.sqrt(np.minimum(1.0, 2.0 / np.maximum(np.abs(z), 1e-12)))
        slope = (want / spread)[:, None] * design
        step = np.linalg.lstsq(slope * root[:, None], z * root, rcond=1e-8)[0]
        change = float(np.abs(design @ step).max())
        solution = solution + step * min(1.0, 1.0 / (change + 1e-12))
        if change < 1e-4:
            break
    return np.asarray(solution[1:])
