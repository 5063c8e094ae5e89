"""Is the person still in the latent? Reading age across sites.

Removing the site can remove the biology with it, so the probe is trained on some
sites and asked about people from others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import GroupKFold

from medvae.evaluation.bootstrap import interval
from medvae.evaluation.estimate import Estimate, FloatArray, IntArray
from medvae.evaluation.ridge import ridge


@dataclass(frozen=True)
class AgeProbe:
    """How well age is read on subjects that were not trained on.

    Args:
        mae: Mean absolute error in years; its chance is the error of predicting the
            training subjects' mean age (of their own site, where it was trained on),
            its p lets people trade ages.
        share: ``mae`` over that chance; below 1 the latent knows something.
    """

    mae: Estimate
    share: Estimate


def score_ages(
    predicted: ArrayLike,
    age: ArrayLike,
    baseline: ArrayLike,
    subjects: Sequence[str],
    rng: np.random.Generator,
    *,
    sites: Sequence[str] | None = None,
    null: ArrayLike | None = None,
    permutations: int = 1000,
) -> AgeProbe:
    """Judge predicted ages against the truth and against predict-the-mean.

    Args:
        predicted: (n,) years.
        age: (n,) true years.
        baseline: (n,) or scalar, the training mean, in years.
        subjects: Who each scan shows.
        rng: Permutations and resamples.
        sites: Where each scan was made: ages are traded inside sites, so that a latent
            that knows only the scanner is credited with nobody's age.
        null: (P,) mean errors of probes that were trained and tested on traded ages,
            where tested people were trained on, too (`cross_validated_ages`); by
            default the tested people trade.
        permutations: How many trades.

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
    if null is None:
        traded = traded_ages(truth, subjects, rng, permutations, sites)
        null = np.abs(guess - traded).mean(axis=1)
    shuffled = np.asarray(null, dtype=np.float64)
    p = (1 + int(np.sum(shuffled <= error.mean() + 1e-12))) / (1 + len(shuffled))
    mae_ci = interval(lambda i: float(error[i].mean()), subjects, rng)
    share_ci = interval(lambda i: _share(error[i], flat[i]), subjects, rng)
    chance = float(flat.mean())
    return AgeProbe(
        mae=Estimate(float(error.mean()), mae_ci, n, chance, p),
        share=Estimate(_share(error, flat), share_ci, n, 1.0, p),
    )


def traded_ages(
    age: FloatArray,
    subjects: Sequence[str],
    rng: np.random.Generator,
    times: int,
    sites: Sequence[str] | None = None,
) -> FloatArray:
    """Ages that could have been, if they meant nothing: whole persons trade theirs.

    All scans of a person move together, as far apart in time as they were.

    Args:
        age: (n,) years.
        subjects: Who each scan shows.
        rng: Decides the trades.
        times: How many trades.
        sites: Where each scan was made: people trade with those of their own site, and
            those of several sites with each other; by default all trade with all.

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
    others = np.tile(own, (times, 1))
    for group in _traders(person, sites):
        others[:, group] = rng.permuted(others[:, group], axis=1)
    traded: FloatArray = age + (others - own)[:, person]
    return traded


def _traders(person: IntArray, sites: Sequence[str] | None) -> list[IntArray]:
    """Groups of people who may trade."""
    count = person.max(initial=-1) + 1
    if sites is None:
        return [np.arange(count)]
    where = np.asarray(sites, dtype=str)
    own = [set(where[person == who].tolist()) for who in range(count)]
    home = np.array([min(at) if len(at) == 1 else "" for at in own])
    return [np.flatnonzero(home == group) for group in np.unique(home)]


def _share(error: FloatArray, flat: FloatArray) -> float:
    return float(error.mean() / flat.mean()) if flat.mean() > 0 else float("nan")


def cross_validated_ages(
    latents: ArrayLike, age: ArrayLike, subjects: Sequence[str], *, folds: int = 5
) -> tuple[FloatArray, FloatArray]:
    """Out-of-fold predictions, and the mean age each fold was trained on.

    Folds never split a subject.

    Args:
        latents: (n, d).
        age: (n,) years, or (n, t) of them, say with traded ones beside the true.
        subjects: Who each scan shows.
        folds: At most.

    Example:
        >>> z = np.arange(12.0)[:, None]
        >>> guess, flat = cross_validated_ages(z, 40 + z[:, 0], list("abcdefghijkl"))
        >>> bool(np.abs(guess - 40 - z[:, 0]).max() < 0.5)
        True
    """
    x, y = np.asarray(latents, np.float64), np.asarray(age, np.float64)
    who = np.asarray(subjects, dtype=str)
    guess, flat = np.empty_like(y), np.empty_like(y)
    split = GroupKFold(min(folds, len(set(subjects))))
    for train, test in split.split(x, y, who):
        guess[test] = ridge(x[train], y[train], x[test], who[train].tolist())
        flat[test] = y[train].mean(axis=0)
    return guess, flat


def score_cross_validated(
    latents: ArrayLike,
    age: ArrayLike,
    subjects: Sequence[str],
    rng: np.random.Generator,
    *,
    permutations: int = 1000,
) -> AgeProbe:
    """How well ages are read among the people themselves, by cross-validation.

    A guess is near a mean that leaves its own fold out, hence against the truth: ages
    are traded before training, not after, or p would be .75 on average without effect.

    Example:
        >>> z, rng = np.arange(12.0)[:, None], np.random.default_rng(0)
        >>> found = score_cross_validated(z, 40 + z[:, 0], list("abcdefghijkl"), rng)
        >>> found.share.value < 0.2, found.mae.p < 0.01
        (True, True)
    """
    truth = np.asarray(age, dtype=np.float64)
    every = np.vstack([truth, traded_ages(truth, subjects, rng, permutations)]).T
    guess, flat = cross_validated_ages(latents, every, subjects)
    errors = np.abs(guess - every).mean(axis=0)
    return score_ages(guess[:, 0], truth, flat[:, 0], subjects, rng, null=errors[1:])
