"""How well a classifier tells two groups of scans apart by their parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]

REPEATS = 10
FOLDS = 4


def auc(negatives: Array, positives: Array) -> float:
    """Share of pairs in which the positive scores higher; ties count half.

    Example:
        >>> auc(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
        0.875
    """
    ranks = rankdata(np.r_[negatives, positives])[len(negatives) :]
    count = len(positives)
    above = ranks.sum() - count * (count + 1) / 2
    return float(above / (count * len(negatives)))


def two_sample_auc(
    first: Array,
    second: Array,
    *,
    groups: tuple[Sequence[str], Sequence[str]] | None = None,
    seed: int = 0,
) -> float:
    """Cross-validated AUC of a shrunk linear discriminant, first against second.

    0.5 means that the two cannot be told apart, 1 that they always can. Folds
    never split a subject. Averaged over repeated random folds.

    Args:
        first: Parameters, scans by features, (N, K).
        second: The other group, (M, K).
        groups: Subject of every scan, per group.
        seed: Of the folds.

    Returns:
        AUC; nan with fewer than four subjects.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> two_sample_auc(rng.normal(size=(20, 3)), rng.normal(size=(20, 3)) + 9)
        1.0
    """
    values = np.concatenate([first, second])
    label = np.repeat([0, 1], [len(first), len(second)])
    if groups is None:
        people = np.arange(len(values))
    else:
        people = np.unique([*groups[0], *groups[1]], return_inverse=True)[1]
    count = int(people.max()) + 1
    if min(len(first), len(second), count) < FOLDS:
        return float("nan")
    rng = np.random.default_rng(seed)
    scores = []
    for _ in range(REPEATS):
        fold = (rng.permutation(count) % FOLDS)[people]
        for k in range(FOLDS):
            test, train = fold == k, fold != k
            if (
                len({*label[test]}) < 2
                or min(np.bincount(label[train].astype(int), minlength=2)) < 2
            ):
                continue
            direction = _discriminant(values[train], label[train])
            shown = values[test] @ direction
            scores.append(auc(shown[label[test] == 0], shown[label[test] == 1]))
    return float(np.mean(scores)) if scores else float("nan")


def _discriminant(values: Array, label: Array) -> Array:
    """Fisher direction with the within-group correlation shrunk halfway."""
    means = [values[label == k].mean(0) for k in (0, 1)]
    rest = values - np.where(label[:, None] == 0, *means)
    scale = rest.std(axis=0) + 1e-9
    z = rest / scale
    correlation = 0.5 * z.T @ z / len(z) + 0.5 * np.eye(z.shape[1])
    return np.asarray(
        np.linalg.solve(correlation, (means[1] - means[0]) / scale) / scale
    )


def separation_p(
    first: Array, second: Array, *, seed: int = 0, repeats: int = 199
) -> float:
    """Permutation p of the largest standardised mean difference of any parameter.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> separation_p(rng.normal(size=(9, 3)), rng.normal(size=(9, 3)) + 5)
        0.005
    """
    values = np.concatenate([first, second])
    count = len(first)
    rng = np.random.default_rng(seed)

    def largest(order: NDArray[np.intp]) -> float:
        one, two = values[order[:count]], values[order[count:]]
        spread = np.sqrt(one.var(0) / len(one) + two.var(0) / len(two)) + 1e-9
        return float(np.max(np.abs(one.mean(0) - two.mean(0)) / spread))

    observed = largest(np.arange(len(values)))
    null = [largest(rng.permutation(len(values))) for _ in range(repeats)]
    return (1 + sum(v >= observed for v in null)) / (1 + repeats)
