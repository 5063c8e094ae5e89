"""Robust means, shrunk covariances, and the classifier that judges a fit."""

import tracemalloc

import numpy as np
import pytest

from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.sites import (
    robust_mean,
    shrunk_covariance,
    summarise_site,
    weighted_median,
)
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


def site_of(table):
    return summarise_site(
        "S", [ScanEstimate(tuple(row), (1.0,) * 3, 1.0, "air") for row in table]
    )


def widths(site):
    return np.array(site.ci95)[:, 1] - np.array(site.mean)


def test_a_scan_of_weight_two_counts_as_two_scans():
    rng = np.random.default_rng(0)
    x, picks = rng.normal(size=(12, 4)), rng.multinomial(12, np.full(12, 1 / 12), 20)
    twice = [np.repeat(x, counts, axis=0) for counts in picks]
    means = [robust_mean(rows, np.ones((1, 12)))[0] for rows in twice]
    assert robust_mean(x, picks.astype(float)) == pytest.approx(np.array(means))
    medians = weighted_median(np.broadcast_to(x, (20, *x.shape)), picks.astype(float))
    assert medians == pytest.approx(np.array([np.median(r, axis=0) for r in twice]))


def test_a_bootstrap_in_pieces_is_the_same_bootstrap(monkeypatch):
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(9, 3)), rng.exponential(size=(30, 9))
    whole = robust_mean(x, weights)
    monkeypatch.setattr("noise_models.scanner.sites.AT_ONCE", 100)
    assert np.array_equal(robust_mean(x, weights), whole)


def test_95_percent_intervals_of_twelve_scans_hold_the_mean_in_95_percent():
    # The scale of the robust mean is as uncertain as its centre: without it, 94.2 %.
    rng = np.random.default_rng(0)
    held = [
        np.abs(site.mean) <= widths(site)
        for site in (site_of(rng.normal(size=(12, len(NAMES)))) for _ in range(150))
    ]
    assert 0.95 <= np.mean(held) <= 0.97


def test_scans_that_cannot_tell_do_not_make_an_interval_narrower():
    x = np.random.default_rng(0).normal(size=(12, len(NAMES)))
    gappy = x.copy()
    gappy[6:, 0] = np.nan
    half = widths(site_of(gappy))
    assert half[0] == pytest.approx(widths(site_of(x[:6]))[0])
    assert half[1:] == pytest.approx(widths(site_of(x))[1:])
