"""Where harmonising does harm is said, with both numbers, and where it helps is not."""

from medvae.evaluation import Estimate, Evaluation
from medvae.evaluation.report import describe, headlines
from medvae.evaluation.report.targets import target_rows
from medvae.evaluation.result import TravelerTransfer

STILL = (0.0, 0.0, 0.0)


def run_with(errors):
    """Six travelers: to each site, what is missed left alone and harmonised."""
    rows = [
        TravelerTransfer(
            *(f"T{k}", "test", "KKI", site, 0.6, alone + 0.02 * k, 0.2, STILL, STILL),
            with_detail=moved + step * k,
        )
        for site, (alone, moved, step) in errors.items()
        for k in range(6)
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
    near, far, doubt = told.split("; ")
    assert "NYU 0.35 (" in near
    assert float(near.rpartition("p = ")[2]) > 0.2
    assert far.startswith("UM_1 0.45 (")
    assert "p = 0.03 (6 travelers" in far
    assert doubt == "chance alone may do that where p is not below 0.05)."


def test_nothing_is_said_where_harmonising_helps():
    assert not any("worse" in text for text in describe(run_with({"A": (0.8, 0.3, 0)})))


def test_errors_by_site_have_intervals_over_travelers():
    (row,) = target_rows({"arm": run_with({"A": (0.28, 0.31, 0.02)})})
    assert row["left alone"] == "0.33 (0.30 to 0.36)"
    assert row["harmonised, detail kept"] == "0.36 (0.33 to 0.39)"
    assert row["travelers"] == 6
