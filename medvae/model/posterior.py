"""The Gaussian that the encoder returns, and its distance from the prior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

LOG_2PI = math.log(2 * math.pi)

Randomness = Generator | Sequence[Generator]
"""Where codes are drawn from: one generator for a batch, or one for each volume."""


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian q(z | x~), one per volume.

    Args:
        mean: Means, (B, ...) with any latent shape.
        logvar: Log variances, the same shape.

    Example:
        >>> standard = Posterior(torch.zeros(2, 3), torch.zeros(2, 3))
        >>> standard.kl().tolist()
        [0.0, 0.0]
    """

    mean: Tensor
    logvar: Tensor

    @property
    def std(self) -> Tensor:
        """Standard deviations, (B, ...)."""
        return torch.exp(0.5 * self.logvar)

    def sample(self, rng: Randomness) -> Tensor:
        """One draw z = mean + std * e, (B, ...), differentiable in both.

        With a generator for each of V volumes, the batch is taken as B / V copies of
        all volumes in turn, and a volume's numbers do not depend on the others.
        """
        shape = self.mean.shape
        if isinstance(rng, Generator):
            noise = torch.randn(shape, generator=rng, device=rng.device)
            return self.mean + self.std * noise.to(self.mean)
        own = (len(self.mean) // len(rng), *shape[1:])
        drawn = [torch.randn(own, generator=g, device=g.device) for g in rng]
        noise = torch.stack(drawn, 1).view(shape)
        return self.mean + self.std * noise.to(self.mean)

    def kl(self) -> Tensor:
        """KL(q || N(0, I)) in nats, summed over latent dimensions, (B,)."""
        return self.kl_per_dimension().flatten(1).sum(1)

    def kl_per_dimension(self) -> Tensor:
        """KL(q || N(0, I)) in nats of every latent dimension, (B, ...)."""
        return 0.5 * (self.mean.square() + self.logvar.exp() - 1 - self.logvar)

    def kl_to(self, other: Posterior) -> Tensor:
        """KL(self || other) in nats, summed over latent dimensions, (B,)."""
        shift = (self.mean - other.mean).square()
        spread = (shift + self.logvar.exp()) * torch.exp(-other.logvar)
        terms = 0.5 * (spread - 1 + other.logvar - self.logvar)
        return terms.flatten(1).sum(1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log q(z) in nats, (..., B), of codes (..., B, *latent)."""
        error = (z - self.mean).square() * torch.exp(-self.logvar)
        terms = -0.5 * (error + self.logvar + LOG_2PI)
        return terms.flatten(terms.ndim - self.mean.ndim + 1).sum(-1)

    def chunk(self, copies: int) -> list[Posterior]:
        """The posteriors of ``copies`` equal parts of the batch, in order."""
        parts = zip(self.mean.chunk(copies), self.logvar.chunk(copies), strict=True)
        return [Posterior(mean, logvar) for mean, logvar in parts]

    @staticmethod
    def cat(parts: Sequence[Posterior]) -> Posterior:
        """One batch of several posteriors; undoes :meth:`chunk`."""
        if len(parts) == 1:
            return parts[0]
        return Posterior(
            torch.cat([part.mean for part in parts]),
            torch.cat([part.logvar for part in parts]),
        )

    @staticmethod
    def average(parts: Sequence[Posterior]) -> Posterior:
        """The Gaussian with mean and variance of the equal mixture of ``parts``.

        What to encode a scan with when the code is that of several corrupted copies:
        its mean is the mean of their means, its variance theirs plus what the means
        differ by.

        Example:
            >>> a, b = torch.tensor([[-1.0]]), torch.tensor([[1.0]])
            >>> both = Posterior.average([Posterior(a, 0 * a), Posterior(b, 0 * b)])
            >>> both.mean.item(), round(both.std.item() ** 2, 4)
            (0.0, 2.0)
        """
        means = torch.stack([part.mean for part in parts])
        inner = torch.stack([part.logvar for part in parts]).exp().mean(0)
        return Posterior(means.mean(0), (inner + means.var(0, correction=0)).log())
