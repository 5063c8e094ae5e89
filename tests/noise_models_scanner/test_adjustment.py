"""Age that looks like a scanner, taken out; and said so where it cannot be."""

from dataclasses import replace

import numpy as np
import pytest

from noise_models.scanner.adjustment import plan_adjustment
from noise_models.scanner.calibration import NO_CALIBRATION, corrupted_features
from noise_models.scanner.common_grid import Specimen, specimen
from noise_models.scanner.covariates import are_matched, describe
from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.features import FEATURES
from noise_models.scanner.goodness import feature_table
from noise_models.scanner.sites import summarise_site
from noise_models.scanner.two_sample import separation_p

GM, SIGMA = NAMES.index("logit_gm_over_wm"), NAMES.index("log_sigma")
AGEING = -0.01  # of logit gm/wm per year
PEOPLE = {site: [f"{site}{k}" for k in range(24)] for site in "AB"}


def world(seed, difference, ages=(30.0, 55.0)):
    """Ages and estimates of two sites whose contrast differs by ``difference``."""
    rng = np.random.default_rng(seed)
    age = {s: rng.normal(mean, 8, 24) for s, mean in zip("AB", ages, strict=True)}
    found = {}
    for site, years in age.items():
        rows = 0.1 * rng.normal(size=(24, len(NAMES)))
        rows[:, GM] += AGEING * years + difference * (site == "B")
        found[site] = [
            ScanEstimate(tuple(row), (1.0, 1.0, 1.0), 1.0, "air") for row in rows
        ]
    return {site: {"age": list(years)} for site, years in age.items()}, found


def fitted(seed, difference, ages=(30.0, 55.0)):
    age, found = world(seed, difference, ages)
    plan = plan_adjustment(age, PEOPLE)
    moved, slopes = plan.estimates(found)
    sites = [
        plan.widened(summarise_site(s, moved[s], subjects=PEOPLE[s]), slopes)
        for s in "AB"
    ]
    return plan, sites, [summarise_site(s, found[s], subjects=PEOPLE[s]) for s in "AB"]


@pytest.fixture(scope="module")
def refits():
    return [fitted(seed, 0.2) for seed in range(60)]


def steps(pairs):
    return np.array([b.mean[GM] - a.mean[GM] for a, b in pairs])


def test_difference_of_scanners_is_unbiased_where_the_raw_one_is_not(refits):
    adjusted = steps(sites for _, sites, _ in refits)
    raw = steps(alone for _, _, alone in refits)
    assert adjusted.mean() == pytest.approx(0.2, abs=0.02)
    assert raw.mean() == pytest.approx(0.2 + 25 * AGEING, abs=0.02)


def test_intervals_hold_the_uncertainty_of_the_slope(refits):
    inside = []
    for plan, (a, b), _ in refits:
        for site, own in ((a, 0.0), (b, 0.2)):
            low, high = site.ci95[GM]
            inside.append(low < own + AGEING * float(plan.centre[0]) < high)
    assert 0.90 <= np.mean(inside) <= 0.99


def test_age_alone_is_no_difference_of_scanners_after_adjustment():
    found = {"raw": 0, "adjusted": 0}
    for seed in range(20):
        age, scans = world(seed, 0.0)
        plan = plan_adjustment(age, PEOPLE)
        moved, slopes = plan.estimates(scans)
        left = plan.unsure(("A", "B"), slopes, None)
        for name, group, more in (("raw", scans, None), ("adjusted", moved, left)):
            a, b = (np.stack([e.vector for e in group[s]]) for s in "AB")
            found[name] += separation_p(a, b, unsure=more, seed=seed) <= 0.01
    assert found["raw"] == 20
    assert found["adjusted"] <= 1


def test_noise_and_shading_are_not_adjusted():
    age, scans = world(0, 0.2)
    moved, _ = plan_adjustment(age, PEOPLE).estimates(scans)
    before, after = scans["A"][0].vector, moved["A"][0].vector
    changed = np.flatnonzero(before != after)
    assert {NAMES[k].split("_")[0] for k in changed} == {"psf", "logit", "log"}
    assert SIGMA not in changed


def test_features_are_adjusted_together_with_those_of_corrupted_copies():
    age, _ = world(0, 0.0)
    rng, place = np.random.default_rng(1), FEATURES.index("brain q50")
    shown = {}
    for site in "AB":
        rows = 0.05 * rng.normal(size=(24, len(FEATURES)))
        rows[:, place] += -0.01 * np.array(age[site]["age"])
        shown[site] = [
            Specimen(np.zeros((1, 1, 1), np.float32), None, row, who)
            for row, who in zip(rows, PEOPLE[site], strict=True)
        ]
    plan = plan_adjustment(age, PEOPLE)
    moved, _ = plan.specimens({site: range(24) for site in "AB"}, shown)
    before, after = (
        feature_table(group["B"]).mean(0) - feature_table(group["A"]).mean(0)
        for group in (shown, moved)
    )
    assert abs(before[place]) > 0.2
    assert abs(after[place]) < 0.07
    one = moved["A"][3]
    assert one.features - np.array(one.shift) == pytest.approx(shown["A"][3].features)


def test_warning_has_the_numbers():
    age = {"A": {"age": [19.0, 24.0, 29.0]}, "B": {"age": [53.0, 61.0, 69.0]}}
    people = {"A": ["a", "b", "c"], "B": ["d", "e", "f"]}
    found = describe(age, people)["age"]
    said = found.sentence("age")
    assert "(A 24 ± 5, B 61 ± 8; no overlap)" in said
    assert f"{found.eta2:.0%} of its variance lies between sites" in said
    assert found.smd == pytest.approx(37 / np.sqrt((25 + 64) / 2))
    assert found.vif == pytest.approx(1 / (1 - found.eta2))


def test_what_does_not_vary_within_sites_is_refused_and_said():
    sex = {"A": {"sex=M": [0.0] * 24}, "B": {"sex=M": [1.0] * 24}}
    plan = plan_adjustment(sex, PEOPLE)
    assert plan.names == ()
    said = plan.covariates["sex=M"].sentence("sex=M")
    assert "100%" in said
    assert "cannot be told from them" in said


def test_covariates_that_say_the_same_are_not_used_twice():
    age, _ = world(0, 0.0)
    both = {s: {**age[s], "months": [12 * v for v in age[s]["age"]]} for s in "AB"}
    plan = plan_adjustment(both, PEOPLE)
    assert plan.names == ("age",)
    assert plan.covariates["months"].vif == np.inf


def test_few_people_are_not_adjusted():
    age = {"A": {"age": [20.0, 30.0, 40.0]}, "B": {"age": [30.0, 50.0, 60.0]}}
    plan = plan_adjustment(age, {"A": ["a", "b", "c"], "B": ["d", "e", "f"]})
    assert plan.names == ()
    assert "only 6 people" in plan.covariates["age"].reason


def test_a_missing_age_counts_as_typical_of_the_site():
    age, scans = world(0, 0.2)
    age["A"]["age"][0] = float("nan")
    plan = plan_adjustment(age, PEOPLE)
    known = age["A"]["age"][1:]
    assert plan.values["A"][0, 0] == pytest.approx(np.mean(known))
    assert plan.covariates["age"].known == pytest.approx(47 / 48)
    assert np.isfinite(plan.estimates(scans)[1].slope).all()


def test_repeated_scans_of_one_person_do_not_narrow_the_slope():
    age, scans = world(0, 0.2)
    twice = {s: {"age": age[s]["age"] * 2} for s in "AB"}
    people = {s: PEOPLE[s] * 2 for s in "AB"}
    once = plan_adjustment(age, PEOPLE).estimates(scans)[1]
    again = plan_adjustment(twice, people).estimates({s: scans[s] * 2 for s in "AB"})[1]
    assert again.slope == pytest.approx(once.slope)
    assert again.scatter == pytest.approx(once.scatter)


@pytest.mark.parametrize(
    ("ages", "count", "is_matched"),
    [((40.0, 40.0), 24, True), ((40.0, 44.0), 24, False), ((40.0, 40.0), 4, False)],
)
def test_matched_means_alike_by_the_rule(ages, count, is_matched):
    spread = np.linspace(-12, 12, count)
    age = {s: {"age": list(m + spread)} for s, m in zip("AB", ages, strict=True)}
    people = {s: PEOPLE[s][:count] for s in "AB"}
    assert are_matched(describe(age, people)) is is_matched


def test_one_age_for_all_is_no_match():
    people = {s: PEOPLE[s][:24] for s in "AB"}
    age = {s: {"age": [50.0] * 24} for s in "AB"}
    assert not are_matched(describe(age, people))


def test_wrong_tables_are_named():
    age, _ = world(0, 0.0)
    with pytest.raises(ValueError, match="adjust names 'sex'; the covariates are age"):
        plan_adjustment(age, PEOPLE, ["sex"])
    with pytest.raises(ValueError, match="age must have one value for each of 24"):
        plan_adjustment({**age, "B": {"age": [1.0]}}, PEOPLE)
    with pytest.raises(ValueError, match="no covariates are given"):
        plan_adjustment(None, PEOPLE, ["age"])


def test_corrupted_copies_of_a_scan_are_shifted_as_it_is(images, fitted, own):
    one = specimen(images["sharp"][0], own, "x")
    shift = tuple(np.linspace(-1, 1, len(FEATURES)).tolist())
    found = [
        corrupted_features([each], fitted.sites, "worse", NO_CALIBRATION)[0]
        for each in (one, replace(one, shift=shift))
    ]
    assert found[1] - found[0] == pytest.approx(np.array(shift))
