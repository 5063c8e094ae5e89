"""Bias fields and the cosine basis they are made of."""

import math

import pytest
import torch

from noise_models.bias_field import BiasField
from noise_models.cosine import cosine_basis, cosine_field, cosine_rows, cosine_terms


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_separable_field_agrees_with_a_slow_sum_of_terms():
    shape, spacing = (7, 8, 9), (30.0, 20.0, 25.0)
    centre = torch.tensor([[3.0, 4.0, 4.5], [2.0, 3.5, 5.0]])
    coefficients = torch.randn(2, 19, generator=seeded())
    fast = cosine_field(coefficients, cosine_basis(shape, spacing, centre, order=3))
    slow = torch.zeros(2, *shape)
    for n in range(2):
        for weight, term in zip(coefficients[n], cosine_terms(3, 3), strict=True):
            part = weight
            for axis, k in enumerate(term):
                mm = (torch.arange(shape[axis]) - centre[n, axis]) * spacing[axis]
                u = (mm / 240 + 0.5).clamp(0, 1)
                factor = math.sqrt(2) * torch.cos(math.pi * k * u) if k else u**0
                part = part * factor.view([-1 if a == axis else 1 for a in range(3)])
            slow[n] += part
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("ndim", "order"), [(2, 2), (2, 3), (3, 2), (3, 3)])
def test_terms_are_orthonormal_over_the_box(ndim, order):
    shape = (24,) * ndim
    factors = cosine_basis(shape, (10.0,) * ndim, order=order)
    rows = cosine_rows(factors, torch.ones(shape).nonzero().unbind(1))
    gram = rows.T @ rows / len(rows)
    torch.testing.assert_close(gram, torch.eye(len(gram)), atol=1e-4, rtol=0)
    torch.testing.assert_close(rows.mean(0), torch.zeros(len(gram)), atol=1e-5, rtol=0)


def test_design_rows_times_coefficients_is_the_field():
    factors = cosine_basis((6, 7, 8), (40, 30, 30), order=2)
    coefficients = torch.randn(1, 9, generator=seeded())
    field = cosine_field(coefficients, factors)[0]
    mask = field > 0
    rows = cosine_rows(factors, mask.nonzero().unbind(1))
    torch.testing.assert_close(
        rows @ coefficients[0], field[mask], atol=1e-5, rtol=1e-5
    )


def test_field_follows_the_head_when_it_moves():
    model, x = BiasField(rms=0.3), torch.ones(1, 1, 40, 40, 40)
    params = model.draw(1, seeded())
    here, there = (
        model.apply(
            x,
            {**params, "centre_voxels": torch.tensor([c])},
            seeded(),
            spacing_mm=(4, 4, 4),
        )
        for c in ([18.0, 20.0, 20.0], [21.0, 20.0, 20.0])
    )
    torch.testing.assert_close(here[:, :, :-3], there[:, :, 3:])


def test_field_is_the_same_in_mm_at_any_voxel_size():
    model = BiasField(rms=0.3)
    params = model.draw(1, seeded())
    fine = model.apply(
        torch.ones(1, 1, 60, 60, 60), params, seeded(), spacing_mm=(4,) * 3
    )
    coarse = model.apply(
        torch.ones(1, 1, 20, 20, 20), params, seeded(), spacing_mm=(12,) * 3
    )
    torch.testing.assert_close(fine[..., 1::3, 1::3, 1::3], coarse)


def test_field_stays_level_outside_the_box():
    x = torch.ones(1, 1, 100, 4)
    y = BiasField(rms=0.3, extent_mm=60)(x, rng=seeded())
    assert torch.equal(y[..., :20, :], y[..., :1, :].expand(1, 1, 20, 4))
    assert not torch.equal(y[..., 20, :], y[..., 30, :])


def test_plane_sees_the_whole_rms_of_a_drawn_field():
    y = BiasField(rms=0.2)(torch.ones(4, 1, 120, 120), rng=seeded(), spacing_mm=(2, 2))
    rms = y.log().square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(rms, torch.full((4,), 0.2), rtol=0.01, atol=0)


def test_own_extent_shades_an_image_without_physical_size():
    x = torch.ones(1, 1, 28, 28)
    own, head = (
        BiasField(rms=0.2, extent_mm=e)(x, rng=seeded()).log().std() for e in (0, 240)
    )
    assert own.item() == pytest.approx(0.2, rel=0.01)
    assert head < 0.1


def test_channels_of_one_volume_share_its_field():
    y = BiasField()(torch.ones(1, 3, 8, 8, 8), rng=seeded(), spacing_mm=(30, 30, 30))
    assert torch.equal(y[:, 0], y[:, 2])
    assert y.std() > 0.01


def test_finer_terms_are_weaker():
    drawn = BiasField(rms=1.0).draw(4000, seeded())["coefficients"].square().mean(0)
    order = torch.tensor(cosine_terms(3, 3)).sum(1)
    strength = [drawn[order == k].mean().item() for k in (1, 2, 3)]
    assert strength[0] > 3 * strength[1] > 6 * strength[2]


def test_coefficients_of_another_order_are_refused():
    params = {"coefficients": torch.zeros(1, 9)}
    with pytest.raises(ValueError, match=r"must be \(n, 19\) for order 3 in 3-D"):
        BiasField(order=3).apply(torch.ones(1, 1, 4, 4, 4), params, seeded())
