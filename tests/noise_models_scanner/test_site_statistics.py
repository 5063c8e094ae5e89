"""Robust means, shrunk covariances, and the classifier that judges a fit."""

import tracemalloc

import numpy as np
import pytest

from noise_models.scanner.sites import robust_mean, shrunk_covariance
from noise_models.scanner.two_sample import auc, separation_p, two_sample_auc


def test_auc_is_the_share_of_ordered_pairs():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=7), rng.normal(size=9) + 0.5
    slow = np.mean([[(y > x) + 0.5 * (y == x) for x in a] for y in b])
    assert auc(a, b) == pytest.approx(slow)


def test_classifier_is_at_chance_on_one_population():
    rng = np.random.default_rng(1)
    found = [
        two_sample_auc(rng.normal(size=(12, 10)), rng.normal(size=(12, 10)), seed=k)
        for k in range(12)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)


def test_permutation_p_is_uniform_under_the_null():
    rng = np.random.default_rng(2)
    found = [
        separation_p(rng.normal(size=(8, 5)), rng.normal(size=(8, 5)), repeats=49)
        for _ in range(60)
    ]
    assert 0.35 < np.mean(found) < 0.65


def test_one_outlier_hardly_moves_the_robust_mean():
    x = np.random.default_rng(0).normal(size=(20, 1))
    spoiled = x.copy()
    spoiled[0] = 100
    one, other = (robust_mean(v, np.ones((1, 20)))[0, 0] for v in (x, spoiled))
    assert abs(one - other) < 0.3


def test_resampling_many_scans_takes_no_more_memory_than_few():
    def peak(count: int) -> int:
        x = np.random.default_rng(0).normal(size=(count, 26))
        weights = np.ones((400, count))
        tracemalloc.start()
        robust_mean(x, weights, rounds=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak(4000) < 1.5 * peak(400)


def test_means_of_many_weightings_are_those_of_each_alone():
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(3000, 26)), rng.integers(0, 3, (30, 3000))
    together = robust_mean(x, weights)
    alone = np.concatenate([robust_mean(x, weights[k : k + 1]) for k in range(30)])
    assert np.array_equal(together, alone)


def test_shrinkage_pulls_few_scans_to_the_diagonal():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 20))
    c = shrunk_covariance(x, x.mean(0))
    d = np.sqrt(np.diag(c))
    off = (c / np.outer(d, d))[~np.eye(20, dtype=bool)]
    raw = np.corrcoef(x.T)[~np.eye(20, dtype=bool)]
    assert np.abs(off).mean() < 0.5 * np.abs(raw).mean()
