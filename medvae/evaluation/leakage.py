"""Can the site be read from the latent? Probes that try hard, and their null.

A linear probe alone is easily fooled: a site that only stretches the latent (x1.3 in
16 dimensions) is invisible to it (accuracy .48) and plain to a probe of the norm
(.74). Hence two least-squares support vector machines (Suykens & Vandewalle 1999,
doi:10.1023/A:1018628609742), linear and RBF, and the five nearest neighbours, on the
same subject-wise folds.
Accuracies of small cohorts scatter (chance SD .079 with 20 scans a site), so the null
is the same probe on permuted labels, never a table.

Three views of the posterior N(mean, diag std^2), see `posterior_view`:

- ``mean``: every difference counts, however small beside the posterior's own spread.
  A dimension that costs .001 nats can still betray the site, once standardised.
- ``sample``: z as the decoder gets it. What is readable here is information.
- ``whitened``: the mean in units of the posterior standard deviation, features NOT
  standardised again. A difference of .01 std stays .01: it is below the posterior's
  own spread, and whoever receives a sample cannot see it.

2026-11: least squares, because all permutations are then solved at once (two seconds
where scikit-learn's SVC takes thirty). Over five simulated leaks at 30, 100 and 150
scans a site it comes within .05 of SVC's accuracy with C = 1 (a pure stretch: .71
against .74), and far above it for a small shift beside large anatomical variance
(linear, .99 against .62 at 30 a site). The price: time grows with the cube of the
scans; beyond some 300 test scans lower the number of permutations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import StratifiedGroupKFold

from medvae.evaluation.bootstrap import percentiles
from medvae.evaluation.classification import balanced_accuracy, one_vs_rest_auc
from medvae.evaluation.covariates import residuals
from medvae.evaluation.estimate import Estimate, FloatArray, IntArray
from medvae.evaluation.neighbours import nearest, votes
from medvae.evaluation.permutation import permute_labels, without_labels

Kind = Literal["linear", "rbf", "knn"]
View = Literal["mean", "sample", "whitened"]
MAX_FOLDS = 5
PENALTY = {"linear": 0.1, "rbf": 0.3}
AT_ONCE = 2**24  # numbers in one stack of linear systems, 128 MiB


@dataclass(frozen=True)
class Leakage:
    """What a probe read: balanced accuracy (chance 1/K) and one-vs-rest AUC (.5)."""

    balanced_accuracy: Estimate
    auc: Estimate


@dataclass(frozen=True)
class _Fold:
    """Kernels of one fold; labels may be permuted without computing them again.

    The probe of neighbours has these instead.
    """

    train: IntArray
    test: IntArray
    train_kernel: FloatArray
    test_kernel: FloatArray
    penalty: float
    neighbours: IntArray | None = None


def posterior_view(
    mean: ArrayLike,
    std: ArrayLike,
    view: View,
    rng: np.random.Generator,
    *,
    draws: int = 3,
) -> FloatArray:
    """Features a probe may read, (draws, n, d); one draw unless ``view`` is sample.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> posterior_view([[2.0]], [[0.5]], "whitened", rng).tolist()
        [[[4.0]]]
    """
    mu, sigma = np.asarray(mean, np.float64), np.asarray(std, np.float64)
    if view == "sample":
        return mu + sigma * rng.standard_normal((draws, *mu.shape))
    if view == "whitened":
        typical = np.sqrt(np.mean(sigma**2, axis=0))
        return (mu / np.where(typical > 0, typical, 1.0))[None]
    return mu[None]


def probe(
    features: ArrayLike,
    labels: Sequence[str],
    subjects: Sequence[str],
    rng: np.random.Generator,
    *,
    kind: Kind = "rbf",
    standardise: bool = True,
    permutations: int = 200,
    covariates: ArrayLike | None = None,
) -> Leakage:
    """Predict labels from features on subjects that the probe was not trained on.

    One-vs-rest kernel ridge on +-1, classes weighted equally, on kernels
    scaled by the training features' total variance (scikit-learn's
    ``gamma="scale"``). Interval: bootstrap of subjects over out-of-fold predictions.
    Null: labels permuted between subjects of one label and one fold, and within
    travelers. Between folds, permuted labels would leave the folds unbalanced, which
    the true ones do not: their AUC falls to .40 with three people at each of six sites,
    and a p below .05 came up in 20 % of cohorts without any difference.

    Args:
        features: (n, d), or (draws, n, d): scores are averaged over draws of z, the
            same permutation applied to all.
        labels: The site of each scan.
        subjects: Who each scan shows; a subject is never on both sides of a fold.
        rng: Folds, permutations and resamples.
        kind: ``linear``, ``rbf`` or ``knn``.
        standardise: Scale every feature to unit variance on the training side.
        permutations: How many; the smallest p is 1 / (permutations + 1).
        covariates: (n, c) What the probe may not use: their effect within labels,
            fitted on the training side, is taken out of the features. The error of that
            effect tells the covariates still, the more the further labels differ in
            them: chance is the mean of the null, `without_labels`, not an even guess.

    Raises:
        ValueError: Fewer than two labels, or a label with fewer than two subjects.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> site = ["A"] * 20 + ["B"] * 20
        >>> z = rng.normal(size=(40, 3)) + 3 * (np.array(site) == "B")[:, None]
        >>> result = probe(z, site, [str(i) for i in range(40)], rng, kind="linear")
        >>> result.balanced_accuracy.value > 0.9, result.auc.p < 0.05
        (True, True)
    """
    names, y = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    z, splits = _draws(features), grouped_folds(y, subjects, rng)
    ready = partial(_ready, y=y, splits=splits, kind=kind, standardise=standardise)
    if covariates is None:
        turn = _turns(splits, len(y))
        labelled = np.array(
            [y, *(permute_labels(y, subjects, rng, turn) for _ in range(permutations))]
        )
        scores = out_of_fold(ready(z), labelled, len(names))
    else:
        table = np.asarray(covariates, dtype=np.float64)
        traded = without_labels(z, y, subjects, table, rng, permutations)
        labelled = np.tile(y, (1 + permutations, 1))
        tried = (ready(x, table=table) for x in chain([z], traded))
        scores = np.concatenate([out_of_fold(x, y[None], len(names)) for x in tried])
    estimates = []
    for mark, even in ((balanced_accuracy, 1 / len(names)), (one_vs_rest_auc, 0.5)):
        values = np.array(
            [
                np.mean([mark(s, own) for s in draws])
                for draws, own in zip(scores, labelled, strict=True)
            ]
        )
        null = values[1:]
        is_measured = covariates is not None and permutations > 0
        estimates.append(
            Estimate(
                value=float(values[0]),
                ci95=_bootstrap(mark, scores[0], y, subjects, rng),
                n=len(set(subjects)),
                chance=float(null.mean()) if is_measured else even,
                p=(1 + int(np.sum(null >= values[0] - 1e-12))) / (1 + permutations),
            )
        )
    return Leakage(*estimates)


def _draws(features: ArrayLike) -> FloatArray:
    z = np.asarray(features, dtype=np.float64)
    return z[None] if z.ndim == 2 else z


def _turns(splits: Sequence[tuple[IntArray, IntArray]], n: int) -> IntArray:
    """In which fold each scan is tested, (n,)."""
    turn = np.empty(n, dtype=np.intp)
    for number, (_, test) in enumerate(splits):
        turn[test] = number
    return turn


def prepare_folds(
    features: ArrayLike,
    y: IntArray,
    subjects: Sequence[str],
    rng: np.random.Generator,
    *,
    kind: Kind,
    standardise: bool,
) -> list[list[_Fold]]:
    """Folds of every draw of the features, ready for any labels; see `probe`."""
    z, splits = _draws(features), grouped_folds(y, subjects, rng)
    return _ready(z, y=y, splits=splits, kind=kind, standardise=standardise)


def _ready(
    z: FloatArray,
    *,
    y: IntArray,
    splits: Sequence[tuple[IntArray, IntArray]],
    kind: Kind,
    standardise: bool,
    table: FloatArray | None = None,
) -> list[list[_Fold]]:
    """Folds of every draw, without what a table of covariates tells of it."""
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {get_args(Kind)}, got {kind!r}")
    if table is None:
        return [[_fold(x, a, b, kind, standardise) for a, b in splits] for x in z]
    folds = []
    for x in z:
        own = []
        for a, b in splits:
            left = x.copy()
            left[a], left[b] = residuals(x[a], x[b], table[a], table[b], y[a])
            own.append(_fold(left, a, b, kind, standardise))
        folds.append(own)
    return folds


def grouped_folds(
    y: IntArray, subjects: Sequence[str], rng: np.random.Generator
) -> list[tuple[IntArray, IntArray]]:
    """Up to five folds, stratified by label, that never split a subject."""
    least = min(len({subjects[int(i)] for i in np.flatnonzero(y == k)}) for k in set(y))
    if len(set(y)) < 2 or least < 2:
        raise ValueError(
            f"a probe needs two labels with two subjects each, got {len(set(y))} "
            f"label(s), the rarest with {least} subject(s)"
        )
    split = StratifiedGroupKFold(
        min(MAX_FOLDS, least), shuffle=True, random_state=int(rng.integers(2**31))
    )
    return list(split.split(np.zeros(len(y)), y, np.asarray(subjects, dtype=str)))


def _fold(
    x: FloatArray, train: IntArray, test: IntArray, kind: Kind, standardise: bool
) -> _Fold:
    a, b = x[train] - x[train].mean(axis=0), x[test] - x[train].mean(axis=0)
    if standardise:
        spread = a.std(axis=0)
        spread[spread == 0] = 1
        a, b = a / spread, b / spread
    if kind == "knn":
        empty = np.empty((0, 0))
        return _Fold(
            train=train,
            test=test,
            train_kernel=empty,
            test_kernel=empty,
            penalty=0.0,
            neighbours=nearest(a, b),
        )
    total = a.shape[1] * a.var()
    gamma = 1 / total if total > 0 else 1.0
    linear_train, linear_test = gamma * a @ a.T, gamma * b @ a.T
    if kind == "linear":
        return _Fold(
            train=train,
            test=test,
            train_kernel=linear_train,
            test_kernel=linear_test,
            penalty=PENALTY[kind],
        )
    near, far = np.diag(linear_train), gamma * np.sum(b**2, axis=1)
    return _Fold(
        train=train,
        test=test,
        train_kernel=np.exp(2 * linear_train - near[:, None] - near),
        test_kernel=np.exp(2 * linear_test - far[:, None] - near),
        penalty=PENALTY[kind],
    )


def out_of_fold(
    folds: Sequence[Sequence[_Fold]], labels: IntArray, classes: int
) -> FloatArray:
    """Scores (P, draws, n, classes) of P labellings (P, n), each by its own probe.

    Solves (K + 1 + penalty diag(1 / w)) c = +-1 with w the class weights: kernel ridge
    with a bias and ``sample_weight``.
    """
    scores = np.zeros((len(labels), len(folds), labels.shape[1], classes))
    for d, draw in enumerate(folds):
        for fold in draw:
            if fold.neighbours is not None:
                near = votes(fold.neighbours, labels[:, fold.train], classes)
                scores[:, d, fold.test] = near
                continue
            size = max(1, AT_ONCE // len(fold.train) ** 2)
            for start in range(0, len(labels), size):
                some = slice(start, start + size)
                own = labels[some][:, fold.train, None] == np.arange(classes)
                count = own.sum(axis=1)
                spread = np.sum(own * count[:, None], axis=2) * (count > 0).sum(
                    axis=1, keepdims=True
                )
                penalty = fold.penalty * spread / len(fold.train)  # 1 / w
                system = (fold.train_kernel + 1)[None] + penalty[:, :, None] * np.eye(
                    len(fold.train)
                )
                weight = np.linalg.solve(system, 2.0 * own - 1)
                scores[some, d, fold.test] = (fold.test_kernel + 1) @ weight
    return scores


Mark = Callable[..., FloatArray]
"""What a probe is marked by: `balanced_accuracy` or `one_vs_rest_auc`."""


def _bootstrap(
    mark: Mark,
    scores: FloatArray,
    y: IntArray,
    subjects: Sequence[str],
    rng: np.random.Generator,
    draws: int = 500,
) -> tuple[float, float] | None:
    """Interval of a mark; a subject drawn twice weighs twice."""
    names, whose = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    share = np.full(len(names), 1 / len(names))
    weights = rng.multinomial(len(names), share, size=draws)[:, whose].astype(float)
    marks = np.array([mark(s, y, weights) for s in scores])
    return percentiles(marks.mean(axis=0))
