"""Intervals by resampling subjects, the unit that was sampled from the world.

Two scans of one person are not two observations, so whole subjects are drawn with
replacement and every scan of a drawn subject comes along. Intervals are percentiles
(Efron & Tibshirani 1993); below about ten subjects they are known to be too narrow,
which is why n stands beside every number.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from medvae.evaluation.estimate import Estimate, FloatArray, IntArray

EXACT_FLIPS = 12  # up to here all 2^n sign flips are enumerated


def interval(
    statistic: Callable[[IntArray], float],
    subjects: Sequence[str],
    rng: np.random.Generator,
    *,
    draws: int = 1000,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Percentile interval of ``statistic`` under resampling of subjects.

    Args:
        statistic: Takes indices of scans, repeated as drawn, and returns a number;
            draws for which it is not finite (a site drawn empty) are left out.
        subjects: Who each scan shows, one per scan.
        rng: Where the draws come from.
        draws: How many resamples.
        level: Coverage promised.

    Returns:
        Lowest and highest, or None when fewer than two subjects are there.

    Example:
        >>> values = np.arange(40.0)
        >>> names = [str(i) for i in range(40)]
        >>> low, high = interval(
        ...     lambda i: values[i].mean(), names, np.random.default_rng(0))
        >>> low < 19.5 < high
        True
    """
    _, whose = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    members = [np.flatnonzero(whose == k) for k in range(whose.max(initial=-1) + 1)]
    if len(members) < 2:
        return None
    values = np.empty(draws)
    for draw in range(draws):
        chosen = rng.integers(len(members), size=len(members))
        values[draw] = statistic(np.concatenate([members[k] for k in chosen]))
    return percentiles(values, level)


def jackknife(
    statistic: Callable[[IntArray], float], count: int, *, level: float = 0.95
) -> Estimate:
    """A statistic of people, with an interval from leaving out one at a time.

    For agreement, which the bootstrap pulls down: someone drawn twice agrees with
    nobody new. Student's t on the jackknife's standard error (Efron & Stein 1981,
    doi:10.1214/aos/1176345462).

    Args:
        statistic: Takes the numbers of the people that are kept, without repetition.
        count: How many people there are.
        level: Coverage promised.

    Example:
        >>> values = np.arange(10.0)
        >>> found = jackknife(lambda kept: values[kept].mean(), 10)
        >>> found.value, [round(end, 2) for end in found.ci95]
        (4.5, [2.33, 6.67])
    """
    everyone = np.arange(count)
    value = float(statistic(everyone))
    without = np.array([statistic(np.delete(everyone, k)) for k in range(count)])
    if count < 2 or not np.isfinite(without).all():
        return Estimate(value, None, count)
    error = np.sqrt((count - 1) * np.mean((without - without.mean()) ** 2))
    half = float(error * student.ppf(0.5 + level / 2, count - 1))
    return Estimate(value, (value - half, value + half), count)


def percentiles(values: FloatArray, level: float = 0.95) -> tuple[float, float] | None:
    """The central ``level`` of the finite values; None if fewer than two are finite."""
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return None
    tail = 50 * (1 - level)
    low, high = np.percentile(finite, [tail, 100 - tail])
    return float(low), float(high)


def mean_estimate(
    values: ArrayLike,
    subjects: Sequence[str],
    rng: np.random.Generator,
    *,
    chance: float | None = None,
    draws: int = 2000,
) -> Estimate:
    """Mean over scans with a subject-level interval.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mean_estimate([1.0, 3.0, 2.0], ["a", "a", "b"], rng).n
        2
    """
    x = np.asarray(values, dtype=np.float64)
    names, whose = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    if x.shape != whose.shape:
        raise ValueError(f"one subject per value needed, got {whose.shape}, {x.shape}")
    if len(names) == 0:
        raise ValueError("a mean needs at least one value, got none")
    ci95 = None
    if len(names) > 1:
        total, count = np.bincount(whose, x), np.bincount(whose)
        weight = _subject_counts(len(names), draws, rng)
        ci95 = percentiles((weight @ total) / (weight @ count))
    return Estimate(float(x.mean()), ci95, len(names), chance)


def _subject_counts(n: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """How often each of n subjects was drawn, (draws, n)."""
    return rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)


@dataclass(frozen=True)
class PairedDifference:
    """Arm b against arm a on the same subjects.

    Args:
        difference: Mean of b - a, in the units of the values.
        ratio: Mean of b over mean of a.
        p: Two-sided sign-flip p of the difference. With n subjects it cannot fall
            below 2 / 2^n (.031 for six): see `least_p`.
        n: Subjects that both arms measured.
    """

    difference: float
    difference_ci95: tuple[float, float] | None
    ratio: float
    ratio_ci95: tuple[float, float] | None
    p: float
    n: int


def paired_difference(
    a: ArrayLike, b: ArrayLike, rng: np.random.Generator, *, draws: int = 10_000
) -> PairedDifference:
    """Compare two arms measured on the same subjects.

    Args:
        a: One value per subject in arm a, positive if the ratio is to mean anything.
        b: The same subjects, in the same order, in arm b.
        rng: Where the draws come from.
        draws: Resamples, and sign flips where not all can be enumerated.

    Example:
        >>> a, b = [2.0, 3.0, 4.0, 5.0], [1.0, 1.6, 2.1, 2.4]
        >>> result = paired_difference(a, b, np.random.default_rng(0))
        >>> round(result.ratio, 3), result.p, result.difference_ci95[1] < 0
        (0.507, 0.125, True)
    """
    x, y = (np.asarray(v, dtype=np.float64) for v in (a, b))
    if x.shape != y.shape or x.ndim != 1 or len(x) == 0:
        raise ValueError(
            f"paired arms need one value per subject each, got {x.shape} and {y.shape}"
        )
    weight = _subject_counts(len(x), draws, rng)
    many = len(x) > 1
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (weight @ y) / (weight @ x)
        ratio = float(y.sum() / x.sum())
    return PairedDifference(
        difference=float((y - x).mean()),
        difference_ci95=percentiles(weight @ (y - x) / len(x)) if many else None,
        ratio=ratio,
        ratio_ci95=percentiles(ratios) if many else None,
        p=sign_flip_p(y - x, rng, draws=draws),
        n=len(x),
    )


def least_p(n: int) -> float:
    """The lowest `sign_flip_p` that n pairs can have, however far apart: 2 / 2^n.

    Random flips, beyond 12 pairs, go no lower than one in their number.

    Example:
        >>> [least_p(n) for n in (3, 5, 6)]
        [0.25, 0.0625, 0.03125]
    """
    return 2.0 ** (1 - n)


def sign_flip_p(
    differences: FloatArray, rng: np.random.Generator, *, draws: int = 10_000
) -> float:
    """Two-sided p that paired differences are symmetric about zero.

    Exact up to 12 pairs, by random flips beyond.

    Example:
        >>> sign_flip_p(np.ones(6), np.random.default_rng(0))
        0.03125
    """
    n = len(differences)
    observed = abs(differences.sum())
    slack = 1e-12 * np.abs(differences).sum()
    if n <= EXACT_FLIPS:
        signs = np.array(list(itertools.product((-1, 1), repeat=n)), dtype=np.float64)
        return float(np.mean(np.abs(signs @ differences) >= observed - slack))
    signs = rng.choice((-1.0, 1.0), size=(draws, n))
    hits = int(np.sum(np.abs(signs @ differences) >= observed - slack))
    return (1 + hits) / (1 + draws)
