"""ComBat against a slow, literal reading of the paper, and on known answers."""

from pathlib import Path

import numpy as np
import pytest

from medvae.cohort import Cohort, Scan
from medvae.comparison.plan import Arm, Plan
from medvae.comparison.run import check_comparable
from medvae.errors import UserError
from medvae.evaluation.baselines.combat import fit_combat
from medvae.evaluation.leakage import posterior_view, probe


def slow_combat(x, sites):
    """Johnson 2007, section 3, feature by feature; returns the adjusted data."""
    n, d = x.shape
    names = sorted(set(sites))
    groups = {s: [j for j in range(n) if sites[j] == s] for s in names}
    alpha, sigma = np.zeros(d), np.zeros(d)
    for g in range(d):
        means = {s: np.mean([x[j, g] for j in groups[s]]) for s in names}
        alpha[g] = sum(len(groups[s]) * means[s] for s in names) / n
        sigma[g] = np.sqrt(sum((x[j, g] - means[sites[j]]) ** 2 for j in range(n)) / n)
    z = (x - alpha) / sigma
    out = np.zeros_like(x)
    for s in names:
        own = z[groups[s]]
        k = len(own)
        gamma_hat, delta_hat = own.mean(0), own.var(0, ddof=1)
        gamma_bar, tau2 = gamma_hat.mean(), gamma_hat.var(ddof=1)
        v, s2 = delta_hat.mean(), delta_hat.var(ddof=1)
        lam, theta = (v**2 + 2 * s2) / s2, (v**3 + v * s2) / s2
        for g in range(d):
            gamma, delta = gamma_hat[g], delta_hat[g]
            for _ in range(2000):
                gamma = (k * tau2 * gamma_hat[g] + delta * gamma_bar) / (
                    k * tau2 + delta
                )
                rest = 0.5 * np.sum((own[:, g] - gamma) ** 2)
                delta = (theta + rest) / (k / 2 + lam - 1)
            fixed = sigma[g] / np.sqrt(delta) * (own[:, g] - gamma) + alpha[g]
            out[groups[s], g] = fixed
    return out


@pytest.fixture
def scans():
    rng = np.random.default_rng(3)
    sites = ["A"] * 9 + ["B"] * 14 + ["C"] * 11
    x = rng.normal(size=(34, 6)) * rng.uniform(0.5, 3, 6) + rng.normal(size=6)
    shift = {"A": 0.0, "B": 1.5, "C": -1.0}
    scale = {"A": 1.0, "B": 2.0, "C": 0.6}
    x = np.array([scale[s] * row + shift[s] for s, row in zip(sites, x, strict=True)])
    return x, sites


def test_it_is_the_combat_of_the_paper(scans):
    x, sites = scans
    fast = fit_combat(x, sites).apply(x, sites)
    np.testing.assert_allclose(fast, slow_combat(x, sites), rtol=1e-5, atol=1e-6)


def test_new_scans_of_a_known_site_are_moved_as_the_fitted_ones(scans):
    x, sites = scans
    model = fit_combat(x, sites)
    whole = model.apply(x, sites)
    np.testing.assert_allclose(model.apply(x[12:13], ["B"]), whole[12:13])


def test_a_site_outside_the_fit_is_left_alone(scans):
    x, sites = scans
    model = fit_combat(x, sites)
    np.testing.assert_array_equal(model.apply(x[:4], ["N"] * 4), x[:4])


def test_a_covariate_keeps_its_effect():
    rng = np.random.default_rng(0)
    age = np.concatenate([rng.uniform(20, 40, 60), rng.uniform(60, 80, 60)])
    sites = ["A"] * 60 + ["B"] * 60
    x = 0.1 * age[:, None] + rng.normal(0, 0.1, (120, 5))
    x[60:] += 4.0
    kept = fit_combat(x, sites, age).apply(x, sites, age)
    slope = np.polyfit(age, kept.mean(axis=1), 1)[0]
    assert slope == pytest.approx(0.1, abs=0.01)
    lost = fit_combat(x, sites).apply(x, sites)
    assert np.polyfit(age, lost.mean(axis=1), 1)[0] < 0.05


def test_a_constant_feature_stays_and_a_lone_scan_is_refused(scans):
    x, sites = scans
    x = np.column_stack([x, np.full(len(x), 7.0)])
    assert (fit_combat(x, sites).apply(x, sites)[:, -1] == 7.0).all()
    with pytest.raises(ValueError, match="two scans a site, D has 1"):
        fit_combat(x[:10], ["A"] * 9 + ["D"])


def test_samples_tell_a_site_that_stretches_codes_no_more_than_their_means():
    """AUC of the RBF probe on samples: .73 with the spread left as it was."""
    rng = np.random.default_rng(0)
    site, stretch = ["A"] * 60 + ["B"] * 60, np.repeat([1.0, 3.0], 60)[:, None]
    mean = stretch * rng.normal(size=(120, 12))
    std = stretch * np.full((120, 12), 0.7)
    model = fit_combat(mean, site)
    even = model.apply_spread(std, site)
    names = [str(i) for i in range(120)]

    def told(deviations):
        draws = np.random.default_rng(1)
        z = posterior_view(model.apply(mean, site), deviations, "sample", draws)
        return probe(z, site, names, draws, permutations=1).auc.value

    assert told(even) < 0.65 < told(std)
    np.testing.assert_allclose(even[:60].mean() / even[60:].mean(), 1, atol=0.1)
    strangers = model.apply_spread(std, ["elsewhere"] * 120)
    np.testing.assert_array_equal(strangers, std)


def test_a_site_with_one_scan_to_learn_from_is_refused_before_any_training():
    scans = [Scan(Path(f"A{k}.nii"), f"A{k}", "A") for k in range(12)]
    scans += [Scan(Path("B0.nii"), "B0", "B"), Scan(Path("N0.nii"), "N0", "N")]
    arms = (Arm(name="none"), Arm(name="combat", baseline="combat"))
    plan = Plan(arms=arms, held_out=("N",), seeds=1)
    with pytest.raises(UserError, match="2 scans a site, and B has 1 in the training"):
        check_comparable(plan, Cohort(Path(), "table", tuple(scans)))
    check_comparable(
        plan.model_copy(update={"arms": arms[:1]}), Cohort(Path(), "table", scans)
    )
