"""Noise standard deviation of one scan, from its air and from its tissue."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ive

from noise_models.scanner.blocks import block_sums, spread
from noise_models.scanner.head import Head

RAYLEIGH_RATIO = 1.913  # mean / SD of a magnitude that holds only noise
TILE_VOXELS = 8  # tiles of at least 8^3 voxels: their mean/SD is known to 3 %
AIR_MARGIN_MM = 10.0
LOCAL = 15  # blocks of 2 voxels: few enough to follow a field, enough to know sigma
FLATTEST = 0.2  # share of the bright blocks; the others hold more texture


@dataclass(frozen=True)
class AirNoise:
    """What the background says about the noise.

    Attributes:
        sigma: Noise SD per channel, native intensity; nan when nothing usable.
        coils: Effective number of coils, ``E[M^2]^2 / Var(M^2)``; nan likewise.
        ratio: Median mean/SD of the tiles that are not empty.
        zero_share: Share of background voxels that are exactly zero.
        is_rayleigh: The background passed the gate mean/SD = 1.913.

    Example:
        >>> AirNoise(0.02, 1.0, 1.91, 0.0, True).is_rayleigh
        True
    """

    sigma: float
    coils: float
    ratio: float
    zero_share: float
    is_rayleigh: bool


NO_AIR = AirNoise(
    sigma=float("nan"),
    coils=float("nan"),
    ratio=float("nan"),
    zero_share=1.0,
    is_rayleigh=False,
)


@dataclass(frozen=True)
class AirTiles:
    """Cubes of air from around the head, of 8 voxels a side or a little more.

    Attributes:
        cubes: Magnitudes, (T, x, y, z), native intensity.
        voxels: Centres of the cubes, (T, 3), voxel indices.
        lowest: The lowest intensity of the whole scan.

    Example:
        >>> len(AirTiles(np.zeros((9, 8, 8, 8)), np.zeros((9, 3), int)).some(3).cubes)
        3
    """

    cubes: NDArray[np.floating]
    voxels: NDArray[np.integer]
    lowest: float = 0.0

    def some(self, most: int) -> AirTiles:
        """At most ``most`` of the cubes, evenly picked."""
        step = max(1, -(-len(self.cubes) // most))
        return AirTiles(self.cubes[::step], self.voxels[::step], self.lowest)


def air_tiles(data: NDArray[np.floating], head: Head) -> AirTiles:
    """Every cube that holds nothing but air; none where there is no air.

    Example:
        >>> from noise_models.scanner.head import find_head
        >>> x = np.zeros((64, 64, 64)); x[16:48, 16:48, 16:48] = 1
        >>> air_tiles(x, find_head(x, (4.0, 4.0, 4.0))).cubes.shape[1:]
        (8, 8, 8)
    """
    grouping = tuple(-(-TILE_VOXELS // f) for f in head.factors)
    margin = max(1, round(AIR_MARGIN_MM / min(head.spacing_mm)))
    near = ndimage.binary_dilation(head.mask, iterations=margin)
    is_air = block_sums(~near, grouping) == np.prod(grouping)
    size = np.multiply(grouping, head.factors)
    whole = data[
        tuple(slice(0, n * t) for n, t in zip(is_air.shape, size, strict=True))
    ]
    split = whole.reshape(
        [k for pair in zip(is_air.shape, size, strict=True) for k in pair]
    )
    cubes = split.transpose(0, 2, 4, 1, 3, 5)[is_air]
    return AirTiles(cubes, np.argwhere(is_air) * size + size // 2, float(data.min()))


def air_noise(air: AirTiles, step: float = 0.0) -> AirNoise:
    """Noise from the air around the head, tile by tile.

    In air the magnitude of one effective coil is Rayleigh: mean/SD = 1.913 and
    ``E[M^2] = 2 sigma^2`` (Gudbjartsson & Patz 1995, doi:10.1002/mrm.1910340618).
    Tiles that are zeroed, ghosted or interpolated miss that ratio and drop out.
    When all tiles agree on another ratio, the noise is taken as that of L coils,
    ``E[M^2] = 2 L sigma^2`` (doi:10.1016/j.mri.2014.12.009), and not as Rayleigh.

    Args:
        air: Tiles (`air_tiles`).
        step: Quantisation step of the stored intensities; its variance
            ``step^2 / 12`` is taken off.

    Example:
        >>> n = .05 * np.random.default_rng(0).normal(size=(2, 60, 8, 8, 8))
        >>> air = AirTiles(np.hypot(*n), np.zeros((60, 3), int))
        >>> round(air_noise(air).sigma, 3)
        0.05
    """
    if not len(air.cubes):
        return NO_AIR
    magnitude = air.cubes.reshape(len(air.cubes), -1).astype(np.float32)
    power = magnitude * magnitude
    mean, second = (v.mean(axis=1, dtype=float) for v in (magnitude, power))
    fourth = np.einsum("ij,ij->i", power, power, dtype=float) / power.shape[1]
    zeros = (magnitude <= air.lowest).mean(axis=1)
    return _from_tiles(mean, second, fourth, zeros, step)


def _from_tiles(
    mean: NDArray[np.floating],
    second: NDArray[np.floating],
    fourth: NDArray[np.floating],
    zeros: NDArray[np.floating],
    step: float,
) -> AirNoise:
    """Judge the tiles by their moments, then read the noise off those that pass."""
    variance = second - mean**2 - step**2 / 12
    # Rounding sends the weakest Rayleigh values to zero: a tenth is still noise.
    alive = (zeros < 0.35) & (variance > 0)
    share = float(zeros.mean())
    if alive.sum() < max(8, 0.02 * alive.size):
        return replace(NO_AIR, zero_share=share)
    ratio = mean[alive] / np.sqrt(variance[alive])
    clean = np.abs(ratio - RAYLEIGH_RATIO) < 0.25
    second, fourth = second[alive], fourth[alive]
    middle = float(np.median(ratio))
    if clean.sum() >= max(8, 0.15 * clean.size):
        sigma = float(np.sqrt((np.median(second[clean]) - step**2 / 12) / 2))
        return AirNoise(
            sigma=sigma, coils=1.0, ratio=middle, zero_share=share, is_rayleigh=True
        )
    coils = second**2 / np.maximum(fourth - second**2, 1e-30)
    low, typical, high = np.percentile(coils, (25, 50, 75))
    if typical < 1.3 or high - low > 0.4 * typical:  # ghosts, not noise
        return replace(NO_AIR, ratio=middle, zero_share=share)
    sigma = float(np.sqrt(np.median(second) / (2 * typical)))
    return AirNoise(
        sigma=sigma,
        coils=float(typical),
        ratio=middle,
        zero_share=share,
        is_rayleigh=False,
    )


def koay_xi(snr: float | NDArray[np.floating]) -> NDArray[np.floating]:
    """Variance of a Rician magnitude over sigma^2, at true SNR ``snr``.

    Koay & Basser 2006, doi:10.1016/j.jmr.2006.01.016, written with scaled Bessel
    functions so that large SNR does not overflow.

    Example:
        >>> round(float(koay_xi(0.0)), 4), round(float(koay_xi(50.0)), 3)
        (0.4292, 1.0)
    """
    t2 = np.asarray(snr, dtype=float) ** 2
    bessel = (2 + t2) * ive(0, t2 / 4) + t2 * ive(1, t2 / 4)
    return np.asarray(2 + t2 - np.pi / 8 * bessel**2)


def koay_sigma(mean: float, deviation: float) -> float:
    """Gaussian sigma behind a Rician region of given mean and SD.

    Iterates ``t = sqrt(xi(t) (1 + (mean / deviation)^2) - 2)``; below a mean/SD of
    1.913 the magnitude is all noise and ``t = 0``.

    Example:
        >>> round(koay_sigma(1.2, 0.6551), 3)      # all noise, sigma 1
        1.0
    """
    ratio = mean / deviation
    snr = max(ratio, 0.0)
    for _ in range(30):
        snr = float(np.sqrt(max(float(koay_xi(snr)) * (1 + ratio**2) - 2, 0.0)))
    return float(deviation / np.sqrt(koay_xi(snr)))


@dataclass(frozen=True)
class FlatTissue:
    """The finest diagonal Haar details (HHH) of even tissue inside the brain.

    Attributes:
        levels: Mean of the 2 x 2 x 2 voxels, (M,), native intensity.
        details: Their HHH detail, (M,); white noise keeps its SD.
        voxels: Where they are, (M, 3), voxel indices of the scan.

    Example:
        >>> FlatTissue(np.ones(3), np.zeros(3), np.zeros((3, 3), int)).levels.size
        3
    """

    levels: NDArray[np.floating]
    details: NDArray[np.floating]
    voxels: NDArray[np.integer]


def flat_tissue(data: NDArray[np.floating], head: Head) -> FlatTissue:
    """Find the fifth of the bright tissue that has the least texture for its noise.

    Texture shows in the three bands that are high along one axis only; their noise is
    independent of HHH, so choosing even surroundings chooses no quiet noise. The local
    noise, read over 15 blocks, is divided out: where the noise varies over the head,
    quiet places must not be preferred.
    """
    region = head.brain if head.brain.any() else head.mask
    where = [np.flatnonzero(region.any(axis=tuple({0, 1, 2} - {a}))) for a in range(3)]
    start = [w[0] * f // 2 * 2 for w, f in zip(where, head.factors, strict=True)]
    box = tuple(
        slice(s, (w[-1] + 1) * f)
        for s, w, f in zip(start, where, head.factors, strict=True)
    )
    cut = np.asarray(data[box], dtype=np.float32)
    cut = cut[tuple(slice(0, n // 2 * 2) for n in cut.shape)]
    coarse = tuple(slice(w[0], w[-1] + 1) for w in where)
    halved = tuple(n // 2 for n in cut.shape)
    inside = spread(region[coarse], halved, [f / 2 for f in head.factors])
    low, detail, texture = _haar(cut)
    bright = inside & (low > 0.5 * np.median(low[inside])) if inside.any() else inside
    energy = np.where(bright, np.square(detail), 0)
    local, held = (
        ndimage.uniform_filter(v, LOCAL, mode="constant")
        for v in (energy, bright.astype(np.float32))
    )
    ratio = ndimage.uniform_filter(texture, 2) * held / np.maximum(local, 1e-30)
    limit = np.quantile(ratio[bright], FLATTEST) if bright.any() else 0.0
    chosen = np.nonzero(bright & (ratio <= limit))
    voxels = 2 * np.stack(chosen, 1) + np.array(start)
    return FlatTissue(low[chosen], detail[chosen], voxels)


def _haar(
    x: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Mean, HHH, and energy of the bands that are high along one axis."""
    low_x, high_x = _pairs(x, 0, 1), _pairs(x, 0, -1)
    low_xy, high_y = _pairs(low_x, 1, 1), _pairs(low_x, 1, -1)
    texture = np.square(_pairs(low_xy, 2, -1))
    texture += np.square(_pairs(high_y, 2, 1))
    texture += np.square(_pairs(_pairs(high_x, 1, 1), 2, 1))
    detail = _pairs(_pairs(high_x, 1, -1), 2, -1)
    mean = _pairs(low_xy, 2, 1) / np.float32(8)
    return mean, detail / np.float32(np.sqrt(8)), np.asarray(texture)


def tissue_noise(flat: FlatTissue) -> float:
    """Noise from the finest diagonal Haar details inside the brain.

    MAD of HHH over 0.6745 (Donoho & Johnstone 1994, doi:10.1093/biomet/81.3.425),
    with the Rician correction of Coupe et al. 2010 (doi:10.1016/j.media.2010.03.001).
    We depart in taking only the bright blocks with the least texture.

    Returns:
        Sigma in native intensity; nan with fewer than 200 usable blocks.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> places = np.zeros((9000, 3), int)
        >>> flat = FlatTissue(np.full(9000, 9.0), rng.normal(size=9000), places)
        >>> round(tissue_noise(flat), 1)
        1.0
    """
    if flat.details.size < 200:
        return float("nan")
    deviation = float(np.median(np.abs(flat.details)) / 0.6745)
    if deviation <= 0:
        return float("nan")
    return koay_sigma(float(np.median(flat.levels)), deviation)


def _pairs(values: NDArray[np.float32], axis: int, sign: int) -> NDArray[np.float32]:
    """Sum or difference of neighbouring voxels along one axis."""
    first: list[slice] = [slice(None)] * 3
    second = list(first)
    first[axis], second[axis] = slice(0, None, 2), slice(1, None, 2)
    return np.asarray(values[tuple(first)] + np.float32(sign) * values[tuple(second)])


def quantisation_step(data: NDArray[np.floating]) -> float:
    """Spacing of the stored intensity levels, 0 when they look continuous.

    Example:
        >>> quantisation_step(np.round(np.linspace(0, 50, 4000)) * 2)
        2.0
    """
    sample = np.unique(data.reshape(-1)[:: max(1, data.size // 20000)])
    if sample.size < 2:
        return 0.0
    gaps = np.diff(sample.astype(float))
    step = float(gaps.min())
    levels = gaps / step
    return step if np.allclose(levels, np.round(levels), atol=1e-3) else 0.0
