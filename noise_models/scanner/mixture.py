"""Three tissues, and the voxels they share, as a mixture of intensities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

LEVEL_BOUNDS = ((0.04, 0.52), (0.45, 0.95))  # csf and gm over wm, T1 weighting
SPREAD_BOUNDS = (0.01, 0.15)  # SD over wm
CSF_GUESS = (0.33, 0.001)  # level over wm (ABIDE sites: .24 to .48), and its weight
START_SAMPLES = 1200
STRAYS = 0.05  # share of voxels that fit no tissue
STRAY_SPAN = 1.6  # over wm; a stray may be as bright as anything from 0 to this


@dataclass(frozen=True)
class Classes:
    """Levels and SDs of csf, gm, wm, (3,); weights of them and of two mixtures, (5,).

    The mixtures are csf with gm and gm with wm. Their level lies halfway and their SD
    is that of a uniform share of either tissue, beside the noise.

    Example:
        >>> classes = Classes(np.array([.3, .7, 1.]), np.full(3, .05), np.full(5, .2))
        >>> classes.components()[0].round(2).tolist()
        [0.3, 0.7, 1.0, 0.5, 0.85]
    """

    levels: Array
    spreads: Array
    shares: Array

    def components(self) -> tuple[Array, Array]:
        """Level and SD of all five components."""
        low, high = self.levels[:2], self.levels[1:]
        noise = np.minimum(self.spreads[:2], self.spreads[1:])
        between = np.sqrt((high - low) ** 2 / 12 + noise**2)
        return (
            np.r_[self.levels, (low + high) / 2],
            np.r_[self.spreads, between],
        )


def start_classes(values: Array) -> Classes:
    """The likeliest of many first guesses, each after a few rounds of EM.

    The guesses span the T1 contrasts met in practice (grey 0.58 to 0.88 of white) and
    several shares of white matter; EM alone would stay beside a poor one.

    Example:
        >>> x = np.r_[np.full(50, .3), np.full(300, .7), np.full(400, 1.)]
        >>> x = x + np.random.default_rng(0).normal(0, .02, x.size)
        >>> start_classes(x).levels.round(1).tolist()
        [0.3, 0.7, 1.0]
    """
    few = values[:: max(1, values.size // START_SAMPLES)]
    tried = []
    for quantile in (70, 82, 92):
        white = float(np.percentile(few, quantile))
        for grey in (0.60, 0.69, 0.78, 0.87):
            guess = Classes(
                white * np.array((0.5 * grey, grey, 1.0)),
                white * np.array((0.06, 0.06, 0.06)),
                np.array((0.05, 0.4, 0.4, 0.05, 0.1)),
            )
            tried.append(fit_classes(few, guess, rounds=12)[0])
    return max(tried, key=lambda found: log_likelihood(few, found))


def log_likelihood(values: Array, classes: Classes) -> float:
    """Log-likelihood of intensities under the mixture with its background.

    Example:
        >>> classes = Classes(np.array([.3, .7, 1.]), np.full(3, .05), np.full(5, .2))
        >>> near, far = np.full(5, 1.0), np.full(5, 0.42)
        >>> log_likelihood(near, classes) > log_likelihood(far, classes)
        True
    """
    density, background = _densities(values, classes)
    return float(np.log(density.sum(0) + background).sum())


def fit_classes(
    values: Array, classes: Classes, rounds: int
) -> tuple[Classes, NDArray[np.float64]]:
    """EM from a first guess.

    Returns:
        The classes, and the memberships (5, M); what the background takes is
        missing from their sum.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.choice([.3, .7, 1.], 5000, p=[.1, .4, .5])
        >>> x += rng.normal(0, .04, 5000)
        >>> fit_classes(x, start_classes(x), 30)[0].levels.round(2).tolist()
        [0.3, 0.7, 1.0]
    """
    belongs = np.zeros((5, values.size))
    for _ in range(rounds):
        density, background = _densities(values, classes)
        belongs = density / (density.sum(0) + background)
        classes = _maximise(values, belongs, classes)
    return classes, belongs


def _densities(values: Array, classes: Classes) -> tuple[Array, float]:
    """Density of every component at every value, (5, M), and of the background."""
    levels, spreads = (v[:, None] for v in classes.components())
    density = (values - levels) / spreads
    density *= density
    density *= -0.5
    np.exp(density, out=density)
    density *= classes.shares[:, None] / (spreads * np.sqrt(2 * np.pi))
    return density, STRAYS / (STRAY_SPAN * float(classes.levels[2]))


def _maximise(values: Array, belongs: Array, classes: Classes) -> Classes:
    mass = belongs.sum(1) + 1e-9
    pure = belongs[:3]
    first = pure @ values
    levels = (first + 1e-9 * classes.levels) / mass[:3]
    guess, weight = CSF_GUESS[0] * levels[2], CSF_GUESS[1] * values.size
    levels[0] = (mass[0] * levels[0] + weight * guess) / (mass[0] + weight)
    for k, bounds in enumerate(LEVEL_BOUNDS):
        levels[k] = np.clip(levels[k], *(np.array(bounds) * levels[2]))
    square = pure @ values**2
    scatter = square - 2 * levels * first + levels**2 * pure.sum(1)
    # Grey and white share one SD, or either could swallow the other when they are near.
    solid = scatter[1:].sum() / mass[1:3].sum()
    variance = np.maximum([scatter[0] / mass[0], solid, solid], 0)
    limits = np.array(SPREAD_BOUNDS) * levels[2]
    return Classes(
        levels,
        np.clip(np.sqrt(variance), *limits),
        np.maximum(mass / mass.sum(), 0.003),
    )
