import numpy as np
import pytest

from medvae.evaluation.travelers import icc, image_icc, recognised, within_subject_cov

# Shrout & Fleiss 1979, table 2: six targets rated by four judges.
RATINGS = [
    [9, 2, 5, 8],
    [6, 1, 3, 2],
    [8, 4, 6, 8],
    [7, 1, 2, 6],
    [10, 5, 6, 9],
    [6, 2, 4, 7],
]


def test_icc_is_that_of_shrout_and_fleiss():
    assert icc(RATINGS).value == pytest.approx(0.29, abs=0.005)


def test_interval_is_the_published_one_for_their_ratings():
    """R's psych::ICC prints .019 and .761 for ICC2 of this table."""
    found = icc(RATINGS)
    assert (found.low, found.high) == pytest.approx((0.019, 0.761), abs=0.001)


@pytest.mark.parametrize(("people", "scanners"), [(20, 6), (6, 3)])
def test_interval_covers_the_truth_as_often_as_promised(people, scanners):
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        x = rng.normal(size=(people, 1)) * np.sqrt(0.847)
        found = icc(x + np.sqrt(0.153) * rng.normal(size=(people, scanners)))
        hits += found.low <= 0.847 <= found.high
    assert hits / 400 >= 0.91


def test_a_scanners_constant_offset_counts_against_it():
    person = np.random.default_rng(0).normal(size=30)
    assert icc(np.stack([person, person], 1)).value == pytest.approx(1)
    assert icc(np.stack([person, person + 2], 1)).value < 0.5


def test_constant_ratings_give_nan_and_no_crash():
    assert np.isnan(icc(np.ones((4, 2))).value)


def test_parallel_ratings_still_have_an_interval():
    exact, nearly = (icc([[1, 2], [2, 3], [3, last]]) for last in (4, 4.0001))
    assert exact.value == pytest.approx(2 / 3)
    assert exact.low == pytest.approx(nearly.low, abs=1e-3)
    assert exact.high == pytest.approx(nearly.high, abs=1e-3)


def test_image_icc_of_one_feature_is_icc():
    x = np.array(RATINGS, float)
    assert image_icc(x[..., None]) == pytest.approx(icc(x).value)


def test_dimensions_that_hold_nothing_do_not_move_image_icc():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, 1, 3)) + 0.5 * rng.normal(size=(10, 2, 3))
    padded = np.concatenate([x, 1e-6 * rng.normal(size=(10, 2, 500))], axis=2)
    assert image_icc(padded) == pytest.approx(image_icc(x), abs=1e-6)


def test_recognition_of_noise_is_at_chance():
    rng = np.random.default_rng(0)
    hits = [recognised(*rng.normal(size=(2, 10, 4))).mean() for _ in range(300)]
    assert np.mean(hits) == pytest.approx(0.1, abs=0.03)


def test_a_collapsed_latent_recognises_nobody():
    assert recognised(np.zeros((8, 3)), np.zeros((8, 3))).mean() == pytest.approx(1 / 8)


def test_coefficient_of_variation_of_known_noise_is_recovered():
    rng = np.random.default_rng(0)
    truth = rng.uniform(50, 500, size=(4000, 1))
    scans = truth * (1 + 0.05 * rng.normal(size=(4000, 3)))
    assert within_subject_cov(scans) == pytest.approx(0.05, rel=0.03)


def test_quantities_without_a_true_zero_have_no_coefficient_of_variation():
    with pytest.raises(ValueError, match="positive"):
        within_subject_cov([[1.0, -1.0]])
