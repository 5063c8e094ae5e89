"""Where a site leaves no trace, its probes find none more often than they say."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_cohort import FakeEncoder, evaluated, fake_cohort

from medvae.evaluation import evaluate
from medvae.evaluation.covariates import covariate_table
from medvae.evaluation.leakage import probe
from medvae.evaluation.permutation import permute_labels, traded_rows


def names(count):
    return [str(i) for i in range(count)]


@pytest.mark.parametrize(("sizes", "kind"), [((3,) * 6, "rbf"), ((12, 4), "linear")])
def test_p_is_uniform_for_few_people_at_many_or_unequal_sites(sizes, kind):
    """.52 of p were below .2 where permuted labels were spread over folds at random."""
    site = [name for name, n in zip("ABCDEF", sizes, strict=False) for _ in range(n)]
    found = []
    for seed in range(120):
        rng = np.random.default_rng([seed, *sizes])
        z = rng.normal(size=(len(site), 8))
        told = probe(z, site, names(len(site)), rng, kind=kind, permutations=19)
        found.append(told.auc.p)
    assert np.mean(np.array(found) <= 0.2) < 0.32
    assert np.mean(found) == pytest.approx(0.5, abs=0.09)


def test_labels_traded_inside_folds_leave_their_numbers_as_they_are():
    rng = np.random.default_rng(0)
    y, fold = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 0, 1])
    seen = {tuple(permute_labels(y, names(6), rng, fold)) for _ in range(1000)}
    assert len(seen) == 36
    for labels in seen:
        assert sorted(labels[::2]) == sorted(labels[1::2]) == [0, 1, 2]


def test_rows_are_traded_by_person():
    who, y = list("aabbct"), np.array([0, 0, 1, 1, 2, 2])
    for seed in range(20):
        rows = traded_rows(y, who, np.random.default_rng(seed))
        assert who[rows[0]] == who[rows[1]]
        assert who[rows[2]] == who[rows[3]]


def test_ages_that_differ_between_sites_are_no_trace_of_the_scanner():
    """P(p <= .05) was .38: the slope's own error tells the ages."""
    site, ps, chances = ["A"] * 15 + ["B"] * 15, [], []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        ages = np.r_[rng.uniform(20, 50, 15), rng.uniform(35, 65, 15)]
        table, _ = covariate_table(ages, [None] * 30)
        z = rng.normal(size=(30, 16))
        found = probe(z, site, names(30), rng, permutations=19, covariates=table)
        ps.append(found.auc.p)
        chances.append(found.auc.chance)
    assert np.mean(np.array(ps) <= 0.05) < 0.13
    assert np.mean(ps) == pytest.approx(0.5, abs=0.1)
    assert np.mean(chances) > 0.6  # which is said, instead of .5


def test_a_scanner_is_still_seen_beyond_age():
    rng = np.random.default_rng(0)
    ages, site = rng.uniform(20, 70, 60), ["A"] * 30 + ["B"] * 30
    z = rng.normal(size=(60, 8)) + 0.1 * ages[:, None]
    z[30:] += 1.5
    table, _ = covariate_table(ages, [None] * 60)
    found = probe(z, site, names(60), rng, permutations=39, covariates=table)
    assert found.auc.value > 0.95
    assert found.auc.p < 0.03


def test_sex_that_the_site_decides_is_left_in_and_said_so():
    cohort = [
        replace(s, sex={"A": "F", "B": "M", "N": "F"}[s.site])
        for s in fake_cohort(travelers=0, per_site=12)
    ]
    found = evaluated(cohort=cohort, permutations=5)
    assert found.get("leakage", "auc_rbf_mean_given_age") is not None
    assert found.get("leakage", "auc_rbf_mean_given_age_sex") is None
    assert any("leaves sex in" in note for note in found.notes)


def test_age_that_the_site_decides_leaves_the_question_open():
    cohort = [
        replace(s, age=20.0 + 5 * "ABCDE".index(s.site), sex=None)
        for s in fake_cohort(sites=("A", "B", "C", "D", "E"), travelers=0, per_site=6)
    ]
    encoder = FakeEncoder(sites=tuple("ABCDE"))
    found = evaluate(encoder, cohort, held_out=[], permutations=2)
    reasons = {row.question: row.reason for row in found.unanswered}
    assert "ages that tell the site" in reasons["site leakage beyond age"]
