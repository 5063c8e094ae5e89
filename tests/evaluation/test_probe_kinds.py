"""Nearest neighbours, and what is left of the site beyond age and sex."""

import numpy as np
import pytest
from fake_cohort import FakeEncoder, fake_cohort
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier

from medvae.evaluation.covariates import covariate_table, residuals
from medvae.evaluation.leakage import probe
from medvae.evaluation.neighbours import nearest, votes
from medvae.evaluation.protocol import evaluate


def names(n):
    return [f"s{k}" for k in range(n)]


def test_votes_are_scikit_learn_s_neighbours_over_the_class_share():
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(40, 4)), rng.normal(size=(9, 4))
    y = np.array([0] * 25 + [1] * 10 + [2] * 5)
    theirs = KNeighborsClassifier(5).fit(train, y).predict_proba(test)
    ours = votes(nearest(train, test), y[None], 3)[0]
    np.testing.assert_allclose(ours * np.bincount(y) / 40, theirs)


def test_neighbours_find_clumps_that_no_plane_parts():
    rng = np.random.default_rng(0)
    corner = rng.integers(0, 2, (160, 2))
    z = 4.0 * corner + rng.normal(size=(160, 2))
    site = np.where(corner[:, 0] == corner[:, 1], "A", "B")
    found = {
        kind: probe(z, site, names(160), rng, kind=kind, permutations=20).auc.value
        for kind in ("linear", "knn")
    }
    assert found["linear"] < 0.65
    assert found["knn"] > 0.9


def test_neighbours_find_nothing_where_nothing_is():
    values = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        z, site = rng.normal(size=(60, 6)), np.repeat(["A", "B"], 30)
        found = probe(z, site, names(60), rng, kind="knn", permutations=10)
        values.append(found.auc.value)
    assert np.mean(values) == pytest.approx(0.5, abs=0.06)


def test_residuals_are_those_of_scikit_learn_s_regression_within_sites():
    rng = np.random.default_rng(0)
    x, new, age, asked = (
        rng.normal(size=s) for s in ((30, 4), (7, 4), (30, 2), (7, 2))
    )
    site = np.arange(30) % 3
    table = np.column_stack([np.eye(3)[site][:, 1:], age])
    slope = LinearRegression().fit(table, x).coef_[:, 2:]
    left, rest = residuals(x, new, age, asked, site)
    np.testing.assert_allclose(left, x - (age - age.mean(0)) @ slope.T, atol=1e-10)
    np.testing.assert_allclose(rest, new - (asked - age.mean(0)) @ slope.T, atol=1e-10)


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.3, 0.7), (3.0, 0.9, 1.0)])
def test_a_site_of_older_people_is_told_from_a_scanner(shift, low, high):
    rng = np.random.default_rng(1)
    site = np.repeat(["A", "B"], 60)
    age = rng.uniform(20, 60, 120) + 30 * (site == "B")
    z = rng.normal(size=(120, 3))
    z[:, 0] += 0.2 * age
    z[:, 1] += shift * (site == "B")
    who, options = names(120), {"permutations": 20}
    table, _ = covariate_table(age, [None] * 120)
    plain = probe(z, site, who, rng, **options).auc.value
    beyond = probe(z, site, who, rng, covariates=table, **options).auc.value
    assert plain > 0.85
    assert low <= beyond <= high


def test_harmonised_volumes_of_one_head_vary_less_than_its_scans():
    found = evaluate(
        FakeEncoder(blind=1.0), fake_cohort(), held_out=("N",), permutations=5
    )
    raw, moved = (
        found.get("travelers", f"cov_bright_volume_{k}") for k in ("raw", "harmonised")
    )
    assert raw.n == moved.n == 6
    assert moved.ci95[1] < raw.ci95[0]


def test_one_site_s_age_probe_fails_where_latents_carry_the_scanner():
    mae = {
        blind: evaluate(
            FakeEncoder(blind=blind),
            fake_cohort(per_site=24),
            held_out=("N",),
            permutations=5,
        )
        .get("age", "mae_years_one_site")
        .value
        for blind in (1.0, 0.0)
    }
    assert mae[1.0] < 0.7 * mae[0.0]


def test_transfers_carry_psnr_and_ssim_against_the_real_scan():
    found = evaluate(
        FakeEncoder(blind=1.0), fake_cohort(), held_out=("N",), permutations=5
    )
    for row in found.travelers:
        assert row.psnr > 15
        assert 0 < row.ssim <= 1
    mean = np.mean([row.psnr for row in found.travelers])
    assert found.get("transfer", "psnr").value == pytest.approx(mean, abs=0.5)
