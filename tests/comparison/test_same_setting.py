"""Arms side by side at one setting, on numbers made by hand."""

import numpy as np
import pytest

from medvae.comparison.gap import draw_people
from medvae.comparison.plan import Arm, Plan
from medvae.comparison.report import setting_rows
from medvae.comparison.same_setting import same_settings
from medvae.comparison.scores import Row, Scores

WEAK, STRONG = {"objective.lam": 1.0}, {"objective.lam": 10.0}


def scores(error):
    people = [f"p{k}" for k in range(8)]
    wobble = np.linspace(-0.01, 0.01, 8)
    rows = [Row(who, error + w) for who, w in zip(people, wobble, strict=True)]
    return Scores({"traveler_harmonisation": rows}, None)


def arm(name, noise, *choices):
    return Arm(name=name, noise=noise, choices=list(choices))


def compared(challenger="scanner"):
    """By arm: the chosen setting first, then each setting in its order."""
    plan = Plan(
        held_out=["X"],
        challenger=challenger,
        arms=[
            arm("none", "none"),
            arm("randomised", "randomised", STRONG, WEAK),
            arm("scanner", "scanner", WEAK, STRONG),
            arm("oracle", "oracle", WEAK, STRONG),
        ],
    )
    drawn = draw_people(
        {
            "none": {0: [scores(0.9)]},
            "randomised": {0: [scores(0.5), scores(0.5), scores(0.8)]},
            "scanner": {0: [scores(0.7), scores(0.7), scores(0.4)]},
            "oracle": {0: [scores(0.3), scores(0.6), scores(0.3)]},
        },
        np.random.default_rng(0),
        draws=100,
    )
    return same_settings(plan, drawn)


def test_arms_are_paired_by_setting_not_by_its_place_nor_by_what_was_chosen():
    weak, strong = compared()
    assert (weak["settings"], strong["settings"]) == (WEAK, STRONG)
    change = [
        row["differences"]["randomised"]["traveler_harmonisation"]["mean"]
        for row in (weak, strong)
    ]
    assert change == pytest.approx([0.7 - 0.8, 0.4 - 0.5])


def test_every_number_has_an_interval_and_what_was_not_measured_is_left_out():
    found = compared()[0]["arms"]["scanner"]
    assert set(found) == {"traveler_harmonisation"}
    number = found["traveler_harmonisation"]
    low, high = number["ci95"]
    assert number["mean"] == pytest.approx(0.7)
    assert low < number["mean"] < high


def test_an_arm_of_one_setting_takes_no_part():
    three = {"randomised", "scanner", "oracle"}
    assert all(set(row["arms"]) == three for row in compared())


def test_the_share_of_the_way_is_that_of_arms_at_the_setting():
    weak, strong = (
        row["shares"]["scanner"]["traveler_harmonisation"]["mean"] for row in compared()
    )
    assert weak == pytest.approx((0.8 - 0.7) / (0.8 - 0.6))
    assert strong == pytest.approx((0.5 - 0.4) / (0.5 - 0.3))


def test_a_challenger_of_one_setting_has_nothing_to_pair():
    assert compared("none") == []


def test_the_report_has_a_table_for_each_setting():
    weak, strong = setting_rows(compared())
    assert (weak["words"], strong["words"]) == (
        "objective.lam 1.0",
        "objective.lam 10.0",
    )
    assert weak["values"]["columns"] == ["traveler harmonisation"]
    cells = {line["name"]: line["cells"] for line in strong["values"]["lines"]}
    assert cells["scanner"][0].startswith("0.400 (")
    changes = {line["name"]: line["cells"] for line in strong["changes"]["lines"]}
    assert changes["randomised"][0].startswith("-0.100 (")
    assert "scanner" not in changes
