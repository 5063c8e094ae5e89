"""Where harmonising does harm is said, with both numbers, and where it helps is not."""

import numpy as np
import pytest

from medvae.evaluation import Estimate, Evaluation
from medvae.evaluation.bootstrap import PairedDifference, least_p, sign_flip_p
from medvae.evaluation.report import describe, describe_comparison, headlines
from medvae.evaluation.report.targets import target_rows
from medvae.evaluation.result import TravelerTransfer

STILL = (0.0, 0.0, 0.0)


def run_with(errors, travelers=6):
    """To each site, what travelers miss left alone and harmonised."""
    rows = [
        TravelerTransfer(
            *(f"T{k}", "test", "KKI", site, 0.6, alone + 0.02 * k, 0.2, STILL, STILL),
            with_detail=moved + step * k,
        )
        for site, (alone, moved, step) in errors.items()
        for k in range(travelers)
    ]
    numbers = {
        name: Estimate(0.5, None, 3) for name in ("error", "do_nothing", "with_detail")
    }
    return Evaluation("r", ("KKI",), {"transfer": numbers}, tuple(rows))


def test_the_site_where_harmonising_does_harm_is_named_with_both_numbers():
    run = run_with({"NYU": (0.28, 0.31, 0.02), "UM_1": (0.8, 0.35, 0.02)})
    told = describe(run)
    assert told[1] == (
        "Towards NYU harmonising does worse than leaving alone: 0.36 (0.33 to 0.39) "
        "of the real scan's variance is missed against 0.33 (0.30 to 0.36), p = 0.03 "
        "(6 travelers)."
    )
    assert headlines(run) == told


def test_a_difference_that_people_do_not_share_has_a_large_p():
    run = run_with({"NYU": (0.28, 0.25, 0.04), "UM_1": (0.2, 0.4, 0.02)})
    (_, told) = describe(run)
    assert told.startswith("Towards NYU and UM_1 harmonising does worse")
    near, doubt, far = told.split("; ")
    assert "NYU 0.35 (" in near
    p = near.removesuffix(" (6 travelers").rpartition("p = ")[2]
    assert float(p) > 0.2
    assert doubt == "chance alone may do that)"
    assert far.startswith("UM_1 0.45 (")
    assert far.endswith("p = 0.03 (6 travelers).")


@pytest.mark.parametrize(
    ("travelers", "least"), [(1, "1.00"), (3, "0.25"), (5, "0.06")]
)
def test_so_few_that_no_p_falls_below_the_level_cannot_decide(travelers, least):
    sites = {"NYU": (0.28, 0.31, 0.02), "UM_1": (0.2, 0.4, 0.02)}
    (_, told) = describe(run_with(sites, travelers))
    assert told.count(f"p = {least}") == 2
    assert told.endswith(f" cannot decide: p cannot fall below {least}).")
    assert "chance alone" not in told
    assert f"({travelers} traveler{'s' * (travelers > 1)} cannot" in told


def test_the_least_p_is_the_one_that_differences_of_one_sign_have():
    rng = np.random.default_rng(0)
    for n in range(1, 13):
        assert sign_flip_p(np.arange(1.0, n + 1), rng) == least_p(n)


def test_a_comparison_over_three_travelers_cannot_decide():
    few, enough = (
        describe_comparison(
            PairedDifference(-0.4, (-0.5, -0.3), 0.6, (0.5, 0.7), least_p(n), n),
            "a",
            "b",
        )
        for n in (3, 6)
    )
    assert few.endswith("3 travelers cannot decide: p cannot fall below 0.25.")
    assert enough.endswith("outside the margin of error.")


def test_nothing_is_said_where_harmonising_helps():
    assert not any("worse" in text for text in describe(run_with({"A": (0.8, 0.3, 0)})))


def test_errors_by_site_have_intervals_over_travelers():
    (row,) = target_rows({"arm": run_with({"A": (0.28, 0.31, 0.02)})})
    assert row["left alone"] == "0.33 (0.30 to 0.36)"
    assert row["harmonised, detail kept"] == "0.36 (0.33 to 0.39)"
    assert row["travelers"] == 6
