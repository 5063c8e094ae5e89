"""Latent dimensions that say nothing.

An encoder that ignores its input is perfectly blind to the site. Invariance is only
worth something beside the count of dimensions that still carry information.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medvae.evaluation.estimate import FloatArray

QUIET_NATS = 0.01
QUIET_VARIANCE = 0.01


@dataclass(frozen=True)
class Activity:
    """Which latent dimensions are in use.

    Args:
        inactive: (d,) True where the dimension carries next to nothing.
        kl_nats: (d,) mean over scans of KL(q || p), in nats.
    """

    inactive: NDArray[np.bool_]
    kl_nats: FloatArray

    @property
    def share_inactive(self) -> float:
        """Between 0 (all in use) and 1 (collapsed)."""
        return float(self.inactive.mean())


def gaussian_kl(mean: ArrayLike, std: ArrayLike) -> FloatArray:
    """KL(N(mean, std^2) || N(0, 1)) of every entry, in nats.

    Example:
        >>> gaussian_kl([0.0, 1.0], [1.0, 1.0]).tolist()
        [0.0, 0.5]
    """
    mu, sigma = np.asarray(mean, np.float64), np.asarray(std, np.float64)
    if not (sigma > 0).all():
        raise ValueError(f"posterior std must be > 0, got {sigma.min()}")
    result: FloatArray = 0.5 * (mu**2 + sigma**2 - 1) - np.log(sigma)
    return result


def activity(mean: ArrayLike, std: ArrayLike) -> Activity:
    """Find dimensions whose mean KL or variance of the mean over scans is small.

    It is inactive below `QUIET_NATS` or `QUIET_VARIANCE`. The second criterion is
    Burda 2016 (arXiv 1509.00519, section 5.1), whose threshold .01 is kept. It
    catches a dimension that pays KL for a constant.

    Args:
        mean: (n, d) posterior means, n scans.
        std: (n, d) posterior standard deviations.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mean = np.stack([rng.normal(size=50), np.zeros(50), np.ones(50)], axis=1)
        >>> activity(mean, np.full((50, 3), 0.5)).inactive.tolist()
        [False, True, True]
    """
    kl = gaussian_kl(mean, std).mean(axis=0)
    moved = np.var(np.asarray(mean, np.float64), axis=0)
    return Activity((kl < QUIET_NATS) | (moved < QUIET_VARIANCE), kl)
