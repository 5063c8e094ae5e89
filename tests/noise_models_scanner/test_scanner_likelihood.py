import numpy as np
import pytest
from scipy import stats

from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.likelihood import (
    _least_sd,
    drift,
    log_prob,
    score,
    site_probabilities,
)
from noise_models.scanner.sites import summarise_site

SD = 0.15


def scans(seed, n, shift=0.0, moved=0):
    rng = np.random.default_rng(seed)
    values = SD * rng.standard_normal((n, len(NAMES)))
    values[:, moved] += shift
    return [ScanEstimate(tuple(v), (1.0, 1.0, 1.0), 1.0, "air") for v in values]


@pytest.mark.parametrize("n", [10])
def test_p_of_a_sites_own_new_scans_is_uniform(n):
    p = [
        score(summarise_site("A", scans(k, n)), scans(900 + k, 1)[0]).p
        for k in range(40)
    ]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_a_scan_of_a_noisier_scanner_lies_outside_and_its_noise_is_named():
    found = score(summarise_site("A", scans(1, 20)), scans(2, 1, shift=1.5)[0])
    assert found.verdict == "outside"
    assert found.strange[0][0] == "log_sigma"
    assert found.strange[0][1] == pytest.approx(1.5 / SD, rel=0.5)


def test_log_prob_of_many_scans_is_that_of_the_true_gaussian():
    site = summarise_site("A", scans(3, 4000))
    new = scans(4, 1)[0]
    truth = stats.multivariate_normal(np.zeros(len(NAMES)), SD**2).logpdf(new.vector)
    assert log_prob(site, new) == pytest.approx(truth, abs=1.5)


def test_density_is_scipys_multivariate_t():
    site = summarise_site("A", scans(5, 12))
    mean = np.array(site.mean)

    def at(value):
        vector = mean.copy()
        vector[0] = value
        return log_prob(site, ScanEstimate(tuple(vector), (1.0,) * 3, 1.0, "air"))

    scale = (1 + 1 / 12) * (np.array(site.covariance) + np.diag(_least_sd() ** 2))
    truth = stats.multivariate_t(mean, scale, df=11)
    for shift in (0.0, 0.3, 2.0):
        vector = mean.copy()
        vector[0] += shift
        assert at(vector[0]) == pytest.approx(truth.logpdf(vector))


def test_a_wrong_label_is_seen():
    sites = [
        summarise_site("A", scans(6, 15)),
        summarise_site("B", scans(7, 15, shift=1.0)),
    ]
    found = site_probabilities(sites, scans(8, 1, shift=1.0)[0])
    assert found["B"] > 0.95
    assert sum(found.values()) == pytest.approx(1)


def test_what_a_scan_cannot_say_does_not_count():
    site = summarise_site("A", scans(9, 15))
    new = scans(10, 1)[0]
    values = (float("nan"), *new.values[1:])
    blind = ScanEstimate(values, new.spacing_mm, 1.0, "none")
    truth = stats.multivariate_t(
        np.array(site.mean)[1:],
        (1 + 1 / 15) * (np.array(site.covariance) + np.diag(_least_sd() ** 2))[1:, 1:],
        df=14,
    )
    assert log_prob(site, blind) == pytest.approx(truth.logpdf(new.vector[1:]))
    assert score(site, blind).distance <= score(site, new).distance + 1e-9


def test_a_drift_counts_only_scans_that_tell_of_it():
    site = summarise_site("A", scans(14, 30))
    new = [
        s if k < 3 else ScanEstimate((float("nan"), *s.values[1:]), *s_rest)
        for k, s in enumerate(scans(15, 10, shift=1.0))
        for s_rest in [(s.spacing_mm, 1.0, "air")]
    ]
    found = drift(site, new)
    assert found.scans == 3
    assert found.change == pytest.approx(1.0, abs=0.25)


def test_a_drift_too_small_for_one_scan_shows_in_ten():
    site = summarise_site("A", scans(11, 40))
    assert score(site, scans(12, 1, shift=0.25)[0]).verdict == "inside"
    found = drift(site, scans(13, 12, shift=0.25))
    assert found.parameter == "log_sigma"
    assert found.p < 0.01
    assert found.change == pytest.approx(0.25, abs=0.15)


def test_drift_is_seldom_claimed_where_there_is_none():
    claims = sum(
        drift(summarise_site("A", scans(k, 20)), scans(500 + k, 6)).p < 0.05
        for k in range(100)
    )
    assert claims <= 10


def test_one_person_s_head_is_no_drift():
    claims = []
    for k in range(60):
        site, (head, *others) = summarise_site("A", scans(k, 20)), scans(500 + k, 4)
        who = ["volunteer"] * 8 + ["b", "c", "d"]
        claims.append(drift(site, [head] * 8 + others, who).p < 0.05)
    assert sum(claims) <= 6  # 8 rescans counted as 8 people: 56 of 60
    found = drift(site, [head] * 8 + others, who)
    assert (found.scans, found.people) == (11, 4)
