"""Every objective written as the obvious loop over scans, corruptions and codes."""

import math

import torch
from linear_gaussian import rng_of

from medvae.model.posterior import Posterior

normal = torch.distributions.Normal
kl = torch.distributions.kl_divergence
PRIOR = normal(0.0, 1.0)
SCANS, COPIES = 3, 4


class Slow:
    """Two-dimensional encoder and decoder with a gain each."""

    def __init__(self):
        rng = rng_of(4)
        self.gain = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
        self.width = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
        self.paint = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
        self.x = torch.randn(SCANS, 2, generator=rng, dtype=torch.float64)
        self.y = torch.randn(COPIES, SCANS, 2, generator=rng, dtype=torch.float64)

    def encode(self, y):
        return Posterior(self.gain * y, self.width * torch.ones_like(y))

    def log_likelihood(self, x, z):
        return -0.5 * (x - self.paint * z).square().sum(1) - math.log(2 * math.pi)

    def gradient(self, value):
        knobs = (self.gain, self.width, self.paint)
        return torch.stack(torch.autograd.grad(value, knobs))

    def q(self, m, b):
        """q(z | x~) of corruption m of scan b, a distribution over two dimensions."""
        return normal(self.gain * self.y[m, b], torch.exp(0.5 * self.width))

    def mixture(self, z, b):
        """Log of the mean density of all corruptions of scan b."""
        each = [self.q(j, b).log_prob(z).sum() for j in range(COPIES)]
        return torch.stack(each).exp().mean().log()

    def parts(self, m, b, noise):
        """A code, log p(x | z), log p(x, z) and log q(z | x~), from normal numbers."""
        q = self.q(m, b)
        z = q.mean + q.stddev * noise
        nats = self.log_likelihood(self.x[b][None], z[None])[0]
        return z, nats, nats + PRIOR.log_prob(z).sum(), q.log_prob(z).sum()


def drawn(samples, copies):
    """The normal numbers that the objectives draw with seed 7, in their order."""
    rng = rng_of(7)
    draws = [torch.randn(copies * SCANS, 2, generator=rng) for _ in range(samples)]
    return torch.stack(draws).view(samples, copies, SCANS, 2).double()


def slow_dvae(slow, beta=1.0, free_bits=0.0):
    noise, painted = drawn(2, COPIES), 0.0
    charged = [0.0, 0.0]  # a latent dimension each
    for b in range(SCANS):
        for m in range(COPIES):
            for k in range(2):
                painted = painted + slow.parts(m, b, noise[k, m, b])[1] / 2
            own = kl(slow.q(m, b), PRIOR)
            charged = [c + own[d] for d, c in enumerate(charged)]
    count = SCANS * COPIES
    held = [c / count if c / count > free_bits else free_bits for c in charged]
    return painted / count - beta * sum(held)


def slow_diwae(slow, weighting):
    noise, total = drawn(2, COPIES), 0.0
    for b in range(SCANS):
        inner, everything = [], []
        for m in range(COPIES):
            row = []
            for k in range(2):
                z, _, joint, own = slow.parts(m, b, noise[k, m, b])
                if weighting == "mixture":
                    own = slow.mixture(z, b)
                row.append((joint - own).exp())
            inner.append((sum(row) / 2).log())
            everything += row
        if weighting == "per_corruption":
            total = total + sum(inner) / COPIES
        else:
            total = total + (sum(everything) / (2 * COPIES)).log()
    return total / SCANS


def slow_sivi(slow):
    """One corruption painted, the others encoded only."""
    noise, total = drawn(2, 1), 0.0
    for b in range(SCANS):
        for k in range(2):
            z, _, joint, _ = slow.parts(0, b, noise[k, 0, b])
            total = total + joint - slow.mixture(z, b)
    return total / (2 * SCANS)


def slow_invariance(slow, lam):
    noise, total = drawn(1, COPIES), 0.0
    for b in range(SCANS):
        for m in range(COPIES):
            q = slow.q(m, b)
            z, nats, _, own = slow.parts(m, b, noise[0, m, b])
            if lam > 0:
                others = [slow.q(j, b) for j in range(COPIES) if j != m]
                told = sum(kl(q, other).sum() for other in others) / len(others)
            else:
                told = own - slow.mixture(z, b)
            total = total + nats - kl(q, PRIOR).sum() - lam * told
    return total / (SCANS * COPIES)
