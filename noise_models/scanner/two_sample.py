"""How well a classifier tells two groups of scans apart by their parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, product

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
    also: tuple[Array, Array] | None = None,
    rows: tuple[Sequence[int], Sequence[int]] | None = None,
    unsure: Sequence[Array] | None = None,
    seed: int = 0,
    repeats: int = 199,
) -> float:
    """Permutation p of the largest standardised mean difference of any column.

    A row that is exchanged takes its rows of both tables along. Those that ``also``
    shows are exchanged among themselves, so that the groups of both tables keep their
    sizes. Where there are so few exchanges that a draw of them could give a smaller p
    than all of them, all are made: of 4 and 4 rows 70, so that p is 2/70 or more.

    Args:
        first: Scans by columns, (N, K).
        second: The other group, (M, K).
        also: Another table of each group, (N', F) and (M', F), of some of the scans;
            the larger difference of the two tables counts.
        rows: For each group the rows of the first table that are those of ``also``,
            (N',) and (M',), each once; by default its first ones.
        unsure: For each table, variance of the difference that the scatter of its rows
            does not show, (K,) and (F,): that of an adjustment.
        seed: Of the exchanges.
        repeats: How many are drawn, if not all are made.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> separation_p(rng.normal(size=(9, 3)), rng.normal(size=(9, 3)) + 5)
        0.005
    """
    tables = [np.concatenate([first, second])]
    at_first = np.repeat([True, False], [len(first), len(second)])
    shown = np.arange(0)
    if also is not None:
        ours, theirs = rows or tuple(range(len(part)) for part in also)
        shown = np.r_[np.array(ours, int), len(first) + np.array(theirs, int)]
        tables.append(np.concatenate(also))
    every = np.arange(len(at_first))
    owners = [every, shown]
    plain = [np.zeros(table.shape[1]) for table in tables]

    def largest_difference(at: NDArray[np.bool_], more: Sequence[Array]) -> float:
        return max(
            _largest(table[at[owner]], table[~at[owner]], extra)
            for table, owner, extra in zip(tables, owners, more, strict=False)
        )

    # Exchanged groups are adjusted by the same slopes: nothing more is unsure of them.
    observed = largest_difference(at_first, unsure if unsure is not None else plain)
    strata = [shown, np.setdiff1d(every, shown)]
    count = math.prod(math.comb(len(s), int(at_first[s].sum())) for s in strata)
    if count <= 2 * (1 + repeats):
        found = [
            largest_difference(at, plain) for at in _all_exchanges(at_first, strata)
        ]
        return sum(v >= observed for v in found) / count
    rng = np.random.default_rng(seed)
    drawn = [
        largest_difference(_exchanged(at_first, strata, rng), plain)
        for _ in range(repeats)
    ]
    return (1 + sum(v >= observed for v in drawn)) / (1 + repeats)


def _largest(one: Array, two: Array, extra: Array | float = 0.0) -> float:
    variance = one.var(0) / len(one) + two.var(0) / len(two) + extra
    spread = np.sqrt(variance) + 1e-9
    return float(np.max(np.abs(one.mean(0) - two.mean(0)) / spread))


def _all_exchanges(
    at_first: NDArray[np.bool_], strata: Sequence[NDArray[np.intp]]
) -> Iterator[NDArray[np.bool_]]:
    """Every way to call rows of each stratum the first group's, as many as are."""
    ways = [combinations(s.tolist(), int(at_first[s].sum())) for s in strata]
    for chosen in product(*ways):
        at = np.zeros_like(at_first)
        at[[row for part in chosen for row in part]] = True
        yield at


def _exchanged(
    at_first: NDArray[np.bool_],
    strata: Sequence[NDArray[np.intp]],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    at = at_first.copy()
    for rows in strata:
        at[rows] = rng.permutation(at_first[rows])
    return at
