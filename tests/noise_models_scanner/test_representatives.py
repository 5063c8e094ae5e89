"""A few scans are taken whose mean is that of all."""

from itertools import combinations

import numpy as np
import pytest

from noise_models.scanner.representatives import representatives


def table(seed, people, features=32, shared=0.0):
    """Features of people, a share of whose variance all features have in common."""
    rng = np.random.default_rng(seed)
    own, common = rng.standard_normal((people, features)), rng.standard_normal(people)
    return np.sqrt(1 - shared) * own + np.sqrt(shared) * common[:, None]


def miss(features, which):
    away = features[list(which)].mean(0) - features.mean(0)
    return np.sqrt(np.square(away / features.std(0)).mean())


@pytest.mark.parametrize("shared", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_the_mean_of_those_taken_is_nearer_than_that_of_any_taken_blindly(seed, shared):
    features = table(seed, people=24, shared=shared)
    taken = representatives(features, 12)
    assert len(set(taken)) == 12
    blind = np.random.default_rng(seed)
    others = [miss(features, blind.permutation(24)[:12]) for _ in range(200)]
    assert miss(features, taken) < np.quantile(others, 0.02)


@pytest.mark.parametrize("seed", range(5))
def test_no_exchange_of_one_for_another_is_left_that_helps(seed):
    features = table(seed, people=9, features=1)
    taken = representatives(features, 4)
    best = min(miss(features, some) for some in combinations(range(9), 4))
    for out in taken:
        for new in set(range(9)) - set(taken):
            assert miss(features, {*taken, new} - {out}) >= miss(features, taken)
    assert miss(features, taken) <= best + 0.1


def test_units_of_the_features_do_not_count():
    features = table(0, people=20)
    units = np.geomspace(0.1, 1e6, features.shape[1])
    assert representatives(features * 1e6, 8) == representatives(
        features * units * 10, 8
    )


def test_all_are_taken_where_there_are_no_more_than_asked_for():
    assert representatives(table(0, people=5), 12) == [0, 1, 2, 3, 4]


def test_a_feature_without_any_spread_is_no_obstacle():
    features = table(0, people=20)
    features[:, 0] = 3.0
    assert len(representatives(features, 8)) == 8
