"""Monotone intensity curves."""

import numpy as np
import pytest
import torch

from noise_models.contrast import Contrast


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def apply(x, knots_in, knots_out):
    params = {
        "knots_in": torch.tensor([knots_in]),
        "knots_out": torch.tensor([knots_out]),
    }
    return Contrast().apply(x, params, seeded())


def test_agrees_with_numpy_between_the_knots():
    knots, levels = [0.0, 0.2, 0.5, 1.0, 1.4], [0.1, 0.15, 0.7, 0.9, 1.6]
    x = torch.rand(1, 1, 30, 30) * 1.4
    expected = np.interp(x.numpy(), knots, levels)
    np.testing.assert_allclose(apply(x, knots, levels).numpy(), expected, atol=1e-6)


def test_goes_on_with_the_end_slopes():
    x = torch.tensor([-1.0, 2.0]).view(1, 1, 2, 1)
    y = apply(x, [0.0, 0.5, 1.0], [0.0, 0.25, 1.0])
    assert y.flatten().tolist() == pytest.approx([-0.5, 2.5])


def test_two_knots_are_a_straight_line():
    x = torch.rand(1, 1, 9, 9)
    torch.testing.assert_close(apply(x, [0.0, 1.0], [0.5, 2.5]), 0.5 + 2 * x)


def test_drawn_curves_rise_and_keep_air_and_reference():
    ramp = torch.linspace(0, 1.5, 301).view(1, 1, 1, -1).expand(200, 1, 1, -1)
    y = Contrast(strength=1.0)(ramp, rng=seeded())[:, 0, 0]
    assert (y.diff(dim=1) > 0).all()
    assert (y[:, 0] == 0).all()
    torch.testing.assert_close(y[:, 200], torch.ones(200), atol=1e-5, rtol=0)


def test_weak_strength_changes_little():
    x = torch.rand(1, 1, 20, 20)
    assert (Contrast(strength=1e-4)(x, rng=seeded()) - x).abs().max() < 1e-3


@pytest.mark.parametrize("knots", [[0.0, 0.0, 1.0], [0.0, 1.0, 0.5]])
def test_knots_out_of_order_are_refused(knots):
    with pytest.raises(ValueError, match="knots_in must ascend strictly"):
        apply(torch.ones(1, 1, 4, 4), knots, [0.0, 0.5, 1.0])


def test_falling_curve_is_refused():
    with pytest.raises(ValueError, match="knots_out must not fall"):
        apply(torch.ones(1, 1, 4, 4), [0.0, 0.5, 1.0], [0.0, 0.8, 0.5])


def test_one_knot_is_refused():
    with pytest.raises(
        ValueError, match="knots must be a whole number, at least 2, got 1"
    ):
        Contrast(knots=1)
