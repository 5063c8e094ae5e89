"""Rician and non-central chi noise against theory and slow simulation."""

import math

import pytest
import torch
from scipy.stats import ncx2, rice

import noise_models
from noise_models.noncentral_chi import NoncentralChi
from noise_models.rician import Rician


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("signal", [0.0, 0.1, 0.3, 1.0])
def test_rician_moments_agree_with_scipy(signal):
    y = Rician(sigma=0.1)(torch.full((1, 1, 64, 64, 64), signal), rng=seeded())
    law = rice(signal / 0.1, scale=0.1)
    assert y.mean().item() == pytest.approx(law.mean(), rel=0.005)
    assert y.std().item() == pytest.approx(law.std(), rel=0.01)


@pytest.mark.parametrize("coils", [1, 2, 8])
@pytest.mark.parametrize("signal", [0.0, 0.2, 1.0])
def test_chi_moments_agree_with_scipy(signal, coils):
    x = torch.full((1, 1, 64, 64, 64), signal)
    power = NoncentralChi(sigma=0.1, coils=coils)(x, rng=seeded()).square() / 0.01
    law = ncx2(2 * coils, signal**2 / 0.01)
    assert power.mean().item() == pytest.approx(law.mean(), rel=0.01)
    assert power.std().item() == pytest.approx(law.std(), rel=0.015)


def test_chi_has_the_cross_term_that_makes_bright_noise_gaussian():
    y = NoncentralChi(sigma=1.0, coils=4)(torch.full((1, 1, 99, 99), 1e3), rng=seeded())
    assert y.std().item() == pytest.approx(1.0, rel=0.02)


def test_chi_agrees_with_a_loop_over_coils():
    x, rng = torch.full((200_000,), 0.5), seeded(1)
    sensitivity = torch.tensor([0.8, 0.5, 0.3, math.sqrt(0.02)])  # squares add to 1
    power = torch.zeros_like(x)
    for s in sensitivity:
        noise = 0.2 * torch.randn(2, *x.shape, generator=rng)
        power += (s * x + noise[0]) ** 2 + noise[1] ** 2
    slow = power.sqrt()
    fast = NoncentralChi(sigma=0.2, coils=4)(x.view(1, 1, 400, 500), rng=seeded())
    for q in (0.05, 0.5, 0.95):
        assert fast.quantile(q).item() == pytest.approx(
            slow.quantile(q).item(), rel=0.01
        )


def test_one_coil_is_rician_number_for_number():
    x = torch.rand(2, 1, 16, 16, 16)
    chi = NoncentralChi(sigma=0.1, coils=1)(x, rng=seeded())
    assert torch.equal(chi, Rician(sigma=0.1)(x, rng=seeded()))


def test_two_acquisitions_compose_into_one():
    twice = noise_models.Chain([Rician(sigma=0.06), Rician(sigma=0.08)])
    x = torch.cat([torch.zeros(1, 1, 64, 64, 64), torch.ones(1, 1, 64, 64, 64)])
    y, once = twice(x, rng=seeded(1)), Rician(sigma=0.1)(x, rng=seeded(2))
    torch.testing.assert_close(
        y.mean((1, 2, 3, 4)), once.mean((1, 2, 3, 4)), rtol=0.01, atol=0
    )
    torch.testing.assert_close(
        y.std((1, 2, 3, 4)), once.std((1, 2, 3, 4)), rtol=0.01, atol=0
    )


def test_levels_are_log_uniform():
    sigma = Rician(sigma=(0.01, 1.0)).draw(20_000, seeded())["sigma"]
    assert sigma.log10().mean().item() == pytest.approx(-1, abs=0.02)
    assert sigma.log10().std().item() == pytest.approx(2 / math.sqrt(12), rel=0.02)


@pytest.mark.parametrize("coils", [0, 1.5])
def test_fractions_of_coils_are_refused(coils):
    with pytest.raises(ValueError, match=f"whole number, at least 1, got {coils}"):
        NoncentralChi(coils=coils)
