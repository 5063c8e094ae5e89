"""Likelihoods against independent ones, and the units their numbers come in."""

import math

import pytest
import torch

from medvae.model.likelihood import (
    Bernoulli,
    DiscretisedLogistic,
    Gaussian,
    Laplace,
    bits_per_voxel,
    log_jacobian,
)

SHAPE = (1, 3, 4)
DENSITIES = [
    (Gaussian, torch.distributions.Normal),
    (Laplace, torch.distributions.Laplace),
]


def pair(n=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(n, *SHAPE, generator=rng), torch.rand(n, *SHAPE, generator=rng)


def levels():
    return DiscretisedLogistic(step=0.05, low=0.0, high=1.0, scale=0.1)


@pytest.mark.parametrize(("ours", "theirs"), DENSITIES)
def test_density_agrees_with_torch_distributions(ours, theirs):
    x, painted = pair()
    expected = theirs(painted, 0.3).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(ours(scale=0.3)(x, painted), expected, rtol=1e-5)


@pytest.mark.parametrize(("ours", "theirs"), DENSITIES)
def test_a_scale_per_voxel_weighs_every_voxel_by_its_own(ours, theirs):
    x, painted = pair()
    likelihood = ours(scale=0.3, shape=SHAPE)
    with torch.no_grad():
        likelihood.log_scale.copy_(torch.rand(SHAPE) - 1.5)
    scale = likelihood.log_scale.detach().exp()
    expected = theirs(painted, scale).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(likelihood(x, painted), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", [Gaussian, Laplace])
def test_learned_scale_finds_the_spread_and_a_fixed_one_stays(kind):
    x = 0.4 * torch.randn(2000, *SHAPE, generator=torch.Generator().manual_seed(0))
    learned, fixed = kind(), kind(scale=0.7, fixed=True)
    optimiser = torch.optim.Adam([*learned.parameters(), *fixed.parameters()], lr=0.05)
    for _ in range(150):
        loss = -(learned(x, 0 * x) + fixed(x, 0 * x)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    best = 0.4 if kind is Gaussian else 0.4 * math.sqrt(2 / math.pi)  # mean |x|
    assert learned.scale.item() == pytest.approx(best, rel=0.02)
    assert fixed.scale.item() == pytest.approx(0.7)


def test_a_scale_per_voxel_refuses_another_grid():
    x = torch.zeros(2, 1, 5, 5)
    with pytest.raises(ValueError, match=r"of \(1, 3, 4\), got volumes of \(1, 5, 5\)"):
        Gaussian(shape=SHAPE)(x, x)


def test_scale_never_falls_below_its_floor():
    likelihood = Gaussian(scale=0.2, smallest=0.1)
    with torch.no_grad():
        likelihood.log_scale.fill_(-50.0)
    x = torch.zeros(1, *SHAPE)
    expected = torch.distributions.Normal(0.0, 0.1).log_prob(x).sum()
    assert likelihood(x, x).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("painted", [-0.2, 0.0, 0.31, 1.0, 1.4])
def test_discretised_probabilities_sum_to_one(painted):
    x = torch.arange(21).view(21, 1) * 0.05
    total = levels()(x, torch.full((21, 1), painted)).exp().sum()
    assert total.item() == pytest.approx(1.0, abs=1e-5)


def test_discretised_logistic_agrees_with_the_cumulative_one():
    x, painted = torch.tensor([[0.5]]).double(), torch.tensor([[0.43]]).double()

    def below(value):
        return 1 / (1 + math.exp(-(value - 0.43) / 0.1))

    expected = math.log(below(0.525) - below(0.475))
    assert levels().double()(x, painted).item() == pytest.approx(expected, rel=1e-6)


def test_discretised_logistic_is_finite_far_from_what_was_painted():
    painted = torch.full((1, 1), 300.0, requires_grad=True)
    nats = levels()(torch.tensor([[0.5]]), painted)
    nats.sum().backward()
    assert torch.isfinite(nats).all()
    assert torch.isfinite(painted.grad).all()
    assert painted.grad.item() < 0  # towards the voxel


@pytest.mark.parametrize("value", [0.03, 1.05, -0.05])
def test_discretised_logistic_refuses_what_is_no_level(value):
    with pytest.raises(ValueError, match=r"needs levels from 0 to 1 in steps of 0\.05"):
        levels()(torch.tensor([[value]]), torch.tensor([[0.5]]))


def test_discretised_logistic_refuses_levels_in_no_order():
    with pytest.raises(
        ValueError, match="low below high, got step 1, low 2 and high 1"
    ):
        DiscretisedLogistic(step=1, low=2, high=1)


def test_bernoulli_agrees_with_torch_distributions():
    x, logits = pair()
    x = x.round()
    theirs = torch.distributions.Bernoulli(logits=logits).log_prob(x)
    assert torch.allclose(Bernoulli()(x, logits), theirs.flatten(1).sum(1), rtol=1e-5)


@pytest.mark.parametrize("bad", [0.5, -1.0, 2.0, float("nan")])
def test_bernoulli_refuses_anything_but_black_and_white(bad):
    x = torch.tensor([[1.0, 0.0, bad]])
    with pytest.raises(ValueError, match=f"exactly 0 or 1, got {bad:g}"):
        Bernoulli()(x, 0 * x)


def test_bits_per_voxel_of_fair_dice():
    nats = torch.tensor([-10 * math.log(6)])
    assert bits_per_voxel(nats, 10).item() == pytest.approx(math.log2(6))


@pytest.mark.parametrize("kind", [Gaussian, Laplace])
def test_jacobian_carries_a_density_between_units(kind):
    # The same voxels and the same model, once in raw units and once divided by 40.
    x, painted = pair()
    spread = 40.0
    raw = kind(scale=0.3 * spread)(x * spread, painted * spread)
    normalised = kind(scale=0.3)(x, painted)
    assert torch.allclose(raw, normalised + log_jacobian(spread, 12), rtol=1e-5)


def test_every_scan_has_the_jacobian_of_its_own_spread():
    spread = torch.tensor([1.0, math.e])
    assert torch.allclose(log_jacobian(spread, 5), torch.tensor([0.0, -5.0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: log_jacobian(0.0, 5), "spread must be positive, got 0"),
        (lambda: bits_per_voxel(torch.zeros(1), 0), "voxels must be at least 1, got 0"),
    ],
)
def test_units_that_make_no_sense_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
