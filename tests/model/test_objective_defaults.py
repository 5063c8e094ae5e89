"""Defaults, weights and charges of the bounds, each against its formula."""

import sys
from pathlib import Path

import pytest
import torch

from medvae.model.objective import diwae, dvae, invariance, iwae, pairwise, sivi, vae
from medvae.model.posterior import Posterior

sys.path.insert(0, str(Path(__file__).parent))
from linear_gaussian import LinearGaussian, rng_of

MODEL = LinearGaussian()


def world(copies=2, n=6):
    rng = rng_of(3)
    x = MODEL.draw(n, rng)
    return x, MODEL.corrupt(x, copies, rng)


def bound(objective, *tensors, **options):
    return objective(*tensors, MODEL.encode, MODEL.log_likelihood, rng_of(5), **options)


def same(a, b):
    return torch.equal(a.value, b.value) and torch.equal(a.objective, b.objective)


@pytest.mark.parametrize(
    ("objective", "defaults"),
    [
        (dvae, {"samples": 1, "beta": 1.0, "free_bits": 0.0}),
        (sivi, {"samples": 1, "extra": 0}),
        (diwae, {"samples": 1}),
        (invariance, {"samples": 1, "lam": 0.0, "beta": 1.0, "free_bits": 0.0}),
    ],
)
def test_defaults_are_the_written_ones(objective, defaults):
    x, y = world()
    assert same(bound(objective, x, y), bound(objective, x, y, **defaults))


def test_defaults_of_the_clean_bounds_are_the_written_ones():
    x, _ = world()
    written = {"samples": 1, "beta": 1.0, "free_bits": 0.0}
    assert same(bound(vae, x, None), bound(vae, x, None, **written))
    assert same(bound(iwae, x, None), bound(iwae, x, None, samples=5))


@pytest.mark.parametrize("options", [{"beta": 0.25}, {"free_bits": 0.3}])
def test_the_clean_bound_takes_weight_and_free_bits(options):
    x, _ = world()
    plain, changed = bound(vae, x, None), bound(vae, x, None, **options)
    assert torch.equal(plain.value, changed.value)
    assert not torch.allclose(plain.objective, changed.objective)


def test_a_weight_of_zero_leaves_the_reconstruction():
    x, _ = world()
    free = bound(vae, x, None, beta=0.0)
    assert torch.equal(free.objective, free.reconstruction)


def posteriors(y):
    return [MODEL.encode(copy) for copy in y]


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_information_is_charged_apart_from_the_weight_of_the_kl(beta):
    x, y = world(copies=3)
    found = bound(invariance, x, y, lam=0.7, beta=beta)
    told = pairwise(posteriors(y))
    kl = torch.stack([q.kl() for q in posteriors(y)]).mean(0)
    charged = found.reconstruction - found.objective
    assert torch.allclose(charged, beta * kl + 0.7 * told, atol=1e-5)
    assert torch.allclose(found.kl, kl + 0.7 * told, atol=1e-5)


def test_free_bits_are_a_floor_beside_the_information():
    x, y = world(copies=3)
    plain = bound(invariance, x, y, lam=0.7)
    free = bound(invariance, x, y, lam=0.7, free_bits=100.0)
    told = pairwise(posteriors(y))
    dims = MODEL.encode(y[0]).mean[0].numel()
    charged = free.reconstruction - free.objective
    assert torch.allclose(charged, 100.0 * dims + 0.7 * told, atol=1e-3)
    assert torch.equal(plain.value, free.value)


def test_more_samples_paint_more_codes():
    seen = []

    def likelihood(x, z):
        seen.append(len(z))
        return MODEL.log_likelihood(x, z)

    x, y = world()
    invariance(x, y, MODEL.encode, likelihood, rng_of(0), samples=4)
    assert sum(seen) == 4 * 2 * len(x)


def test_a_single_corruption_tells_nothing_and_says_so():
    with pytest.raises(ValueError, match=r"at least 2 corruptions of each scan, got 1"):
        pairwise([Posterior(torch.zeros(1, 1), torch.zeros(1, 1))])
