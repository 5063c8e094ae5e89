"""How well scores tell classes apart, for many bootstrap resamples at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medvae.evaluation.estimate import FloatArray, IntArray, ratio_or_nan


def balanced_accuracy(
    scores: FloatArray, y: IntArray, weights: FloatArray | None = None
) -> FloatArray:
    """Mean over the labels present of the share recognised; (n, classes) scores.

    Args:
        scores: (n, classes); the highest is the guess.
        y: (n,) true class.
        weights: (draws, n) for as many resamples at once.

    Example:
        >>> scores = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> float(balanced_accuracy(scores, np.array([0, 1, 1])))
        0.75
    """
    w = np.ones(len(y)) if weights is None else weights
    hit = scores.argmax(axis=1) == y
    shares = [
        ratio_or_nan(w @ (hit & (y == k)), w @ (y == k).astype(float))
        for k in np.unique(y)
    ]
    return _mean_of_known(shares)


def one_vs_rest_auc(
    scores: FloatArray, y: IntArray, weights: FloatArray | None = None
) -> FloatArray:
    """Mean over labels of the probability that their own score ranks them first.

    Args:
        scores: (n, classes).
        y: (n,) true class.
        weights: (draws, n) for as many resamples at once.

    Example:
        >>> float(one_vs_rest_auc(np.eye(3), np.arange(3)))
        1.0
    """
    w = np.ones(len(y)) if weights is None else weights
    areas = []
    for k in np.unique(y):
        own = y == k
        a, b = scores[own, k], scores[~own, k]
        won = (a[:, None] > b) + 0.5 * (a[:, None] == b)
        u, v = w[..., own], w[..., ~own]
        pairs = u.sum(axis=-1) * v.sum(axis=-1)
        areas.append(ratio_or_nan(np.sum((u @ won) * v, axis=-1), pairs))
    return _mean_of_known(areas)


def _mean_of_known(values: Sequence[FloatArray]) -> FloatArray:
    """Mean over classes that were drawn; NaN where none was."""
    stack = np.array(values)
    known = np.isfinite(stack)
    return ratio_or_nan(np.where(known, stack, 0.0).sum(axis=0), known.sum(axis=0))
