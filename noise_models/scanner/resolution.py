"""Sharpness of one scan: the signed variance of its PSF, per axis, in mm^2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

WINDOW_SD_MM = 35.0  # a brain-sized Gaussian window: no neck, no edge of the view
BIN_PER_MM = 0.02
BAND_PER_MM = (0.05, 0.32)
ANATOMY_SPREAD = 0.25  # relative SD of power between heads, beyond counting statistics
STEPS = 25
NYQUIST_SHARE = 0.6  # beyond lie raw-data filters and aliasing: no Gaussian there

# log power of a head against u = log(|f| / 0.1 per mm) and direction c = f_a^2/|f|^2:
# terms u, u^2, c_y, c_z, c_y u, c_z u. Any fixed smooth curve would do where all scans
# have one noise level, as only differences are used; this one, of the Colin 27 average,
# keeps the answer steady when noise shortens the band that can be used.
REFERENCE = (-3.70, -0.70, -0.78, 1.01, -0.91, -0.83)


@dataclass(frozen=True)
class Sharpness:
    """Apparent PSF variance of one scan.

    Only the DIFFERENCE between two scans has a meaning: each value is the blur
    relative to one fixed anatomical spectrum, so a sharp scan reads below zero.

    Attributes:
        variance_mm2: ``s^2`` along X, Y, Z; nan where the spectrum holds no signal.
        noise_power: Power of the noise floor per mode, native intensity squared.

    Example:
        >>> Sharpness((0.1, 0.1, 0.5), 2.0).variance_mm2[2]
        0.5
    """

    variance_mm2: tuple[float, float, float]
    noise_power: float


def sharpness(
    data: NDArray[np.floating],
    spacing_mm: Sequence[float],
    centre_voxels: Sequence[float],
    sigma: float = float("nan"),
) -> Sharpness:
    """Fit ``log P(f) = log P_ref(f) + c - 4 pi^2 sum_a s_a^2 f_a^2`` over noise.

    A Gaussian PSF of SD ``s`` multiplies the power spectrum by
    ``exp(-4 pi^2 s^2 f^2)``. The spectrum is that of a Gaussian window around the
    head's centre, averaged in bins of (|fx|, |fy|, |fz|). The noise floor is read in
    the corner where all frequencies are high. Bins weigh by how well their signal is
    known, so that bins under the noise count nothing.

    Args:
        data: Native-grid volume, ``(X, Y, Z)``; voxels may be anisotropic.
        spacing_mm: Voxel size per axis.
        centre_voxels: Centre of the window.
        sigma: Noise SD in native intensity, an upper limit of the floor.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(64, 64, 64)).cumsum(0).cumsum(1).cumsum(2)
        >>> len(sharpness(x, (1.0, 1.0, 1.0), (31.5, 31.5, 31.5)).variance_mm2)
        3
    """
    seen = head_spectrum(data, spacing_mm, centre_voxels, sigma)
    used, anatomy, design = seen.band()
    fitted = _fit_spectrum(
        seen.power[used], seen.counts[used], anatomy, design, seen.floor
    )
    return Sharpness((float(fitted[1]), float(fitted[2]), float(fitted[3])), seen.floor)


@dataclass(frozen=True)
class HeadSpectrum:
    """Mean power of a windowed head in bins of (|fx|, |fy|, |fz|).

    Attributes:
        power: ``(I, J, K)``; white noise of SD s has power ``s^2``.
        counts: Modes in each bin.
        frequencies: Of the bins, per mm, each ``(I, J, K)``.
        nyquist: Highest frequency of each axis.
        floor: Power of the noise.

    Example:
        >>> HeadSpectrum.__name__
        'HeadSpectrum'
    """

    power: NDArray[np.floating]
    counts: NDArray[np.floating]
    frequencies: tuple[NDArray[np.floating], ...]
    nyquist: NDArray[np.floating]
    floor: float

    def band(
        self,
    ) -> tuple[NDArray[np.bool_], NDArray[np.floating], NDArray[np.floating]]:
        """Bins of use ``(I, J, K)``, log anatomy there, and the design (M, 4)."""
        radius = np.sqrt(sum(f**2 for f in self.frequencies))
        used = (self.counts > 0) & (radius > BAND_PER_MM[0]) & (radius < BAND_PER_MM[1])
        for f, top in zip(self.frequencies, self.nyquist, strict=True):
            used &= f < NYQUIST_SHARE * top
        u = np.log(radius[used] / 0.1)
        cy, cz = (self.frequencies[a][used] ** 2 / radius[used] ** 2 for a in (1, 2))
        anatomy = np.stack([u, u**2, cy, cz, cy * u, cz * u], 1) @ np.array(REFERENCE)
        curves = (-4 * np.pi**2 * f[used] ** 2 for f in self.frequencies)
        return used, anatomy, np.stack([np.ones_like(u), *curves], 1)

    def signal(self) -> NDArray[np.floating]:
        """Smooth power of the head alone in the bins of use, as `sharpness` fits it."""
        used, anatomy, design = self.band()
        fitted = _fit_spectrum(
            self.power[used], self.counts[used], anatomy, design, self.floor
        )
        return np.asarray(np.exp(np.clip(anatomy + design @ fitted, -50, 50)))


def head_spectrum(
    data: NDArray[np.floating],
    spacing_mm: Sequence[float],
    centre_voxels: Sequence[float],
    sigma: float = float("nan"),
    *,
    length_mm: float = 0.0,
) -> HeadSpectrum:
    """Power spectrum of a Gaussian window around a place, and its noise floor.

    Args:
        data: Native-grid volume, ``(X, Y, Z)``.
        spacing_mm: Voxel size per axis.
        centre_voxels: Centre of the window.
        sigma: Noise SD in native intensity, an upper limit of the floor.
        length_mm: The window is padded with zeros to this length, so that scans of
            different voxel size have the same frequencies; 0 for no padding.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(64, 64, 64))
        >>> found = head_spectrum(x, (2.0, 2.0, 2.0), (32, 32, 32))
        >>> bool(abs(np.average(found.power, weights=found.counts) - 1) < 0.1)
        True
    """
    cut = _windowed(data, spacing_mm, centre_voxels)
    if length_mm > 0:
        wanted = [round(length_mm / float(step)) for step in spacing_mm]
        more = [max(0, n - m) for n, m in zip(wanted, cut.shape, strict=True)]
        cut = np.pad(cut, [(0, count) for count in more])
    power, counts, axes = _binned_power(cut, spacing_mm)
    grid = np.meshgrid(*axes, indexing="ij")
    nyquist = np.array([0.5 / s for s in spacing_mm])
    floor = _floor(power, counts, grid, nyquist)
    if sigma > 0:  # the corner may hold signal, but never less than the noise
        floor = min(floor, sigma**2)
    return HeadSpectrum(power, counts, tuple(grid), nyquist, floor)


def _fit_spectrum(
    power: NDArray[np.floating],
    counts: NDArray[np.floating],
    anatomy: NDArray[np.floating],
    design: NDArray[np.floating],
    floor: float,
) -> NDArray[np.floating]:
    """Quasi-likelihood fit of ``E power = exp(anatomy + design @ c) + floor``.

    Power and not its logarithm is fitted, and no bin is dropped for being weak:
    choosing the bins that stand out of the noise would choose the lucky ones.
    """
    strong = power > 5 * floor
    start = strong if strong.sum() > 20 else power >= np.median(power)
    excess = np.log(np.maximum(power - floor, 0.2 * power))[start] - anatomy[start]
    solution = np.linalg.lstsq(design[start], excess, rcond=None)[0]
    for _ in range(STEPS):
        signal = np.exp(np.clip(anatomy + design @ solution, -50, 50))
        expected = signal + floor
        spread = np.sqrt((ANATOMY_SPREAD * signal) ** 2 + expected**2 / counts)
        z = (power - expected) / spread
        huber = np.minimum(1.0, 2.0 / np.maximum(np.abs(z), 1e-12))
        slope = (signal / spread)[:, None] * design
        step = np.linalg.lstsq(
            slope * np.sqrt(huber)[:, None], z * np.sqrt(huber), rcond=1e-8
        )[0]
        change = design @ step
        solution = solution + step * min(1.0, 1.0 / (np.abs(change).max() + 1e-12))
        if np.abs(change).max() < 1e-3:
            break
    return np.asarray(solution)


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


def _floor(
    power: NDArray[np.floating],
    counts: NDArray[np.floating],
    grid: Sequence[NDArray[np.floating]],
    nyquist: NDArray[np.floating],
) -> float:
    """Noise power: the lowest of the corners where two or three axes are high."""
    high = [f > 0.75 * top for f, top in zip(grid, nyquist, strict=True)]
    levels = []
    for corner in (high[0] & high[1] & high[2], high[0] & high[1], high[0] & high[2]):
        kept = corner & (counts > 0)
        if kept.any():
            levels.append(np.average(power[kept], weights=counts[kept]))
    return float(min(levels)) if levels else 0.0
