"""What a plan promises, and what it refuses."""

from pathlib import Path

import pytest

from medvae.comparison.plan import load_plan
from medvae.comparison.unit import described
from medvae.errors import UserError
from medvae.training.config import load_config

CONFIGS = Path(__file__).parents[2] / "configs"


def write(tmp_path, text):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    return path


def test_arms_differ_in_what_they_say_alone():
    plan = load_plan(CONFIGS / "compare.yaml")
    plain = plan.training(plan.arm("none"), 0, 1).model_dump()
    for arm in plan.arms:
        other = plan.training(arm, 0, 1).model_dump()
        changed = {key for key in plain if plain[key] != other[key]}
        assert changed <= {"noise", "dispersion"}, arm.name
    assert set(plain["held_out"]) == set(plan.held_out)


def test_the_study_is_as_large_as_was_promised():
    plan = load_plan(CONFIGS / "compare.yaml")
    assert len(set(plan.phantom.sites) - set(plan.held_out)) >= 6
    assert set(plan.held_out) <= set(plan.phantom.sites)
    assert len(plan.held_out) >= 2
    assert plan.phantom.subjects >= 20
    assert plan.phantom.travelers >= 12
    assert plan.seeds >= 3
    small = load_plan(CONFIGS / "compare-small.yaml")
    assert (len(small.held_out), small.seeds) == (1, 1)


def test_any_training_key_can_be_an_axis(tmp_path):
    path = write(
        tmp_path,
        """
held_out: [B]
train: {objective: {corruptions: 3}}
arms:
  - name: a
    noise: gaussian
    overrides: {optimiser.epochs: 7}
    choices: [{objective.beta: 0.5}, {objective.beta: 2.0}]
""",
    )
    plan = load_plan(path)
    configs = [plan.training(plan.arm("a"), k, 4) for k in range(2)]
    assert [c.objective.beta for c in configs] == [0.5, 2.0]
    assert {c.optimiser.epochs for c in configs} == {7}
    assert {c.objective.corruptions for c in configs} == {3}


def test_a_mark_names_a_likelihood_that_is_not_the_one_all_had_before():
    before, chosen = (
        described(load_config(overrides=[f"network.likelihood={name}"]))["network"]
        for name in ("gaussian", "laplace")
    )
    assert "likelihood" not in before
    assert chosen == before | {"likelihood": "laplace"}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("sede: 1", "unknown key 'sede'"),
        ("seeds: 0", "seeds: .*greater than or equal to 1"),
        ("arms: [{name: a}, {name: a}]", "arm 'a' is named twice"),
        ("arms: [{name: a, overrides: {optimizer.epochs: 3}}]", "Did you mean"),
        ("arms: [{name: c, baseline: combat}]", "c corrects the arm 'none'"),
        (
            "arms: [{name: p, baseline: pca, choices: [{objective.beta: 1}]}]",
            "p trains nothing: leave choices out",
        ),
        ("arms: [{name: x, baseline: axes}]", "x: baseline axes and of"),
        ("arms: [{name: x, noise: none, of: x}]", "x: baseline axes and of"),
        ("arms: [{name: x, baseline: axes, of: y}]", "no arm named 'y'"),
        ("arms: [{name: x, baseline: axes, of: x}]", "must name an arm that trains"),
        ("[1, 2]", "must hold keys and values"),
        (
            "train: {objective: 3}\narms: [{name: a, overrides: {objective.beta: 1}}]",
            "objective.beta: objective must hold keys and values, got 3",
        ),
        ("arms: [{name: scanner-unseen, noise: gaussian}]", "Choose another name"),
    ],
)
def test_a_wrong_plan_is_one_clear_line(tmp_path, text, match):
    with pytest.raises(UserError, match=match):
        load_plan(write(tmp_path, text))


def test_the_command_line_names_arms():
    plan = load_plan(noise=["none", "scanner_wide", "rician"], held_out=["X"], seeds=2)
    assert [arm.name for arm in plan.arms] == ["none", "scanner_wide", "rician"]
    assert plan.arm("scanner_wide").dispersion == 2.0
    assert plan.seeds == 2
    assert load_plan(noise=["none"], held_out=["X", "Y", "X"]).held_out == ("X", "Y")
    with pytest.raises(UserError, match="Did you mean 'scanner'"):
        load_plan(noise=["scaner"])
    with pytest.raises(UserError, match=r"--noise my arm.yaml: name: .*got 'my arm'"):
        load_plan(noise=["my arm.yaml"])


def test_without_a_plan_all_arms_run_that_any_data_can_carry():
    names = {arm.name for arm in load_plan(held_out=["X"]).arms}
    assert {"none", "scanner", "scanner_fitted", "combat", "nyul", "pca"} <= names
    assert not names & {"oracle", "oracle_wide"}


def test_seeds_of_the_command_line_are_checked_too():
    with pytest.raises(UserError, match="seeds must be at least 1, got 0"):
        load_plan(noise=["none"], held_out=["X"], seeds=0)
