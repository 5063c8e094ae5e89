"""The power spectrum of a head, where sharpness and the colour of noise show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

WINDOW_SD_MM = 35.0  # a brain-sized Gaussian window: no neck, no edge of the view
BIN_PER_MM = 0.02

Array = NDArray[np.floating]


@dataclass(frozen=True)
class HeadSpectrum:
    """Mean power of a windowed head in bins of (|fx|, |fy|, |fz|).

    Attributes:
        power: Mean power, (bx, by, bz); white noise of SD s has power s^2.
        counts: Modes in every bin.
        axes: RMS frequency of the bins along each axis, cycles per mm.
        spacing_mm: Voxel size of the scan.

    Example:
        >>> found = head_spectrum(np.random.default_rng(0).random((32, 32, 32)),
        ...     (2, 2, 2), (15.5, 15.5, 15.5))
        >>> found.power.shape == found.counts.shape
        True
    """

    power: Array
    counts: Array
    axes: tuple[Array, Array, Array]
    spacing_mm: tuple[float, float, float]


def head_spectrum(
    data: Array,
    spacing_mm: Sequence[float],
    centre_voxels: Sequence[float],
    *,
    length_mm: float = 0.0,
) -> HeadSpectrum:
    """Spectrum under a Gaussian window around the head's centre.

    Args:
        data: Native-grid volume, ``(X, Y, Z)``; voxels may be anisotropic.
        spacing_mm: Voxel size per axis.
        centre_voxels: Centre of the window.
        length_mm: The window is padded with zeros to this length, so that scans of
            different voxel size have the same frequencies; 0 for no padding.
    """
    windowed = _windowed(data, spacing_mm, centre_voxels)
    if length_mm > 0:
        wanted = [round(length_mm / float(step)) for step in spacing_mm]
        more = [max(0, n - m) for n, m in zip(wanted, windowed.shape, strict=True)]
        windowed = np.pad(windowed, [(0, count) for count in more])
    power, counts, (fx, fy, fz) = _binned_power(windowed, spacing_mm)
    x, y, z = (float(s) for s in spacing_mm)
    return HeadSpectrum(power, counts, (fx, fy, fz), (x, y, z))


def _windowed(
    data: NDArray[np.floating],
    spacing_mm: Sequence[float],
    centre_voxels: Sequence[float],
) -> NDArray[np.float32]:
    """Cut around the centre, less the weighted mean, times a unit-power window."""
    cuts, weights = [], []
    for size, step, centre in zip(data.shape, spacing_mm, centre_voxels, strict=True):
        reach = 2.2 * WINDOW_SD_MM / step
        low, high = max(0, int(centre - reach)), min(size, int(centre + reach) + 2)
        length = fft.next_fast_len(high - low, real=True)
        high = min(size, low + length)
        offset = (np.arange(low, high) - centre) * step
        taper = np.exp(-0.5 * (offset / WINDOW_SD_MM) ** 2)
        # Fall to zero at the ends: a view that is cut there must not ring.
        edge = np.minimum(np.arange(offset.size), np.arange(offset.size)[::-1]) * step
        cuts.append(slice(low, high))
        weights.append(taper * np.sin(np.pi / 2 * np.clip(edge / 8.0, 0, 1)) ** 2)
    x, y, z = (w.astype(np.float32) for w in weights)
    window = x[:, None, None] * y[:, None] * z
    cut = np.asarray(data[tuple(cuts)], dtype=np.float32)
    cut = cut - np.float32(np.vdot(cut, window) / window.sum(dtype=float))
    return np.asarray(cut * window / np.sqrt(np.vdot(window, window)))


def _binned_power(
    windowed: NDArray[np.float32], spacing_mm: Sequence[float]
) -> tuple[NDArray[np.floating], NDArray[np.floating], list[NDArray[np.floating]]]:
    """Mean power in bins of |f| per axis; white noise of SD s has power s^2."""
    spectrum = fft.rfftn(windowed)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    lengths = windowed.shape
    frequencies = [
        np.abs(fft.fftfreq(lengths[0], spacing_mm[0])),
        np.abs(fft.fftfreq(lengths[1], spacing_mm[1])),
        fft.rfftfreq(lengths[2], spacing_mm[2]),
    ]
    middles, total = [], power
    numbers = []
    for axis, f in enumerate(frequencies):
        bins = np.floor(f / BIN_PER_MM + 1e-6).astype(int)
        gather = np.zeros((bins.max() + 1, f.size), np.float32)
        gather[bins, np.arange(f.size)] = 1
        total = np.moveaxis(np.tensordot(gather, total, (1, axis)), 0, axis)
        numbers.append(gather.sum(1))
        # Root mean square frequency of the bin: f^2 is what the fit uses.
        middles.append(np.sqrt(gather @ f**2 / np.maximum(gather.sum(1), 1)))
    counts = numbers[0][:, None, None] * numbers[1][:, None] * numbers[2]
    return total / np.maximum(counts, 1), counts, middles
