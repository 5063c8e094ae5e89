import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, LeaveOneOut

from medvae.evaluation.biology import (
    ALPHAS,
    cross_validated_ages,
    predict_age,
    score_ages,
)


def test_penalty_is_the_one_leave_one_out_search_finds():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(25, 40))
    y = 40 + 10 * x[:, 0] + rng.normal(size=25)
    scale = np.sqrt(np.mean((x - x.mean(0)) ** 2) * 40) / np.sqrt(25)
    search = GridSearchCV(
        Ridge(), {"alpha": ALPHAS}, cv=LeaveOneOut(), scoring="neg_mean_squared_error"
    ).fit((x - x.mean(0)) / scale, y)
    theirs = search.predict((x - x.mean(0)) / scale)
    np.testing.assert_allclose(predict_age(x, y, x), theirs, rtol=1e-6)


def test_age_in_the_latent_is_read_and_noise_is_not():
    rng = np.random.default_rng(0)
    age, who = rng.uniform(20, 80, 60), [str(i) for i in range(60)]
    told = rng.normal(size=(60, 200))
    told[:, 0] += age / 2
    for z, low, high in ((told, 0.0, 0.4), (rng.normal(size=(60, 200)), 0.9, 1.3)):
        guess, flat = cross_validated_ages(z, age, who)
        share = score_ages(guess, age, flat, who, rng).share
        assert low <= share.value <= high
        assert (share.p < 0.05) == (high < 0.9)


def test_chance_is_the_error_of_predicting_the_training_mean():
    rng = np.random.default_rng(0)
    found = score_ages([50, 50], [30, 60], 50.0, ["a", "b"], rng)
    assert found.mae.chance == 15
    assert found.share.value == 1


def test_a_constant_latent_predicts_the_training_mean():
    guess = predict_age(np.ones((4, 2)), [20, 30, 40, 50], np.ones((2, 2)))
    assert guess.tolist() == [35, 35]


def test_equal_ages_give_no_share_instead_of_dividing_by_zero():
    found = score_ages([40, 41], [40, 40], 40.0, ["a", "b"], np.random.default_rng(0))
    assert not found.share.is_finite
    assert found.mae.value == pytest.approx(0.5)


def test_scans_of_one_person_are_not_several_people():
    rng = np.random.default_rng(0)
    who = np.repeat([str(i) for i in range(6)], 6)
    found = []
    for _ in range(200):
        guess, age = (np.repeat(rng.uniform(20, 80, 6), 6) for _ in range(2))
        found.append(score_ages(guess, age, 50.0, who, rng, permutations=99).mae.p)
    assert np.mean(np.array(found) <= 0.05) < 0.1  # .28 if scans trade ages


def test_p_is_uniform_where_people_trade_ages():
    rng = np.random.default_rng(1)
    who = [str(i) for i in range(12)]
    found = [
        score_ages(*rng.uniform(20, 80, (2, 12)), 50.0, who, rng, permutations=99).mae.p
        for _ in range(200)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.07)
