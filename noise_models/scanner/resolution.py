"""Sharpness of one scan: the signed variance of its PSF, per axis, in mm^2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noise_models.scanner.power_spectrum import HeadSpectrum

BAND_PER_MM = (0.05, 0.20)
ANATOMY_SPREAD = 0.25  # relative SD of power between heads, beyond counting statistics
# Beyond, the anatomical spectrum is trusted less and less: a sharp scan must not be
# read where a blurred one holds no signal, or anatomy does not cancel.
TRUSTED_PER_MM = 0.15
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
    spectrum: HeadSpectrum,
    sigma: float = float("nan"),
    extent: Sequence[float] = (1.0, 1.0, 1.0),
) -> Sharpness:
    """Fit ``log P(f) = log P_ref(f) + c - 4 pi^2 sum_a s_a^2 f_a^2`` over noise.

    A Gaussian PSF of SD ``s`` multiplies the power spectrum by
    ``exp(-4 pi^2 s^2 f^2)``. The noise floor is read in
    the corner where all frequencies are high. Bins weigh by how well their signal is
    known, so that bins under the noise count nothing.

    Args:
        spectrum: Of the head (`power_spectrum.head_spectrum`).
        sigma: Noise SD in native intensity, an upper limit of the floor.
        extent: Share of k-space that is filled, per axis: beyond there is nothing.

    Raises:
        ValueError: The voxels are so coarse that no frequency of use is there.

    Example:
        >>> from noise_models.scanner.power_spectrum import head_spectrum
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(64, 64, 64)).cumsum(0).cumsum(1).cumsum(2)
        >>> spectrum = head_spectrum(x, (1.0, 1.0, 1.0), (31.5, 31.5, 31.5))
        >>> len(sharpness(spectrum).variance_mm2)
        3
    """
    band = signal_band(spectrum, sigma, extent)
    x, y, z = (float(v) for v in _fit_band(spectrum, band)[1:4])
    return Sharpness((x, y, z), band.floor)


@dataclass(frozen=True)
class SignalBand:
    """The bins of a spectrum that tell about sharpness, M of them.

    Attributes:
        used: Which bins, (bx, by, bz).
        anatomy: Log power of a typical head there, (M,).
        design: Constant and what a PSF variance along each axis does, (M, 4).
        floor: Power of the noise.

    Example:
        >>> SignalBand.__name__
        'SignalBand'
    """

    used: NDArray[np.bool_]
    anatomy: NDArray[np.floating]
    design: NDArray[np.floating]
    floor: float


def signal_band(
    spectrum: HeadSpectrum,
    sigma: float = float("nan"),
    extent: Sequence[float] = (1.0, 1.0, 1.0),
) -> SignalBand:
    """Where anatomy shows, and the noise under it; arguments as for `sharpness`.

    Example:
        >>> from noise_models.scanner.power_spectrum import head_spectrum
        >>> x = np.random.default_rng(0).normal(size=(64, 64, 64))
        >>> band = signal_band(head_spectrum(x, (2.0, 2.0, 2.0), (32, 32, 32)))
        >>> bool(abs(band.floor - 1) < 0.1)
        True
    """
    power, counts = spectrum.power, spectrum.counts
    grid = np.meshgrid(*spectrum.axes, indexing="ij")
    radius = np.sqrt(sum(f**2 for f in grid))
    filled = zip(extent, spectrum.spacing_mm, strict=True)
    nyquist = np.array([0.5 * share / step for share, step in filled])
    floor = _floor(power, counts, grid, nyquist)
    if sigma > 0:  # the corner may hold signal, but never less than the noise
        floor = min(floor, sigma**2 / float(np.prod(extent)))
    used = (counts > 0) & (radius > BAND_PER_MM[0]) & (radius < BAND_PER_MM[1])
    for f, top in zip(grid, nyquist, strict=True):
        used &= f < NYQUIST_SHARE * top
    u = np.log(radius[used] / 0.1)
    cy, cz = (grid[a][used] ** 2 / radius[used] ** 2 for a in (1, 2))
    anatomy = np.stack([u, u**2, cy, cz, cy * u, cz * u], 1) @ np.array(REFERENCE)
    columns = [np.ones_like(u), *(-4 * np.pi**2 * f[used] ** 2 for f in grid)]
    return SignalBand(used, anatomy, np.stack(columns, 1), floor)


def smooth_signal(spectrum: HeadSpectrum, band: SignalBand) -> NDArray[np.floating]:
    """Smooth power of the head alone in the bins of use, (M,), as `sharpness` fits it.

    Example:
        >>> from noise_models.scanner.power_spectrum import head_spectrum
        >>> x = np.random.default_rng(0).normal(size=(64, 64, 64)).cumsum(0).cumsum(1)
        >>> seen = head_spectrum(x, (2.0, 2.0, 2.0), (32, 32, 32))
        >>> band = signal_band(seen)
        >>> smooth_signal(seen, band).shape == band.anatomy.shape
        True
    """
    exponent = band.anatomy + band.design @ _fit_band(spectrum, band)
    return np.asarray(np.exp(np.clip(exponent, -50, 50)))


def _fit_band(spectrum: HeadSpectrum, band: SignalBand) -> NDArray[np.floating]:
    if band.used.sum() < band.design.shape[1]:
        size = " x ".join(f"{step:.3g}" for step in spectrum.spacing_mm)
        low, high = BAND_PER_MM
        raise ValueError(
            f"voxels of {size} mm tell too little between {low} and {high} per mm to "
            "measure how sharp the scan is. Give the scan as acquired."
        )
    power, counts = spectrum.power[band.used], spectrum.counts[band.used]
    return _fit_spectrum(power, counts, band.anatomy, band.design, band.floor)


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
    radius2 = design[:, 1:].sum(1) / (-4 * np.pi**2)
    unlike = ANATOMY_SPREAD * (1 + (radius2 / TRUSTED_PER_MM**2) ** 2)
    strong = power > 5 * floor
    start = strong if strong.sum() > 20 else power >= np.median(power)
    excess = np.log(np.maximum(power - floor, 0.2 * power))[start] - anatomy[start]
    solution = np.linalg.lstsq(design[start], excess, rcond=None)[0]
    for _ in range(STEPS):
        signal = np.exp(np.clip(anatomy + design @ solution, -50, 50))
        expected = signal + floor
        spread = np.sqrt((unlike * signal) ** 2 + expected**2 / counts)
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


def _floor(
    power: NDArray[np.floating],
    counts: NDArray[np.floating],
    grid: Sequence[NDArray[np.floating]],
    nyquist: NDArray[np.floating],
) -> float:
    """Noise power: the lowest of the corners where two or three axes are high."""
    high = [(f > 0.75 * top) & (f < top) for f, top in zip(grid, nyquist, strict=True)]
    levels = []
    for corner in (high[0] & high[1] & high[2], high[0] & high[1], high[0] & high[2]):
        kept = corner & (counts > 0)
        if kept.any():
            levels.append(np.average(power[kept], weights=counts[kept]))
    return float(min(levels)) if levels else 0.0
