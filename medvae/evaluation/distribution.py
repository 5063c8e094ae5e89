"""Distances between two clouds of latents.

Both are U-statistics, whose mean is exactly zero when the clouds come from one
distribution. The kernel width is an argument on purpose: a width fitted to each arm's
own latents would measure every arm with its own ruler.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from medvae.evaluation.estimate import FloatArray


def prior_width(dimensions: int) -> float:
    """Kernel width sqrt(2 d): the typical distance of two draws from N(0, I).

    It depends on the latent's size alone, hence is the same for all arms whose codes
    have as many dimensions. Codes of other sizes (`baselines.pca`, axes) are told apart
    by other widths, and their MMD compared with none; the energy distance has no width.

    Example:
        >>> prior_width(8)
        4.0
    """
    return float(np.sqrt(2 * dimensions))


def squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Squared Euclidean distances, (n, m)."""
    cross = np.sum(a**2, 1)[:, None] + np.sum(b**2, 1) - 2 * a @ b.T
    result: FloatArray = np.maximum(cross, 0)
    return result


def mmd2(a: ArrayLike, b: ArrayLike, *, width: float) -> float:
    """Unbiased squared maximum mean discrepancy, kernel exp(-d^2 / (2 width^2)).

    Gretton 2012 (jmlr.org/papers/v13/gretton12a.html), equation 3. May be negative.

    Args:
        a: (n, d), n >= 2.
        b: (m, d), m >= 2.
        width: In latent units; see `prior_width`.

    Example:
        >>> far = mmd2([[0.0], [0.0]], [[9.0], [9.0]], width=1.0)
        >>> round(far, 6)
        2.0
    """
    if width <= 0:
        raise ValueError(f"width must be > 0, got {width}")
    x, y = _two_clouds(a, b)
    whole = squared_distances(np.concatenate([x, y]), np.concatenate([x, y]))
    return two_sample(
        np.exp(-whole / (2 * width**2)), np.arange(len(x) + len(y)) < len(x)
    )


def energy_distance(a: ArrayLike, b: ArrayLike) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'|, unbiased, in latent units.

    Székely & Rizzo 2013 (doi:10.1016/j.jspi.2013.03.018). Needs no width.

    Example:
        >>> energy_distance([[0.0], [0.0]], [[3.0], [3.0]])
        6.0
    """
    x, y = _two_clouds(a, b)
    whole = squared_distances(np.concatenate([x, y]), np.concatenate([x, y]))
    return two_sample(-np.sqrt(whole), np.arange(len(x) + len(y)) < len(x))


def _two_clouds(a: ArrayLike, b: ArrayLike) -> tuple[FloatArray, FloatArray]:
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if (
        x.ndim != 2
        or y.ndim != 2
        or x.shape[1] != y.shape[1]
        or min(len(x), len(y)) < 2
    ):
        raise ValueError(
            f"two clouds of at least two points needed, got {x.shape} and {y.shape}"
        )
    return x, y


def two_sample(
    similarity: FloatArray,
    first: ArrayLike,
    weight: FloatArray | None = None,
    person: ArrayLike | None = None,
) -> float:
    """Mean similarity within the clouds minus twice that between them.

    Only points of different people are paired. Scans of one person are alike: several
    in a cloud would look like a difference between the clouds, and someone seen in both
    like less than none.

    Args:
        similarity: (n, n), symmetric; its diagonal is never read.
        first: (n,) True for members of the first cloud.
        weight: (n,) how often each point was drawn in a resample. A point is never
            paired with its own copy, or resampling would look like a difference.
        person: (n,) whom each point shows; by default all show others.

    Returns:
        The U-statistic; NaN where there is no pair.

    Example:
        >>> two_sample(np.eye(4), [True, True, False, False])
        0.0
    """
    a = np.asarray(first, dtype=bool)
    w = np.ones(len(a)) if weight is None else weight
    u, v = w * a, w * ~a
    who = np.arange(len(a)) if person is None else np.asarray(person)
    others = (who[:, None] != who).astype(np.float64)
    off = np.where(others > 0, similarity, 0.0)

    def mean(x: FloatArray, y: FloatArray) -> float:
        pairs = float(x @ others @ y)
        return float(x @ off @ y / pairs) if pairs > 0 else float("nan")

    return mean(u, u) + mean(v, v) - 2 * mean(u, v)
