"""The colour of the noise: which frequencies the scanner filled, and interpolation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from noise_models.scanner.noise_level import AirTiles
from noise_models.scanner.power_spectrum import BIN_PER_MM, HeadSpectrum

CLIFF = 10.0  # fall of power beyond what the slope before it explains
LEAST_EXTENT, MOST_EXTENT = 0.4, 0.95  # of Nyquist: where an end is looked for
REACH = 3  # bins on either side of a cliff
FEWEST_TILES = 8

Array = NDArray[np.floating]


def kspace_extent(spectrum: HeadSpectrum) -> tuple[float, float, float]:
    """How far k-space is filled along each axis, as a share of Nyquist.

    A scan that was zero-filled has noise up to some frequency and next to none beyond:
    the power falls off a cliff, where a PSF makes a slope. The cliff is the step
    between the three bins before and after a frequency that exceeds the step before
    it by a factor of 10.

    Returns:
        Shares in (0.4, 1]; 1 where no cliff was seen.

    Example:
        >>> power = np.ones((25, 25, 25)); power[15:] = 1e-3
        >>> f = (np.arange(25) + .5) * BIN_PER_MM
        >>> counts = np.ones_like(power)
        >>> kspace_extent(HeadSpectrum(power, counts, (f, f, f), (1.0, 1.0, 1.0)))
        (0.6, 1.0, 1.0)
    """
    found = []
    seen = np.where(spectrum.counts > 0, spectrum.power, np.nan)
    for axis, step in enumerate(spectrum.spacing_mm):
        # The median over the other axes: their low frequencies hold anatomy.
        others = tuple({0, 1, 2} - {axis})
        profile = np.log(np.maximum(np.nanmedian(seen, axis=others), 1e-30))
        found.append(_cliff(profile, BIN_PER_MM * 2 * step))
    return found[0], found[1], found[2]


def haar_gain(extent: Sequence[float]) -> float:
    """SD of the HHH Haar detail of noise that fills k-space to ``extent``, over sigma.

    Along each axis the detail passes ``1 - cos(2 pi f)`` of the power, in the mean
    ``1 - sinc(e)`` of noise that ends at the share e of Nyquist.

    Example:
        >>> haar_gain((1, 1, 1)), round(haar_gain((0.5, 1, 1)), 3)
        (1.0, 0.603)
    """
    return float(np.sqrt(np.prod([1 - np.sinc(e) for e in extent])))


def _cliff(profile: Array, width: float) -> float:
    """Where a log-power profile ends, in bins of ``width`` shares of Nyquist."""
    best, place = np.log(CLIFF), 0
    # Never the last bin alone: interpolation, too, leaves that one low.
    for k in range(REACH, len(profile) - 1):
        if not LEAST_EXTENT < k * width < MOST_EXTENT:
            continue
        before = profile[k - REACH : k].mean()
        after = profile[k : k + REACH].mean()
        earlier = profile[max(k - 2 * REACH, 0) : k - REACH]
        slope = max(float(earlier.mean() - before), 0.0) if earlier.size else 0.0
        # What lies beyond must stay low: a notch is not an end.
        fall = float(min(before - after, before - profile[k + 1 :].max())) - slope
        if fall > best:
            best, place = fall, k
    if not place:
        return 1.0
    # The bin in which it ends is filled in part.
    first = max(place - 2, 1)
    full = profile[max(first - REACH, 0) : first].mean()
    filled = np.minimum(np.exp(profile[first : place + 2] - full), 1).sum()
    return round(float((first + filled) * width), 3)


def air_correlation(air: AirTiles) -> tuple[float, float, float]:
    """Correlation of the complex noise between neighbouring voxels, per axis.

    The power of a magnitude in air, ``M^2``, of neighbours correlates with the square
    of what the complex noise does (Goodman 1985, Statistical Optics, eq. 2.8-26),
    whatever the number of coils. White noise gives 0; zero filling to twice the matrix
    .64; interpolation of the magnitude, too, shows here.

    Returns:
        Values in [0, 1]; nan where there is no air that holds noise.

    Example:
        >>> n = np.random.default_rng(0).normal(size=(2, 50, 8, 8, 8))
        >>> max(air_correlation(AirTiles(np.hypot(*n), np.zeros((50, 3), int)))) < 0.2
        True
    """
    power = np.square(air.cubes, dtype=float)
    variance = power.var(axis=(1, 2, 3))
    middle = float(np.median(variance)) if variance.size else 0.0
    alive = (variance > 0.25 * middle) & (variance < 4 * middle)
    if alive.sum() < FEWEST_TILES:
        return float("nan"), float("nan"), float("nan")
    # Differences, so that a level that drifts over the tile does not count.
    shares = []
    for axis in (1, 2, 3):
        steps = np.diff(power[alive], axis=axis)
        share = 1 - (steps**2).mean() / (2 * variance[alive].mean())
        shares.append(float(np.sqrt(np.clip(share, 0, 1))))
    return shares[0], shares[1], shares[2]
