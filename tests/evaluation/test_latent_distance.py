import numpy as np
import pytest

from medvae.evaluation.distribution import (
    energy_distance,
    mmd2,
    squared_distances,
    two_sample,
)
from medvae.evaluation.questions.site import two_groups


@pytest.fixture
def clouds():
    rng = np.random.default_rng(0)
    return rng.normal(size=(7, 3)), rng.normal(0.5, 1, size=(9, 3))


def slow(a, b, similarity):
    def mean(x, y, same):
        values = [
            similarity(np.linalg.norm(u - v))
            for i, u in enumerate(x)
            for j, v in enumerate(y)
            if not (same and i == j)
        ]
        return np.mean(values)

    return mean(a, a, True) + mean(b, b, True) - 2 * mean(a, b, False)


def test_mmd_is_the_slow_loop(clouds):
    expected = slow(*clouds, lambda d: np.exp(-(d**2) / (2 * 1.7**2)))
    assert mmd2(*clouds, width=1.7) == pytest.approx(expected)


def test_energy_distance_is_the_slow_loop(clouds):
    assert energy_distance(*clouds) == pytest.approx(slow(*clouds, lambda d: -d))


def test_both_are_unbiased_where_there_is_no_difference():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(600, 2, 5, 2))
    for distance in (lambda a, b: mmd2(a, b, width=2.0), energy_distance):
        values = [distance(a, b) for a, b in draws]
        assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


def test_a_point_drawn_twice_is_not_paired_with_its_copy(clouds):
    x = np.concatenate(clouds)
    similarity = -np.linalg.norm(x[:, None] - x, axis=2)
    first = np.arange(16) < 7
    assert two_sample(similarity, first, np.full(16, 2.0)) == pytest.approx(
        two_sample(similarity, first)
    )


def cohort(seed, people, scans, travelers):
    """Scans of two groups without any difference, some people in both."""
    rng = np.random.default_rng(seed)
    z, first, who = [], [], []
    for group in (True, False):
        for k in range(people):
            body = rng.normal(size=4)
            for _ in range(scans):
                z.append(body + 0.3 * rng.normal(size=4))
                first.append(group)
                who.append(f"{group}{k}")
    for k in range(travelers):
        body = rng.normal(size=4)
        for group in (True, True, False):
            z.append(body + 0.3 * rng.normal(size=4))
            first.append(group)
            who.append(f"t{k}")
    return np.array(z), np.array(first), who


@pytest.mark.parametrize(("people", "scans", "travelers"), [(10, 3, 0), (5, 1, 12)])
def test_people_with_several_scans_are_no_difference(people, scans, travelers):
    values, inside, own = [], [], []
    for seed in range(60):
        z, first, who = cohort(seed, people, scans, travelers)
        similarity = np.exp(-squared_distances(z, z) / 16)
        found = two_groups(similarity, first, who, np.random.default_rng(0), 5)
        values.append(found.value)
        inside.append(found.ci95[0] <= 0 <= found.ci95[1])
        own.append(found.ci95[0] <= found.value <= found.ci95[1])
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    assert np.mean(inside) > 0.8
    assert all(own)


def test_width_must_be_positive(clouds):
    with pytest.raises(ValueError, match="width must be > 0"):
        mmd2(*clouds, width=0.0)
