import numpy as np
import pytest

from medvae.evaluation.bootstrap import (
    interval,
    jackknife,
    mean_estimate,
    paired_difference,
    sign_flip_p,
)
from medvae.evaluation.travelers import image_icc


def test_interval_of_the_mean_covers_the_truth_as_often_as_promised():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        estimate = mean_estimate(rng.normal(size=40), [str(i) for i in range(40)], rng)
        hits += estimate.ci95[0] <= 0 <= estimate.ci95[1]
    assert 0.89 <= hits / 200 <= 0.99


def test_repeated_scans_of_a_person_do_not_narrow_the_interval():
    rng = np.random.default_rng(0)
    values = rng.normal(size=20)
    once = mean_estimate(values, [str(i) for i in range(20)], rng).ci95
    names = [str(i) for i in range(20) for _ in range(10)]
    tenfold = mean_estimate(np.repeat(values, 10), names, rng).ci95
    assert np.ptp(tenfold) == pytest.approx(np.ptp(once), rel=0.1)


def test_quick_mean_agrees_with_the_general_interval():
    rng = np.random.default_rng(0)
    values, names = rng.normal(size=60), [str(i // 2) for i in range(60)]
    quick = mean_estimate(values, names, rng, draws=4000).ci95
    slow = interval(lambda i: values[i].mean(), names, rng, draws=4000)
    assert quick == pytest.approx(slow, abs=0.03)


def test_one_subject_gives_no_interval():
    assert mean_estimate([1.0, 2.0], ["a", "a"], np.random.default_rng(0)).ci95 is None


def test_six_equal_signs_give_the_smallest_exact_p():
    assert sign_flip_p(np.full(6, -0.3), np.random.default_rng(0)) == 2 / 2**6


def test_random_flips_agree_with_exact_flips():
    x = np.random.default_rng(1).normal(0.4, 1, size=12)
    exact = sign_flip_p(x, np.random.default_rng(0))
    many = np.concatenate([x, [0.0]])  # a thirteenth pair that changes nothing
    assert sign_flip_p(many, np.random.default_rng(0)) == pytest.approx(exact, abs=0.02)


def test_pairing_removes_the_spread_between_subjects():
    rng = np.random.default_rng(0)
    a = rng.uniform(1, 10, size=15)
    result = paired_difference(a, 0.8 * a, rng)
    assert result.ratio_ci95 == pytest.approx((0.8, 0.8))
    assert result.p < 0.001


def test_unequal_arms_are_refused():
    with pytest.raises(ValueError, match="one value per subject"):
        paired_difference([1.0], [1.0, 2.0], np.random.default_rng(0))


@pytest.mark.parametrize(("people", "size"), [(6, 8), (12, 200)])
def test_left_out_one_at_a_time_the_agreement_of_people_is_covered(people, size):
    """Resampled with replacement, 12 people covered 69 %."""
    held = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        body = rng.normal(size=(people, 1, size))
        x = body + rng.normal(size=(people, 2, size))
        found = jackknife(lambda kept, x=x: image_icc(x[kept]), people)
        held.append(found.ci95[0] <= 0.5 <= found.ci95[1])
    assert np.mean(held) > 0.89


def test_one_person_has_no_interval():
    assert jackknife(lambda kept: 1.0, 1).ci95 is None
