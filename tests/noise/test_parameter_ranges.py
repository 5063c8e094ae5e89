"""What a parameter may be, and what is drawn from it."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import noise_models
from noise_models.base import (
    check_range,
    check_whole,
    draw_log_uniform,
    draw_uniform,
    draw_whole,
)

positive = st.floats(1e-4, 1e3)


@given(ends=st.tuples(positive, positive), seed=st.integers(0, 2**32))
def test_draws_stay_inside_the_range(ends, seed):
    low, high = sorted(ends)
    rng = torch.Generator().manual_seed(seed)
    for draw in (draw_uniform, draw_log_uniform):
        values = draw((low, high), 50, rng)
        assert low <= values.min() * (1 + 1e-6)
        assert values.max() <= high * (1 + 1e-6)


@given(value=positive)
def test_a_number_means_itself(value):
    rng = torch.Generator().manual_seed(0)
    for draw in (draw_uniform, draw_log_uniform):
        assert draw(value, 3, rng).tolist() == pytest.approx([value] * 3)


@pytest.mark.parametrize(
    "value",
    [
        *(-0.1, (0.2, 0.1), (0.1,), (0.1, 0.2, 0.3), math.nan, math.inf, "0.1", None),
        *(True, 1e39),  # more than the float32 of a draw can hold
        pytest.param(10**400, id="10**400"),
    ],
)
def test_what_is_no_level_is_refused_with_its_value(value):
    with pytest.raises(ValueError, match="x: p must satisfy 0 <= low <= high, got"):
        check_range("x: p", value)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("gaussian", "sigma"),
        ("rician", "sigma"),
        ("noncentral_chi", "sigma"),
        ("contrast", "strength"),
        ("bias_field", "rms"),
        ("spike", "amplitude"),
        ("gibbs", "kept"),
        ("scalp", "ratio"),
        ("anisotropy", "thickness_mm"),
        ("randomised", "sigma"),
    ],
)
def test_a_level_that_would_change_nothing_is_refused(name, option):
    with pytest.raises(ValueError, match=f"{name}: .*0 < low <= high.*got 0"):
        noise_models.get(name, **{option: 0})


@pytest.mark.parametrize(
    ("name", "options", "rule"),
    [
        ("gibbs", {"kept": 1.2}, "kept must satisfy 0 < low <= high <= 1, got 1.2"),
        ("ghosting", {"period": 1}, "period must satisfy 2 <= low <= high <= 16"),
        ("bias_field", {"order": 0}, "order must be a whole number from 1 to 6, got 0"),
        ("bias_field", {"order": 2.5}, "order must be a whole number from 1 to 6"),
        ("bias_field", {"order": True}, "order must be a whole number from 1 to 6"),
        (
            "bias_field",
            {"extent_mm": (100, 240)},
            r"extent_mm must be a finite number, at least 0, got \(100, 240\)",
        ),
        ("contrast", {"knots": 2.5}, "knots must be a whole number, at least 2, got 2"),
        ("noncentral_chi", {"coils": True}, "coils must be a whole number, at least 1"),
        ("ghosting", {"axis": True}, "axis must be a whole number from 0 to 2, got Tr"),
        ("ghosting", {"period": (2.5, 2.7)}, "period must satisfy .* in whole numbers"),
        ("anisotropy", {"axis": 3}, "axis must be a whole number from 0 to 2, got 3"),
        ("pepper", {"low": "x"}, "low must be a finite number, got 'x'"),
        ("pepper", {"low": math.nan}, "low must be a finite number, got nan"),
        ("pepper", {"low": True}, "low must be a finite number, got True"),
        ("salt_and_pepper", {"low": math.inf}, "low must be a finite number, got inf"),
        (
            "salt_and_pepper",
            {"high": 1e39},
            r"high must be a finite number, got 1e\+39",
        ),
        ("salt_and_pepper", {"low": 1.0, "high": 0.0}, "low must be below high"),
    ],
)
def test_settings_outside_their_range_are_refused(name, options, rule):
    with pytest.raises(ValueError, match=f"{name}: {rule}"):
        noise_models.get(name, **options)


@given(first=st.integers(-5, 16), more=st.integers(0, 9), seed=st.integers(0, 99))
def test_whole_numbers_are_drawn_between_the_ends(first, more, seed):
    last, rng = first + more, torch.Generator().manual_seed(seed)
    drawn = draw_whole((first, last), 400, rng)
    assert drawn.unique().tolist() == list(range(first, last + 1))
    assert draw_whole(first, 3, rng).tolist() == [first] * 3


@pytest.mark.parametrize("value", [2.0, True, "2", None, (1, 2), math.nan, 0])
def test_what_is_no_whole_number_is_refused_with_its_value(value):
    with pytest.raises(
        ValueError, match="x: n must be a whole number, at least 1, got"
    ):
        check_whole("x: n", value, low=1)


@pytest.mark.parametrize("order", [1, 6])
def test_the_ends_of_a_range_belong_to_it(order):
    assert noise_models.get("bias_field", order=order).order == order


def test_randomised_is_wider_than_the_presets_it_is_made_of():
    wide = noise_models.get("randomised")
    parts = {
        "contrast": noise_models.get("contrast").strength,
        "fwhm_mm": noise_models.get("blur").fwhm_mm,
        "bias_rms": noise_models.get("bias_field").rms,
        "sigma": noise_models.get("rician").sigma,
    }
    assert all(getattr(wide, key)[1] > usual[1] for key, usual in parts.items())


def test_randomised_applies_the_forward_model_in_order():
    steps = [step.name for step in noise_models.get("randomised").as_chain().steps]
    assert steps == ["contrast", "blur", "bias_field", "rician"]
    full = noise_models.get("randomised", scalp=(0.7, 1.4), lost=(0.0, 0.25))
    more = [step.name for step in full.as_chain().steps]
    assert more == ["contrast", "scalp", *steps[1:], "field_of_view"]


def test_draws_are_made_where_the_generator_lives():
    params = noise_models.get("rician").draw(2, torch.Generator("cpu"))
    assert params["sigma"].device.type == "cpu"


def test_missing_parameter_is_named():
    model = noise_models.get("rician")
    with pytest.raises(ValueError, match=r"params need 'sigma', got \['level'\]"):
        model.apply(torch.ones(1, 1, 4, 4), {"level": torch.ones(1)}, torch.Generator())
