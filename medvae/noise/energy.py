"""How much a corruption changes a scan, and setting two corruptions equal in that.

A stronger corruption removes more, useful or not; arms that differ in strength cannot
be told apart in kind. The energy is the mean squared difference between x~ and x over
the head, or what x~ shows of it, in reference units squared, averaged over scans and
draws.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from medvae.model.acquired_region import shown
from noise_models.base import NoiseModel

LEVELS = {
    "gaussian": ("sigma",),
    "rician": ("sigma",),
    "salt_and_pepper": ("p",),
    "randomised": ("contrast", "fwhm_mm", "bias_rms", "sigma"),
}
"""What is multiplied to make a generic corruption stronger."""

CLOSE = 0.02  # of the wanted energy
STEPS = 12
LARGEST = 1e4  # no level is scaled further than this


@dataclass(frozen=True, eq=False)
class Sample:
    """One scan to measure on.

    Args:
        image: (X, Y, Z), reference units.
        mask: Its head, same grid.
        source: What a fitted noise knows of its scanner.
    """

    image: NDArray[np.floating]
    mask: NDArray[np.bool_]
    source: object = None


@dataclass(frozen=True)
class Matched:
    """A corruption set to an energy.

    Args:
        noise: What was found.
        factor: By which the levels were multiplied.
        energy: What it has, in reference units squared.
    """

    noise: NoiseModel
    factor: float
    energy: float


def energy(
    noise: NoiseModel,
    samples: Sequence[Sample],
    spacing_mm: Sequence[float],
    *,
    draws: int = 16,
    seed: int = 0,
) -> float:
    """Mean squared change over the head, averaged over scans and draws.

    Args:
        noise: The corruption.
        samples: Scans.
        spacing_mm: Of their grid.
        draws: Corruptions of each. A level drawn over a decade has energies that
            scatter by more than their mean: 24 scans with 16 draws know it to 6 %.
        seed: The same seed draws the same corruptions at every strength.

    Example:
        >>> from noise_models.gaussian import Gaussian
        >>> flat = Sample(np.ones((20, 20, 20)), np.ones((20, 20, 20), bool))
        >>> round(energy(Gaussian(sigma=0.1), [flat], (1, 1, 1)), 3)
        0.01
    """
    values = []
    for number, sample in enumerate(samples):
        x = torch.from_numpy(np.array(sample.image, dtype=np.float32))[None, None]
        noisy = noise(
            x.expand(draws, *x.shape[1:]),
            rng=torch.Generator().manual_seed(seed + number),
            spacing_mm=tuple(spacing_mm),
            source=[sample.source] * draws,
        )
        values.append(changed(sample.image, noisy[:, 0].numpy(), sample.mask))
    return float(np.mean(values))


def changed(
    image: NDArray[np.floating],
    corrupted: NDArray[np.floating],
    mask: NDArray[np.bool_],
) -> float:
    """Mean squared change of one scan over the head, or what is shown of it.

    Args:
        image: (X, Y, Z), reference units.
        corrupted: (draws, X, Y, Z), the same.
        mask: The head of ``image``.

    Example:
        >>> x = np.ones((4, 4, 4))
        >>> half = np.where(np.arange(4) < 2, 1.5, 0.0) * x
        >>> changed(x, half[None], x > 0)  # what is not shown does not count
        0.25
    """
    y = torch.from_numpy(np.asarray(corrupted, dtype=np.float32))
    x = torch.from_numpy(np.array(image, dtype=np.float32))
    kept = shown(y) & torch.from_numpy(np.array(mask, dtype=bool))
    return float((y - x)[kept].double().square().mean())


def is_generic(noise: NoiseModel) -> bool:
    """Whether a corruption has levels that may be scaled.

    Example:
        >>> from noise_models.none import Nothing
        >>> is_generic(Nothing())
        False
    """
    return noise.name in LEVELS


def scaled(noise: NoiseModel, factor: float) -> NoiseModel:
    """The same corruption with its levels multiplied; a probability stops at 1.

    Example:
        >>> from noise_models.gaussian import Gaussian
        >>> scaled(Gaussian(sigma=(0.01, 0.1)), 2.0)
        Gaussian(sigma=(0.02, 0.2))
    """
    if not is_generic(noise):
        raise ValueError(f"{noise.name} has no level to scale; known: {list(LEVELS)}")
    most = 1.0 if noise.name == "salt_and_pepper" else math.inf

    def times(level: float | tuple[float, float]) -> float | tuple[float, float]:
        if isinstance(level, tuple):
            return min(level[0] * factor, most), min(level[1] * factor, most)
        return min(level * factor, most)

    levels = {name: times(getattr(noise, name)) for name in LEVELS[noise.name]}
    return dataclasses.replace(noise, **levels)  # type: ignore[type-var]  # each is one


def match_energy(
    noise: NoiseModel, wanted: float, measure: Callable[[NoiseModel], float]
) -> Matched:
    """Scale a generic corruption until it changes scans by ``wanted``.

    The energy grows with a power of the factor, so the secant is taken in logarithms;
    where it leaves the bracket it is halved instead.

    Args:
        noise: A corruption with levels, see ``LEVELS``.
        wanted: Energy, in reference units squared.
        measure: The energy of a corruption, on the same scans and draws each time.

    Raises:
        ValueError: The energy cannot be reached at any level.

    Example:
        >>> from noise_models.gaussian import Gaussian
        >>> found = match_energy(Gaussian(sigma=0.1), 0.04, lambda n: n.sigma**2)
        >>> round(found.factor, 2), round(found.energy, 3)
        (2.0, 0.04)
    """
    goal, low, high = math.log(wanted), -math.log(LARGEST), math.log(LARGEST)
    place, slope, before = 0.0, 2.0, (0.0, 0.0)
    for step in range(STEPS):
        candidate = scaled(noise, math.exp(place))
        found = measure(candidate)
        value = math.log(max(found, 1e-30))
        if abs(found / wanted - 1) <= CLOSE:
            return Matched(candidate, math.exp(place), found)
        low, high = (place, high) if value < goal else (low, place)
        if step and place != before[0]:
            slope = max((value - before[1]) / (place - before[0]), 0.05)
        before = (place, value)
        place += (goal - value) / slope
        if not low < place < high:
            place = (low + high) / 2
    raise ValueError(
        f"{noise.name}: no level has the energy {wanted:.3g}; the nearest tried has "
        f"{found:.3g}. Choose another corruption."
    )
