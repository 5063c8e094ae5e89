"""Can the site be read from the latent? Probes that try hard, and their null.

A linear probe alone is easily fooled: a site that only stretches the latent (x1.3 in
16 dimensions) is invisible to it (accuracy .48) and plain to a probe of the norm
(.74). Hence two support vector machines, linear and RBF, on the same subject-wise
folds. Accuracies of small cohorts scatter (chance SD .079 with 20 scans a site), so
the null is the same probe on permuted labels, never a table.

Three views of the posterior N(mean, diag std^2), see `posterior_view`:

- ``mean``: every difference counts, however small beside the posterior's own spread.
  A dimension that costs .001 nats can still betray the site, once standardised.
- ``sample``: z as the decoder gets it. What is readable here is information.
- ``whitened``: the mean in units of the posterior standard deviation, features NOT
  standardised again. A difference of .01 std stays .01: it is below the posterior's
  own spread, and whoever receives a sample cannot see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn import config_context
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import SVC

from medvae.evaluation.bootstrap import interval
from medvae.evaluation.estimate import Estimate, FloatArray, IntArray

Kind = Literal["linear", "rbf"]
View = Literal["mean", "sample", "whitened"]
MAX_FOLDS = 5


@dataclass(frozen=True)
class Leakage:
    """What a probe read: balanced accuracy (chance 1/K) and one-vs-rest AUC (.5)."""

    balanced_accuracy: Estimate
    auc: Estimate


@dataclass(frozen=True)
class _Fold:
    """Kernels of one fold; labels may be permuted without computing them again."""

    train: IntArray
    test: IntArray
    train_kernel: FloatArray
    test_kernel: FloatArray


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
) -> Leakage:
    """Predict labels from features on subjects that the probe was not trained on.

    A support vector machine (C = 1, classes weighted equally) on kernels scaled by
    the training features' total variance, scikit-learn's ``gamma="scale"``. Interval:
    bootstrap of subjects over out-of-fold predictions. Null: labels permuted between
    subjects of one label, and within travelers.

    Args:
        features: (n, d), or (draws, n, d): scores are averaged over draws of z, the
            same permutation applied to all.
        labels: The site of each scan.
        subjects: Who each scan shows; a subject is never on both sides of a fold.
        rng: Folds, permutations and resamples.
        kind: ``linear`` or ``rbf``.
        standardise: Scale every feature to unit variance on the training side.
        permutations: How many; the smallest p is 1 / (permutations + 1).

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
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be linear or rbf, got {kind!r}")
    z = np.asarray(features, dtype=np.float64)
    z = z[None] if z.ndim == 2 else z
    names, y = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    splits = grouped_folds(y, subjects, rng)
    folds = [[_fold(x, a, b, kind, standardise) for a, b in splits] for x in z]
    with config_context(assume_finite=True, skip_parameter_validation=True):
        scores = _out_of_fold(folds, y, len(names))
        null = np.empty((permutations, 2))
        for row in null:
            shuffled = permute_labels(y, subjects, rng)
            row[:] = _marks(_out_of_fold(folds, shuffled, len(names)), shuffled)
    marks = _marks(scores, y)
    estimates = []
    for which, chance in enumerate((1 / len(names), 0.5)):
        p = (1 + int(np.sum(null[:, which] >= marks[which] - 1e-12))) / (
            1 + permutations
        )
        ci95 = interval(
            lambda i, which=which: _marks(scores[:, i], y[i])[which],  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            subjects,
            rng,
            draws=500,
        )
        n = len(set(subjects))
        estimates.append(Estimate(float(marks[which]), ci95, n, chance, p))
    return Leakage(*estimates)


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
    both = split.split(np.zeros(len(y)), y, np.asarray(subjects, dtype=str))
    # A fold whose training side lost all but one label cannot train a probe.
    return [(a, b) for a, b in both if len(set(y[a])) > 1]


def permute_labels(
    y: IntArray, subjects: Sequence[str], rng: np.random.Generator
) -> IntArray:
    """Labels that could have been, if they meant nothing.

    A traveler's labels are shuffled among their own scans; subjects seen at one site
    only trade labels as whole persons, so repeated scans stay together.

    Example:
        >>> y = np.array([0, 1, 0, 0, 1])
        >>> permute_labels(y, list("ttabc"), np.random.default_rng(0))[:2].sum()
        np.int64(1)
    """
    result = y.copy()
    _, code = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    settled = []
    for person in range(code.max() + 1):
        mine = np.flatnonzero(code == person)
        if len(set(y[mine])) > 1:
            result[mine] = rng.permutation(y[mine])
        else:
            settled.append(mine)
    order = rng.permutation(len(settled))
    for mine, other in zip(settled, order, strict=True):
        result[mine] = y[settled[other][0]]
    return result


def _fold(
    x: FloatArray, train: IntArray, test: IntArray, kind: Kind, standardise: bool
) -> _Fold:
    a, b = x[train] - x[train].mean(axis=0), x[test] - x[train].mean(axis=0)
    if standardise:
        spread = a.std(axis=0)
        spread[spread == 0] = 1
        a, b = a / spread, b / spread
    total = a.shape[1] * a.var()
    gamma = 1 / total if total > 0 else 1.0
    linear_train, linear_test = gamma * a @ a.T, gamma * b @ a.T
    if kind == "linear":
        return _Fold(train, test, linear_train, linear_test)
    near, far = np.diag(linear_train), gamma * np.sum(b**2, axis=1)
    return _Fold(
        train,
        test,
        np.exp(2 * linear_train - near[:, None] - near),
        np.exp(2 * linear_test - far[:, None] - near),
    )


def _out_of_fold(folds: list[list[_Fold]], y: IntArray, classes: int) -> FloatArray:
    """Scores (draws, n, classes); a label that no training fold had scores lowest."""
    scores = np.full((len(folds), len(y), classes), np.nan)
    for row, draw in zip(scores, folds, strict=True):
        for fold in draw:
            known = np.unique(y[fold.train])
            row[fold.test] = -1e6
            if len(known) < 2:
                continue
            machine: Any = SVC(kernel="precomputed", class_weight="balanced")
            machine.fit(fold.train_kernel, y[fold.train])
            margin = machine.decision_function(fold.test_kernel)
            margin = np.stack([-margin, margin], 1) if margin.ndim == 1 else margin
            row[np.ix_(fold.test, known)] = margin
    return scores


def _marks(scores: FloatArray, y: IntArray) -> tuple[float, float]:
    """Balanced accuracy and mean one-vs-rest AUC, averaged over draws."""
    marks = [(balanced_accuracy(s, y), one_vs_rest_auc(s, y)) for s in scores]
    accuracy, auc = np.mean(marks, axis=0)
    return float(accuracy), float(auc)


def balanced_accuracy(scores: FloatArray, y: IntArray) -> float:
    """Mean over the labels present of the share recognised; (n, classes) scores.

    Example:
        >>> scores = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> balanced_accuracy(scores, np.array([0, 1, 1]))
        0.75
    """
    kept = np.isfinite(scores).all(axis=1)
    if not kept.any():
        return float("nan")
    hit = scores[kept].argmax(axis=1) == y[kept]
    return float(np.mean([hit[y[kept] == k].mean() for k in np.unique(y[kept])]))


def one_vs_rest_auc(scores: FloatArray, y: IntArray) -> float:
    """Mean over labels of the probability that their own score ranks them first.

    Example:
        >>> one_vs_rest_auc(np.eye(3), np.arange(3))
        1.0
    """
    kept = np.isfinite(scores).all(axis=1)
    areas = []
    for k in np.unique(y[kept]):
        own = y[kept] == k
        if own.all():
            continue
        rank = rankdata(scores[kept, k])[own]
        pairs = own.sum() * (~own).sum()
        areas.append((rank.sum() - own.sum() * (own.sum() + 1) / 2) / pairs)
    return float(np.mean(areas)) if areas else float("nan")
