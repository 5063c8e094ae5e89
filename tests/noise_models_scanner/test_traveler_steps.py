"""Who travels, and how differences of people become steps between sites."""

import numpy as np
import pytest

from noise_models.scanner.calibration import Calibration
from noise_models.scanner.common_grid import Specimen
from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.features import FEATURES
from noise_models.scanner.goodness import halves
from noise_models.scanner.paired.comparison import Compared
from noise_models.scanner.paired.difference import COLUMNS, steps_between
from noise_models.scanner.paired.fitting import Travelers
from noise_models.scanner.paired.registration import Rigid
from noise_models.scanner.paired.travelers import check_travelers, shared_visits
from noise_models.scanner.sites import summarise_site
from noise_models.scanner.transfer import Pair

STILL = Rigid(((1, 0, 0), (0, 1, 0), (0, 0, 1)), (0, 0, 0), 0.98)
GM = NAMES.index("logit_gm_over_wm")
SIGMA = NAMES.index("log_sigma")


def says(who, value, problem=""):
    return Compared(who, (float(value),) * len(NAMES), STILL, problem)


def noisy(truth, count, seed, spread=0.1):
    steps = truth + spread * np.random.default_rng(seed).normal(size=count)
    return [says(f"T{k}", step) for k, step in enumerate(steps)]


def site(label, level, count=6):
    values = level + 0.1 * np.random.default_rng(3).normal(size=(count, len(NAMES)))
    estimates = [ScanEstimate(tuple(v), (1.0,) * 3, 1.0, "air") for v in values]
    return summarise_site(label, estimates)


def test_second_scan_goes_with_second_scan():
    people = {"A": ["T1", "T1", "a"], "B": ["b", "T1", "T1", "T1"]}
    assert shared_visits(people) == {("A", "B"): [("T1", 0, 1), ("T1", 1, 2)]}


def test_one_person_at_three_sites_makes_three_pairs():
    people = {"A": ["T1"], "B": ["T1"], "C": ["x", "T1"]}
    assert shared_visits(people)["B", "C"] == [("T1", 0, 1)]
    assert len(shared_visits(people)) == 3


def test_pairs_grow_with_the_number_of_sites_and_not_its_square():
    people = {f"S{k}": ["T1"] for k in range(30)}
    assert len(shared_visits(people)) < 4 * 30


def test_too_few_travelers_are_refused_by_number():
    people = {"A": ["T1", "T1", "T2"], "B": ["T1", "T1", "T2"], "C": ["T1"]}
    with pytest.raises(ValueError, match=r"at least 3 people .* got 2 \(A and B\)"):
        check_travelers(people)


def test_steps_of_three_sites_agree_with_each_other():
    seen = {
        ("A", "B"): noisy(1.0, 9, 0),
        ("B", "C"): noisy(0.5, 9, 1),
        ("A", "C"): noisy(1.5, 9, 2),
    }
    found = steps_between("ABC", seen)
    ab, bc, ac = (found.between(*pair)[0] for pair in ("AB", "BC", "AC"))
    assert ab + bc == pytest.approx(ac)
    assert ac[0] == pytest.approx(1.5, abs=0.1)


def test_interval_covers_the_truth_nineteen_times_in_twenty():
    inside = 0
    for seed in range(100):
        seen = {("A", "B"): noisy(1.0, 6, seed)}
        low, high = steps_between("AB", seen, seed=seed).between("A", "B")[1][0]
        inside += low < 1.0 < high
    assert 0.90 <= inside / 100 <= 0.99


def test_repeated_scans_of_one_person_count_once():
    once = {("A", "B"): [says("x", 0), says("y", 0), says("z", 3)]}
    often = {("A", "B"): [*once["A", "B"], *[says("z", 3)] * 5]}
    assert steps_between("AB", often).mean == pytest.approx(
        steps_between("AB", once).mean
    )


def test_pairs_that_did_not_register_say_nothing():
    seen = {("A", "B"): [*noisy(1.0, 5, 0), says("other", 50, "turned")]}
    assert steps_between("AB", seen).people == {("A", "B"): 5}
    assert steps_between("AB", seen).mean[1, 0] == pytest.approx(0.5, abs=0.1)


def test_sites_without_travelers_keep_their_own_means():
    sites = (site("A", 0.0), site("B", 0.3), site("C", 7.0))
    travelers = Travelers({("A", "B"): noisy(1.0, 5, 0), ("B", "C"): [says("T0", 9)]})
    a, b, c = travelers.place(sites)
    assert c == sites[2]
    assert b.mean[GM] - a.mean[GM] == pytest.approx(1.0, abs=0.15)
    warned = travelers.warnings("ABC")
    assert any("B and C share 1 usable travelers" in w for w in warned)
    assert any("A and C share 0" in w and "unpaired" in w for w in warned)


def test_two_sites_are_compared_through_a_third():
    travelers = Travelers({("A", "B"): noisy(1, 4, 0), ("B", "C"): noisy(2, 4, 1)})
    sites = [site(label, 0.0) for label in "ABC"]
    found = travelers.evidence(sites, {})
    assert found["A->C"].difference[GM] == pytest.approx(3.0, abs=0.3)
    assert found["C->A"].difference[GM] == -found["A->C"].difference[GM]
    assert any("through other sites" in w for w in travelers.warnings("ABC"))


def test_travelers_move_neither_the_common_mean_nor_the_noise():
    sites = (site("A", 0.0), site("B", 0.3))
    moved = Travelers({("A", "B"): noisy(1.0, 5, 0)}).place(sites)
    before, after = (np.array([s.mean for s in group]) for group in (sites, moved))
    assert after.mean(0) == pytest.approx(before.mean(0))
    assert (after[:, SIGMA] == before[:, SIGMA]).all()
    assert SIGMA not in COLUMNS


def test_a_fit_whose_travelers_all_fail_is_refused():
    failed = Travelers({("A", "B"): [says(f"T{k}", 0, "turned") for k in range(4)]})
    told = r"of A and B, 0 of 4 registered \(T0: turned\).*coarse.*cut.*label"
    with pytest.raises(ValueError, match=told):
        failed.check()


def test_a_paired_fit_of_too_few_counts_the_pair_that_has_most():
    few = {("A", "C"): [], ("A", "B"): [says("T0", 0), says("T1", 0)]}
    with pytest.raises(ValueError, match=r"of A and B, 2 of 2 registered\. "):
        Travelers(few).check()


def test_who_is_judged_took_no_part_in_the_fit_of_the_other_half():
    both_saw = [f"T{k}" for k in range(7)]
    who = {"A": [*"abcd", *both_saw], "B": [*"efg", *both_saw]}
    plain = ScanEstimate((0.0,) * len(NAMES), (1.0,) * 3, 1.0, "air")
    estimates = {site: [plain] * len(who[site]) for site in "AB"}
    row, volume = np.zeros(len(FEATURES)), np.zeros((1, 1, 1), np.float32)
    shown = {s: [Specimen(volume, plain, row, name) for name in who[s]] for s in "AB"}
    asked = []

    def place(sites, without):
        asked.append(without)
        return sites

    both = halves(shown, estimates, who, ("A", "B"), 0, place)
    for half, without in zip(both, asked, strict=True):
        learned = {one.subject for one in (*half.learn, *half.learn_b)}
        judged = {one.subject for one in half.test} | set(half.real_subjects)
        assert without == judged
        assert not judged & learned
    assert asked[0] | asked[1] == set(who["A"]) | set(who["B"])


def test_a_person_left_out_leaves_no_trace_in_the_sites():
    seen = {("A", "B"): [*noisy(1.0, 5, 0), says("odd", 40)]}
    sites = (site("A", 0.0), site("B", 0.0))
    kept = Travelers({("A", "B"): seen["A", "B"][:5]}).place(sites, frozenset({"x"}))
    assert Travelers(seen).place(sites, frozenset({"odd"})) == kept


def test_the_residual_of_a_person_uses_what_was_calibrated_without_them():
    sites = (site("A", 0.0), site("B", 1.0))
    seen = Travelers({("A", "B"): noisy(1.0, 4, 0)})
    plain = ScanEstimate((0.0,) * len(NAMES), (1.0,) * 3, 1.0, "air", label="x")
    row, volume = np.zeros(len(FEATURES)), np.zeros((1, 1, 1), np.float32)
    shown = {
        label: [Specimen(volume, plain, row, f"T{k}") for k in range(4)]
        for label in "AB"
    }
    without = {f"T{k}": Calibration(np.full(len(NAMES), k), k / 10) for k in range(3)}
    everyone = {"A->B": Pair(0.1, inherited=0.9), "B->A": Pair(inherited=0.8)}
    trials = seen.trials(
        ("A", "B"), shown, {"A": [plain], "B": [plain]}, sites, everyone, without
    )
    assert [couple.a.subject for couple, _, _ in trials] == ["T0", "T1", "T2"]
    for k, (_, noise, _) in enumerate(trials):
        pair = noise.record.pairs["A->B"]
        assert (pair.inherited, set(pair.offset)) == (k / 10, {k})
        assert pair.sigma_add == 0.1
        assert noise.record.pairs["B->A"] == everyone["B->A"]
