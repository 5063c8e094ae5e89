"""How well a classifier tells two groups of scans apart by their parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]

REPEATS = 10
FOLDS = 4
LEAST_SD = 0.01  # of a parameter or feature: no classifier lives on less


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
    scale = np.sqrt(rest.var(axis=0) + LEAST_SD**2)
    z = rest / scale
    correlation = 0.5 * z.T @ z / len(z) + 0.5 * np.eye(z.shape[1])
    return np.asarray(
        np.linalg.solve(correlation, (means[1] - means[0]) / scale) / scale
    )


def auc_interval(value: float, negatives: int, positives: int) -> tuple[float, float]:
    """95 % interval of an AUC.

    Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747.

    Example:
        >>> [round(end, 2) for end in auc_interval(0.8, 20, 20)]
        [0.66, 0.94]
    """
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    variance = value * (1 - value)
    variance += (positives - 1) * (q1 - value**2) + (negatives - 1) * (q2 - value**2)
    half = 1.96 * np.sqrt(max(variance, 0.0) / (negatives * positives))
    return float(max(value - half, 0.0)), float(min(value + half, 1.0))


def separation_p(
    first: Array,
    second: Array,
    *,
    also: Sequence[Array] | None = None,
    unsure: Sequence[Array] | None = None,
    seed: int = 0,
    repeats: int = 199,
) -> float:
    """Permutation p of the largest standardised mean difference of any column.

    Args:
        first: Scans by columns, (N, K).
        second: The other group, (M, K).
        also: Another table of each group, (N', F) and (M', F), of some of the scans;
            the permutations of both tables are independent, and the larger of the
            two differences counts.
        unsure: For each table, variance of the difference that the scatter of its rows
            does not show, (K,) and (F,): that of an adjustment.
        seed: Of the permutations.
        repeats: Number of permutations.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> separation_p(rng.normal(size=(9, 3)), rng.normal(size=(9, 3)) + 5)
        0.005
    """
    rng = np.random.default_rng(seed)
    tables = [(first, second), *([(also[0], also[1])] if also is not None else [])]
    more = unsure if unsure is not None else [np.zeros(t[0].shape[1]) for t in tables]
    observed = max(
        _largest(*table, extra) for table, extra in zip(tables, more, strict=False)
    )
    null = [max(_largest(*_shuffled(t, rng)) for t in tables) for _ in range(repeats)]
    return (1 + sum(v >= observed for v in null)) / (1 + repeats)


def _largest(one: Array, two: Array, extra: Array | float = 0.0) -> float:
    variance = one.var(0) / len(one) + two.var(0) / len(two) + extra
    spread = np.sqrt(variance) + 1e-9
    return float(np.max(np.abs(one.mean(0) - two.mean(0)) / spread))


def _shuffled(
    table: tuple[Array, Array], rng: np.random.Generator
) -> tuple[Array, Array]:
    values = np.concatenate(table)
    order = rng.permutation(len(values))
    count = len(table[0])
    return values[order[:count]], values[order[count:]]
