"""A probe without a model: which site do the nearest latents come from?

It sees what no hyperplane and no fixed kernel width does, such as small clumps of one
site anywhere in the latent.
"""

from __future__ import annotations

import numpy as np

from medvae.evaluation.distribution import squared_distances
from medvae.evaluation.estimate import FloatArray, IntArray

NEIGHBOURS = 5


def nearest(train: FloatArray, test: FloatArray, k: int = NEIGHBOURS) -> IntArray:
    """Numbers of the k training rows nearest to every test row, (m, k).

    Example:
        >>> nearest(np.array([[0.0], [1.0], [9.0]]), np.array([[0.2]]), k=2).tolist()
        [[0, 1]]
    """
    distance = squared_distances(test, train)
    order: IntArray = np.argsort(distance, axis=1, kind="stable")
    return order[:, : min(k, len(train))]


def votes(neighbours: IntArray, labels: IntArray, classes: int) -> FloatArray:
    """Share of a test row's neighbours in each class over the class's training share.

    Dividing by the share weighs classes equally, as the other probes do.

    Args:
        neighbours: (m, k) numbers of training rows.
        labels: (P, n) as many labellings of the training rows at once.
        classes: How many there are.

    Returns:
        (P, m, classes); 0 for a class that no training row has.

    Example:
        >>> votes(np.array([[0, 1]]), np.array([[0, 1, 1, 1]]), 2).round(2).tolist()
        [[[2.0, 0.67]]]
    """
    own = labels[..., None] == np.arange(classes)
    share = own.mean(axis=1)[:, None]
    near = own[:, neighbours].mean(axis=2)
    result: FloatArray = np.divide(
        near, share, out=np.zeros(near.shape), where=share > 0
    )
    return result
