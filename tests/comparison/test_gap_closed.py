"""The gap to the oracle on numbers made by hand."""

import numpy as np
import pytest

from medvae.comparison.gap import (
    SHARES,
    Weighing,
    at_equal_age,
    differences,
    draw_people,
    gap_closed,
)
from medvae.comparison.plan import Arm, Plan
from medvae.comparison.report import findings
from medvae.comparison.result import gaps_of
from medvae.comparison.scores import Probe, Row, Scores

PEOPLE = [f"p{k}" for k in range(8)]


def run(error, harmonised, age, sharp):
    """``sharp`` is how many of eight scans the site probe gets right: sets the AUC."""
    wobble = np.linspace(-0.01, 0.01, 8)
    rows = {
        "held_out_reconstruction": [
            Row(p, error + w) for p, w in zip(PEOPLE, wobble, strict=True)
        ],
        "traveler_harmonisation": [
            Row(p, harmonised + w) for p, w in zip(PEOPLE, wobble, strict=True)
        ],
        "traveler_decoding": [Row(p, 3 * harmonised) for p in PEOPLE],
        "age_error": [Row(p, 10 * age, 10.0) for p in PEOPLE],
        "reidentification": [Row(p, 1.0) for p in PEOPLE],
    }
    labels = np.array([0, 1] * 4)
    scores = np.zeros((1, 8, 2))
    for k, label in enumerate(labels):
        scores[0, k, label] = 1.0 if k < sharp else 0.0
    return Scores(rows, Probe(PEOPLE, labels, scores))


ARMS = {
    "none": {0: [run(1.0, 2.0, 0.5, 8)], 1: [run(1.0, 2.0, 0.5, 8)]},
    "gaussian": {0: [run(0.8, 1.8, 0.5, 8)], 1: [run(0.8, 1.8, 0.5, 8)]},
    "scanner": {0: [run(0.5, 1.2, 0.5, 2)], 1: [run(0.5, 1.2, 0.5, 2)]},
    "oracle": {0: [run(0.4, 1.0, 0.5, 0)], 1: [run(0.4, 1.0, 0.5, 0)]},
}
GENERIC = ["none", "gaussian"]


def test_the_share_starts_at_the_best_generic_arm():
    drawn = draw_people(ARMS, np.random.default_rng(0), draws=200)
    whole, each = gap_closed(drawn, "scanner", GENERIC, "oracle")
    assert each["held_out_reconstruction"].mean == pytest.approx(0.3 / 0.4)
    assert each["traveler_harmonisation"].mean == pytest.approx(0.6 / 0.8)
    leak = {a: s[0][0].value("leakage") for a, s in ARMS.items()}
    wanted = (leak["gaussian"] - leak["scanner"]) / (leak["gaussian"] - leak["oracle"])
    assert leak["gaussian"] == 1.0
    assert leak["oracle"] == 0.5
    assert each["leakage_at_equal_biology"].mean == pytest.approx(wanted)
    assert each["traveler_decoding"].mean == pytest.approx(1.8 / 2.4)
    parts = [each[name].mean for name in SHARES]
    assert whole.mean == pytest.approx(np.mean(parts))
    assert whole.ci95[0] <= whole.mean <= whole.ci95[1]


def test_the_oracle_closes_all_of_it_and_the_best_generic_arm_nothing():
    drawn = draw_people(ARMS, np.random.default_rng(0), draws=50)
    assert gap_closed(drawn, "oracle", GENERIC, "oracle")[0].mean == pytest.approx(1)
    assert gap_closed(drawn, "gaussian", GENERIC, "oracle")[0].mean == pytest.approx(0)


def test_where_the_oracle_is_no_better_there_is_no_gap():
    poor = ARMS | {"oracle": {k: [run(0.9, 1.0, 0.5, 0)] for k in (0, 1)}}
    drawn = draw_people(poor, np.random.default_rng(0), draws=50)
    whole, each = gap_closed(drawn, "scanner", GENERIC, "oracle")
    assert each["held_out_reconstruction"].mean is None
    assert each["held_out_reconstruction"].undefined == 1.0
    assert whole.mean is None
    assert whole.ci95 is None


def test_an_arm_that_forgets_age_is_not_the_one_to_beat():
    blind = ARMS | {"gaussian": {k: [run(0.8, 1.8, 0.9, 0)] for k in (0, 1)}}
    drawn = draw_people(blind, np.random.default_rng(0), draws=50)
    _, each = gap_closed(drawn, "scanner", GENERIC, "oracle")
    leak = ARMS["scanner"][0][0].value("leakage")
    # none (leakage 1), which keeps age, is the start; not the blind arm's .5.
    assert each["leakage_at_equal_biology"].mean == pytest.approx((1 - leak) / 0.5)


def test_leakage_between_two_settings_is_read_off_the_line():
    settings = [
        {"leakage": np.array([0.9]), "age_error": np.array([0.6])},
        {"leakage": np.array([0.5]), "age_error": np.array([1.0])},
    ]
    for level, wanted in ((0.6, 0.9), (0.8, 0.7), (1.0, 0.5), (0.3, 0.9)):
        found = at_equal_age(settings, np.array([level]))[0]
        assert found == pytest.approx(wanted)


def test_seeds_scatter_as_student_s_t():
    apart = {
        "a": {k: [run(v, 1, 0.5, 8)] for k, v in enumerate((0.0, 1.0, 5.0))},
        "b": {k: [run(v, 1, 0.5, 8)] for k, v in enumerate((0.1, 1.1, 5.1))},
    }
    drawn = draw_people(apart, np.random.default_rng(0), draws=4000)
    values = drawn["a"][0]["held_out_reconstruction"]
    assert values[0] == pytest.approx(2.0)
    half = 4.303 * np.std([0, 1, 5], ddof=1) / np.sqrt(3)
    low, high = np.percentile(values[1:], [2.5, 97.5])
    assert (low, high) == pytest.approx((2 - half, 2 + half), rel=0.15)
    paired = drawn["b"][0]["held_out_reconstruction"] - values
    np.testing.assert_allclose(paired, 0.1, atol=0.02)  # seeds are weighed alike


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_interval_of_a_difference_covers_seeds(count):
    """Seeds drawn with replacement covered .49, .73 and .84."""
    rng, held = np.random.default_rng(0), []
    for _ in range(400):
        weighing = Weighing.draw(count, 400, rng)
        values = np.tile(rng.normal(size=(count, 1)), 401)
        low, high = np.percentile(weighing.mean(values)[1:], [2.5, 97.5])
        held.append(low <= 0 <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.033)


def test_a_seed_that_an_arm_lacks_has_no_weight():
    weighing = Weighing.draw(3, 50, np.random.default_rng(0))
    values = np.tile([[1.0], [np.nan], [1.0]], 51)
    np.testing.assert_allclose(weighing.mean(values), 1.0)
    assert np.isnan(weighing.mean(np.full((3, 51), np.nan))).all()


def test_an_arm_that_another_reads_has_that_reading_as_a_setting():
    plan = Plan(
        arms=(
            Arm(name="none"),
            Arm(name="scanner", noise="scanner"),
            Arm(name="oracle", noise="oracle"),
            Arm(name="own", baseline="axes", of="scanner", noise="scanner"),
            Arm(name="lent", baseline="axes", of="scanner", noise="oracle"),
        )
    )
    runs = {
        "none": {0: [run(1.0, 2.0, 0.5, 8)]},
        "scanner": {0: [run(0.9, 1.5, 0.5, 8)]},
        "oracle": {0: [run(0.4, 1.0, 0.5, 0)]},
        "own": {0: [run(0.9, 9.0, 0.5, 4)]},
        "lent": {0: [run(0.9, 9.0, 0.5, 0)]},
    }
    gaps, _ = gaps_of(plan, draw_people(runs, np.random.default_rng(0), draws=50))
    assert list(gaps) == ["scanner"]
    each = gaps["scanner"]["each"]
    leak = runs["own"][0][0].value("leakage")
    assert each["leakage_at_equal_biology"]["mean"] == pytest.approx((1 - leak) / 0.5)
    assert each["traveler_harmonisation"]["mean"] == pytest.approx(0.5)


def test_without_a_generic_arm_or_an_oracle_there_is_no_gap_and_why_is_said():
    for names, why in (
        (("scanner", "oracle"), "no generic arm to start from"),
        (("gaussian", "scanner"), "no oracle"),
    ):
        arms = tuple(Arm(name=name, noise=name) for name in names)
        some = {name: ARMS[name] for name in names}
        drawn = draw_people(some, np.random.default_rng(0), draws=10)
        gaps, told = gaps_of(Plan(held_out=("X",), arms=arms), drawn)
        assert gaps == {}
        assert told.startswith(why)


def test_a_challenger_that_was_run_is_not_said_to_be_missing():
    arms = tuple(Arm(name=name, noise=name) for name in ("none", "scanner", "oracle"))
    some = {arm.name: ARMS[arm.name] for arm in arms}
    drawn = draw_people(some, np.random.default_rng(0), draws=10)
    for challenger, why in (("none", "an end of the way"), ("wide", "was not run")):
        plan = Plan(held_out=("X",), arms=arms, challenger=challenger)
        assert why in gaps_of(plan, drawn)[1]


def test_every_other_arm_is_told_from_the_challenger_by_each_measure():
    drawn = draw_people(ARMS, np.random.default_rng(0), draws=50)
    found = differences(drawn, "scanner")
    assert set(found) == {"none", "gaussian", "oracle"}
    row = found["gaussian"]["held_out_reconstruction"]
    assert row["mean"] == pytest.approx(0.5 - 0.8)
    assert row["ci95"][1] < 0
    content = {
        "gap_closed": {"mean": 0.5, "ci95": [0.4, 0.6], "metric": ""},
        "differences": found,
        "plan": {"challenger": "scanner"},
    }
    said = findings(content)
    assert "scanner goes 50% (40% to 60%) of the way" in said[0]
    assert any("gaussian" in text and "better in" in text for text in said)
    assert any("oracle" in text and "worse in" in text for text in said)


def test_shares_that_are_known_are_told_where_their_average_is_not():
    each = {
        "held_out_reconstruction": {"mean": 0.7, "ci95": [0.6, 0.8]},
        "traveler_decoding": {"mean": None, "ci95": None},
    }
    gap = {"mean": None, "ci95": None, "metric": "x", "each": each}
    content = {
        "gap_closed": gap,
        "differences": {},
        "plan": {"challenger": "scanner"},
    }
    (said,) = findings(content)
    assert "the oracle was no better than the best generic" in said
    assert "in held out reconstruction" in said
    none = {name: {"mean": None, "ci95": None} for name in each}
    (said,) = findings({**content, "gap_closed": {**gap, "each": none}})
    assert "Where there is a way" not in said
