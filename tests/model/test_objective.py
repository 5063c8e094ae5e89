"""The criterion against closed forms: a linear-Gaussian model where all is known."""

import math

import pytest
import torch

from medvae.model.objective import dvae
from medvae.model.posterior import Posterior

W, NOISE, TAU2 = 1.3, 0.4, 0.25  # p(x|z) = N(W z, NOISE), x~ = x + N(0, TAU2)
GAIN, VARIANCE = 0.555556, 0.191388


def linear(gain, variance):
    logvar = math.log(variance)
    return lambda y: Posterior(gain * y, torch.full_like(y, logvar))


def log_likelihood(x, z):
    density = torch.distributions.Normal(W * z, math.sqrt(NOISE)).log_prob(x)
    return density.flatten(1).sum(1)


def model_samples(n, seed=0):
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn(n, 1, generator=rng, dtype=torch.float64)
    e = torch.randn(n, 1, generator=rng, dtype=torch.float64)
    return W * z + math.sqrt(NOISE) * e, rng


def corrupted(x, copies, rng):
    e = torch.randn(copies, *x.shape, generator=rng, dtype=x.dtype)
    return x + math.sqrt(TAU2) * e


def mean_bound(encode, y, x, rng, samples=4):
    bound = dvae(x, y, encode, log_likelihood, rng, samples).value
    return bound.mean().item(), bound.std().item() / math.sqrt(len(x))


def test_golden_best_bound_is_the_entropy_of_the_data():
    x, rng = model_samples(200_000)
    mean, error = mean_bound(linear(0.622010, VARIANCE), x[None], x, rng)
    assert mean == pytest.approx(-1.787521, abs=4 * error)


def test_golden_denoising_bound_of_its_best_encoder():
    x, rng = model_samples(200_000)
    mean, error = mean_bound(linear(GAIN, VARIANCE), corrupted(x, 2, rng), x, rng)
    assert error < 0.003
    assert mean == pytest.approx(-2.013215, abs=4 * error)


def test_golden_clean_input_bound_of_the_denoising_encoder():
    x, rng = model_samples(200_000)
    mean, error = mean_bound(linear(GAIN, VARIANCE), x[None], x, rng)
    assert mean == pytest.approx(-1.811633, abs=4 * error)


@pytest.mark.parametrize(
    ("corruptions", "samples", "variance"),
    [(1, 1, 0.77), (1, 5, 0.23), (5, 1, 0.15), (5, 5, 0.04)],
)
def test_golden_variance_falls_faster_with_corruptions_than_with_samples(
    corruptions, samples, variance
):
    # Of the estimate for one scan, x = 0.75, repeated; the golden
    # values are given to two decimals.
    x = torch.full((200_000, 1), 0.75, dtype=torch.float64)
    rng = torch.Generator().manual_seed(0)
    y = corrupted(x, corruptions, rng)
    bound = dvae(x, y, linear(GAIN, VARIANCE), log_likelihood, rng, samples)
    assert bound.value.var().item() == pytest.approx(variance, abs=0.01)


def test_corruptions_and_samples_do_not_change_the_expectation():
    x, rng = model_samples(200_000)
    encode = linear(GAIN, VARIANCE)
    few, error = mean_bound(encode, corrupted(x, 1, rng), x, rng, samples=1)
    many, _ = mean_bound(encode, corrupted(x, 4, rng), x, rng, samples=3)
    assert few == pytest.approx(many, abs=4 * error)


def test_kl_is_of_the_corrupted_code_and_target_is_the_clean_scan():
    seen = {}

    def encode(y):
        return Posterior(y, torch.zeros_like(y))

    def record(x, z):
        seen["target"] = x
        return torch.zeros(len(x), dtype=x.dtype)

    x = torch.zeros(3, 2)
    y = torch.full((2, 3, 2), 2.0)
    bound = dvae(x, y, encode, record, torch.Generator())
    assert bound.kl.tolist() == [4.0, 4.0, 4.0]  # two dimensions of 2^2 / 2
    assert torch.equal(seen["target"], torch.zeros(6, 2))


def test_gradient_is_that_of_a_slow_loop():
    rng = torch.Generator().manual_seed(3)
    x = torch.randn(3, 2, generator=rng, dtype=torch.float64)
    y = torch.randn(2, 3, 2, generator=rng, dtype=torch.float64)
    gain = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    bound = dvae(x, y, lambda v: Posterior(gain * v, 0 * v), log_likelihood, _rng(7))
    (fast,) = torch.autograd.grad(bound.value.mean(), gain)
    noise = torch.randn(6, 2, generator=_rng(7)).view(2, 3, 2)  # as sample() draws it
    total = 0.0
    for m in range(2):
        for b in range(3):
            z = gain * y[m, b] + noise[m, b]
            kl = 0.5 * ((gain * y[m, b]) ** 2).sum()
            total = total + log_likelihood(x[b : b + 1], z[None])[0] - kl
    (slow,) = torch.autograd.grad(total / 6, gain)
    assert fast.item() == pytest.approx(slow.item(), rel=1e-6)


def _rng(seed):
    return torch.Generator().manual_seed(seed)


def test_wrong_stack_of_corruptions_is_refused():
    x = torch.zeros(3, 2)
    with pytest.raises(ValueError, match=r"must be \(M, 3, 2\), got \(3, 2\)"):
        dvae(x, x, linear(1, 1), log_likelihood, torch.Generator())


def test_no_samples_are_refused():
    x = torch.zeros(3, 2)
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        dvae(x, x[None], linear(1, 1), log_likelihood, torch.Generator(), 0)
