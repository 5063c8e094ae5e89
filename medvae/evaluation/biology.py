"""Is the person still in the latent? Reading age across sites.

Removing the site can remove the biology with it, so the probe is trained on some
sites and asked about people from others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold

from medvae.evaluation.bootstrap import interval
from medvae.evaluation.estimate import Estimate, FloatArray

ALPHAS = tuple(10.0**k for k in np.arange(-3, 6.5, 0.5))


@dataclass(frozen=True)
class AgeProbe:
    """How well age is read on subjects that were not trained on.

    Args:
        mae: Mean absolute error in years; its chance is the error of predicting the
            training subjects' mean age, its p lets the tested people trade ages.
        share: ``mae`` over that chance; below 1 the latent knows something.
    """

    mae: Estimate
    share: Estimate


def predict_age(train: ArrayLike, age: ArrayLike, test: ArrayLike) -> FloatArray:
    """Ridge regression of age, its penalty chosen by leave-one-out on ``train``.

    Features keep their relative scale: a latent dimension with no variance should
    not be blown up to the size of one that carries the anatomy.

    Args:
        train: (n, d) latents.
        age: (n,) years.
        test: (m, d) latents.

    Returns:
        (m,) years.

    Example:
        >>> z = np.arange(20.0)[:, None]
        >>> predict_age(z, 20 + z[:, 0], [[5.0]]).round(1).tolist()
        [25.0]
    """
    x, y, new = (np.asarray(v, dtype=np.float64) for v in (train, age, test))
    centre = x.mean(axis=0)
    scale = np.sqrt(np.mean((x - centre) ** 2) * x.shape[1])
    if scale == 0:
        return np.full(len(new), y.mean())
    ridge = RidgeCV(alphas=ALPHAS).fit((x - centre) / scale * np.sqrt(len(x)), y)
    result: FloatArray = ridge.predict((new - centre) / scale * np.sqrt(len(x)))
    return result


def score_ages(
    predicted: ArrayLike,
    age: ArrayLike,
    baseline: ArrayLike,
    subjects: Sequence[str],
    rng: np.random.Generator,
    *,
    permutations: int = 1000,
) -> AgeProbe:
    """Judge predicted ages against the truth and against predict-the-mean.

    Args:
        predicted: (n,) years.
        age: (n,) true years.
        baseline: (n,) or scalar, the training mean, in years.
        subjects: Who each scan shows.
        rng: Permutations and resamples.
        permutations: How many.

    Example:
        >>> names = ["a", "b", "c", "d"]
        >>> result = score_ages([21, 29, 41, 49], [20, 30, 40, 50], 35.0, names,
        ...                     np.random.default_rng(0))
        >>> result.mae.value, result.mae.chance, result.share.value
        (1.0, 10.0, 0.1)
    """
    guess, truth = np.asarray(predicted, np.float64), np.asarray(age, np.float64)
    error = np.abs(guess - truth)
    flat = np.abs(
        np.broadcast_to(np.asarray(baseline, np.float64), truth.shape) - truth
    )
    n = len(set(subjects))
    traded = traded_ages(truth, subjects, rng, permutations)
    shuffled = np.abs(guess - traded).mean(axis=1)
    p = (1 + int(np.sum(shuffled <= error.mean() + 1e-12))) / (1 + permutations)
    mae_ci = interval(lambda i: float(error[i].mean()), subjects, rng)
    share_ci = interval(lambda i: _share(error[i], flat[i]), subjects, rng)
    chance = float(flat.mean())
    return AgeProbe(
        mae=Estimate(float(error.mean()), mae_ci, n, chance, p),
        share=Estimate(_share(error, flat), share_ci, n, 1.0, p),
    )


def traded_ages(
    age: FloatArray, subjects: Sequence[str], rng: np.random.Generator, times: int
) -> FloatArray:
    """Ages that could have been, if they meant nothing: whole persons trade theirs.

    All scans of a person move together, as far apart in time as they were.

    Args:
        age: (n,) years.
        subjects: Who each scan shows.
        rng: Decides the trades.
        times: How many trades.

    Returns:
        (times, n) years.

    Example:
        >>> age = np.array([20.0, 21.0, 60.0])
        >>> rng = np.random.default_rng(3)
        >>> traded_ages(age, ["a", "a", "b"], rng, times=1).tolist()
        [[59.5, 60.5, 20.5]]
    """
    _, person = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    own = np.bincount(person, age) / np.bincount(person)
    others = np.array([rng.permutation(own) for _ in range(times)])
    traded: FloatArray = age + (others - own)[:, person]
    return traded


def _share(error: FloatArray, flat: FloatArray) -> float:
    return float(error.mean() / flat.mean()) if flat.mean() > 0 else float("nan")


def cross_validated_ages(
    latents: ArrayLike, age: ArrayLike, subjects: Sequence[str], *, folds: int = 5
) -> tuple[FloatArray, FloatArray]:
    """Out-of-fold predictions, and the mean age each fold was trained on.

    Folds never split a subject.

    Example:
        >>> z = np.arange(12.0)[:, None]
        >>> guess, flat = cross_validated_ages(z, 40 + z[:, 0], list("abcdefghijkl"))
        >>> bool(np.abs(guess - 40 - z[:, 0]).max() < 0.5)
        True
    """
    x, y = np.asarray(latents, np.float64), np.asarray(age, np.float64)
    guess, flat = np.empty(len(y)), np.empty(len(y))
    split = GroupKFold(min(folds, len(set(subjects))))
    for train, test in split.split(x, y, np.asarray(subjects, dtype=str)):
        guess[test] = predict_age(x[train], y[train], x[test])
        flat[test] = y[train].mean()
    return guess, flat
