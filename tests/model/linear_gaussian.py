"""A model in which every bound has a closed form, to judge the estimates against.

p(z) = N(0, 1), p(x | z) = N(w z, s2), x~ = x + N(0, t2), q(z | x~) = N(a x~, v).
"""

import math
from dataclasses import dataclass

import torch

from medvae.model.posterior import Posterior


def rng_of(seed):
    return torch.Generator().manual_seed(seed)


@dataclass(frozen=True)
class LinearGaussian:
    w: float = 1.3
    s2: float = 0.4
    t2: float = 0.25
    a: float = 0.555556
    v: float = 0.191388

    def encode(self, y):
        return Posterior(self.a * y, torch.full_like(y, math.log(self.v)))

    def log_likelihood(self, x, z):
        density = torch.distributions.Normal(self.w * z, math.sqrt(self.s2))
        return density.log_prob(x).flatten(1).sum(1)

    def draw(self, n, rng):
        z = torch.randn(n, 1, generator=rng, dtype=torch.float64)
        e = torch.randn(n, 1, generator=rng, dtype=torch.float64)
        return self.w * z + math.sqrt(self.s2) * e

    def corrupt(self, x, copies, rng):
        e = torch.randn(copies, *x.shape, generator=rng, dtype=x.dtype)
        return x + math.sqrt(self.t2) * e

    def log_evidence(self, x):
        variance = self.w**2 + self.s2
        return torch.distributions.Normal(0.0, math.sqrt(variance)).log_prob(x)[:, 0]

    def dvae(self, x):
        """L_dvae of every scan, from E z = a x and Var z = v + a^2 t2 under q~."""
        a, v, w, x = self.a, self.v, self.w, x[:, 0]
        spread = v + a**2 * self.t2
        error = (x - w * a * x) ** 2 + w**2 * spread
        likelihood = -0.5 * (math.log(2 * math.pi * self.s2) + error / self.s2)
        kl = 0.5 * ((a * x) ** 2 + spread - 1 - math.log(v))
        return likelihood - kl

    @property
    def information(self):
        """I(z; x~ | x): q~(z | x) is a Gaussian of variance v + a^2 t2."""
        return 0.5 * math.log1p(self.a**2 * self.t2 / self.v)

    @property
    def pairwise(self):
        return self.a**2 * self.t2 / self.v


def standard_error(values):
    return values.std().item() / math.sqrt(len(values))
