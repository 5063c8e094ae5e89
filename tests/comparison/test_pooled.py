"""Evaluations of several seeds as one."""

import pytest

from medvae.comparison.result import over_seeds, pooled
from medvae.evaluation.estimate import Estimate
from medvae.evaluation.result import Evaluation, Unanswered


def seed(auc, error):
    return Evaluation(
        "a",
        ("X",),
        {
            "leakage": {"auc_rbf_sample": Estimate(auc, (auc - 0.01, 1.0), 9)},
            "age": {"share_of_chance_across": Estimate(error, (error, error), 9)},
        },
    )


def test_an_interval_over_seeds_leaves_out_what_no_auc_can_be():
    both = pooled("a", [seed(1.0, 0.9), seed(0.9, 1.3)])
    auc, error = (
        both.get("leakage", "auc_rbf_sample"),
        both.get("age", "share_of_chance_across"),
    )
    assert auc.value == pytest.approx(0.95)
    assert auc.ci95[1] == 1.0
    assert auc.ci95[0] < 0.86
    assert error.ci95[1] > 1.3  # may well be above 1


def test_three_seeds_are_few():
    found = over_seeds([Estimate(v, (v - 0.3, v + 0.3), 9) for v in (1.0, 2.0, 3.0)])
    half = (0.3**2 + 4.3027**2 / 3) ** 0.5  # people, and Student's t on the seeds
    assert found.ci95 == pytest.approx((2 - half, 2 + half), rel=1e-3)


def test_a_number_that_one_seed_lacks_is_left_out():
    lacking = Evaluation("a", ("X",), {"leakage": {}})
    assert (
        pooled("a", [seed(1.0, 0.9), lacking]).get("leakage", "auc_rbf_sample") is None
    )


def test_what_one_seed_could_not_answer_is_unanswered():
    open_ = Unanswered("age, within the training sites", "it needs 5, got 4")
    lacking = Evaluation("a", ("X",), {}, unanswered=(open_,))
    for runs in ([seed(1.0, 0.9), lacking], [lacking, lacking]):
        assert pooled("a", runs).unanswered == (open_,)
