"""The encoder's Gaussian: densities, distances, and averages over copies."""

import torch

from medvae.model.posterior import Posterior


def some(seed=0, shape=(4, 3, 2)):
    rng = torch.Generator().manual_seed(seed)
    return Posterior(
        torch.randn(shape, generator=rng), torch.randn(shape, generator=rng)
    )


def normal(q):
    return torch.distributions.Normal(q.mean, q.std)


def test_density_agrees_with_torch_distributions_whatever_stands_in_front():
    q, z = some(), torch.randn(5, 2, 4, 3, 2)
    expected = normal(q).log_prob(z).sum((-1, -2))
    assert torch.allclose(q.log_prob(z), expected, rtol=1e-5)


def test_distance_agrees_with_torch_distributions():
    p, q = some(0), some(1)
    expected = torch.distributions.kl_divergence(normal(p), normal(q)).sum((1, 2))
    assert torch.allclose(p.kl_to(q), expected, rtol=1e-5)


def test_chunks_come_back_together():
    q = some()
    again = Posterior.cat(q.chunk(2))
    assert torch.equal(again.mean, q.mean)
    assert torch.equal(again.logvar, q.logvar)


def test_average_has_the_moments_of_the_mixture():
    parts = [some(seed, (1, 2)) for seed in range(3)]
    rng = torch.Generator().manual_seed(0)
    draws = torch.stack([q.sample(rng) for _ in range(20_000) for q in parts])
    mean = Posterior.average(parts)
    assert torch.allclose(mean.mean, draws.mean(0), atol=0.05)
    assert torch.allclose(mean.std, draws.std(0), rtol=0.02)


def test_average_of_one_is_itself():
    q = some()
    assert torch.allclose(Posterior.average([q]).logvar, q.logvar, atol=1e-6)
