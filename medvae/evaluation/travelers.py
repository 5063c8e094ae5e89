"""The same person on different scanners: agreement and recognition.

Notation: n people, k scanners, x[i, j] what scanner j says about person i.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import f as f_distribution

from medvae.evaluation.estimate import FloatArray


@dataclass(frozen=True)
class Agreement:
    """ICC(2,1) and its F-based 95 % interval."""

    value: float
    low: float
    high: float


def mean_squares(ratings: FloatArray) -> tuple[float, float, float]:
    """Two-way mean squares of people, scanners and rest, summed over features.

    Args:
        ratings: (n, k) or (n, k, d), n >= 2 and k >= 2.

    Example:
        >>> mean_squares(np.array([[1.0, 2.0], [3.0, 4.0]]))
        (4.0, 1.0, 0.0)
    """
    x = ratings.reshape(*ratings.shape[:2], -1)
    n, k, _ = x.shape
    if n < 2 or k < 2:
        raise ValueError(f"agreement needs 2 people on 2 scanners, got {n} on {k}")
    grand = x.mean(axis=(0, 1))
    person, scanner = x.mean(axis=1), x.mean(axis=0)
    rest = x - person[:, None] - scanner + grand
    return (
        float(k * np.sum((person - grand) ** 2) / (n - 1)),
        float(n * np.sum((scanner - grand) ** 2) / (k - 1)),
        float(np.sum(rest**2) / ((n - 1) * (k - 1))),
    )


def icc(ratings: ArrayLike) -> Agreement:
    """ICC(2,1): absolute agreement of single measurements by random scanners.

    (MSR - MSE) / (MSR + (k - 1) MSE + k (MSC - MSE) / n), with the interval of
    Shrout & Fleiss 1979 (doi:10.1037/0033-2909.86.2.420), who took the degrees of
    freedom from Satterthwaite. A scanner's constant offset counts against it.

    Args:
        ratings: (n, k), complete, n >= 2 and k >= 2.

    Returns:
        Value and interval; NaN where everything is constant.

    Example:
        >>> ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8],
        ...            [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
        >>> round(icc(ratings).value, 2)      # their table 4
        0.29
    """
    x = np.asarray(ratings, dtype=np.float64)
    if x.ndim != 2:
        raise ValueError(f"ratings must be (people, scanners), got shape {x.shape}")
    n, k = x.shape
    msr, msc, mse = mean_squares(x)
    value = _agreement(msr, msc, mse, n, k)
    if not np.isfinite(value) or value >= 1 or (msr == 0 and mse == 0):
        return Agreement(value, value, value)
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    spread = (a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1))
    freedom = (a * msc + b * mse) ** 2 / spread
    upper = float(f_distribution.ppf(0.975, n - 1, freedom))
    lower = float(f_distribution.ppf(0.975, freedom, n - 1))
    rest = k * msc + (k * n - k - n) * mse
    low = n * (msr - upper * mse) / (upper * rest + n * msr)
    high = n * (lower * msr - mse) / (rest + n * lower * msr)
    return Agreement(value, low, high)


def _agreement(msr: float, msc: float, mse: float, n: int, k: int) -> float:
    whole = msr + (k - 1) * mse + k * (msc - mse) / n
    return (msr - mse) / whole if whole > 0 else float("nan")


def image_icc(ratings: ArrayLike) -> float:
    """ICC(2,1) of whole latents: mean squares summed over features before the ratio.

    The image intraclass correlation (Shou 2013, doi:10.3758/s13415-013-0196-0, who
    use the one-way form). Features weigh by their variance, so latent dimensions that
    hold nothing neither help nor hurt. Its interval comes from resampling people.

    Args:
        ratings: (n, k, d).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> person = rng.normal(size=(200, 1, 5))
        >>> scan = person + rng.normal(size=(200, 2, 5))
        >>> round(image_icc(scan), 1)
        0.5
    """
    x = np.asarray(ratings, dtype=np.float64)
    return _agreement(*mean_squares(x), *x.shape[:2])


def within_subject_cov(ratings: ArrayLike) -> float:
    """Within-person coefficient of variation, root mean square over people.

    sqrt(mean_i (s_i / m_i)^2) with s_i the standard deviation and m_i the mean over
    scanners (Bland & Altman's root-mean-square method). Only for quantities with a
    true zero, such as volumes; a latent has none.

    Example:
        >>> round(within_subject_cov([[9.0, 11.0], [90.0, 110.0]]), 4)
        0.1414
    """
    x = np.asarray(ratings, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < 2 or not (x > 0).all():
        raise ValueError("a coefficient of variation needs positive (people, scanners)")
    return float(np.sqrt(np.mean((x.std(axis=1, ddof=1) / x.mean(axis=1)) ** 2)))


def recognised(query: ArrayLike, gallery: ArrayLike) -> FloatArray:
    """1 where a person's nearest neighbour in the gallery is that person, else 0.

    Ties share: a latent that says nothing about anyone scores chance, 1 / n, not 1.

    Args:
        query: (n, d) latents on one scanner.
        gallery: (n, d) the same people, same order, on another.

    Example:
        >>> recognised([[0.0], [5.0]], [[0.2], [4.0]]).tolist()
        [1.0, 1.0]
        >>> recognised([[0.0], [0.0]], [[1.0], [1.0]]).tolist()
        [0.5, 0.5]
    """
    a, b = np.asarray(query, np.float64), np.asarray(gallery, np.float64)
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(
            f"query and gallery must be (people, features), got {a.shape}, {b.shape}"
        )
    distance = np.stack([np.sum((b - row) ** 2, axis=1) for row in a])
    own = np.diag(distance)[:, None]
    slack = 1e-9 * distance.max(initial=0)
    nearer = np.sum(distance < own - slack, axis=1)
    tied = np.sum(np.abs(distance - own) <= slack, axis=1)
    return np.where(nearer == 0, 1 / tied, 0.0)
