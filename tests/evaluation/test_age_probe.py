import numpy as np
import pytest

from medvae.evaluation.biology import (
    cross_validated_ages,
    score_ages,
    score_cross_validated,
    traded_ages,
)


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


def test_p_is_uniform_where_people_teach_and_are_asked_in_turn():
    """Traded after training, ages gave p of .79 on average."""
    who, found = [str(i) for i in range(12)], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        z, age = rng.normal(size=(12, 20)), rng.uniform(20, 80, 12)
        probe = score_cross_validated(z, age, who, rng, permutations=39)
        found.append(probe.mae.p)
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)
    assert 0.1 < np.mean(np.array(found) <= 0.2) < 0.32


def test_ages_are_traded_at_home():
    age, who = np.array([20.0, 30, 60, 70, 40, 50]), list("abcdtt")
    site = ["A", "A", "B", "B", "A", "B"]
    traded = traded_ages(age, who, np.random.default_rng(0), 50, site)
    assert {tuple(sorted(row[:2])) for row in traded} == {(20, 30)}
    assert {tuple(sorted(row[2:4])) for row in traded} == {(60, 70)}
    assert (traded[:, 4:] == [40, 50]).all()  # the only one of several sites


def test_who_knows_the_scanner_alone_is_credited_with_nobody_s_age():
    site = ["A"] * 20 + ["B"] * 20
    ps, shares = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        age = np.r_[rng.uniform(20, 35, 20), rng.uniform(55, 75, 20)]
        flat = np.repeat([27.5, 65.0], 20)
        guess, who = flat + rng.normal(0, 1, 40), [str(i) for i in range(40)]
        found = score_ages(guess, age, flat, who, rng, sites=site, permutations=19)
        ps.append(found.share.p)
        shares.append(found.share.value)
    assert np.mean(np.array(ps) <= 0.05) < 0.15
    assert np.mean(shares) > 0.97
