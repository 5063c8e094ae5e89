"""The Gaussian that the encoder returns, and its distance from the prior."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


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

    def sample(self, rng: Generator) -> Tensor:
        """One draw z = mean + std * e, (B, ...), differentiable in both."""
        noise = torch.randn(self.mean.shape, generator=rng, device=rng.device)
        return self.mean + self.std * noise.to(self.mean)

    def kl(self) -> Tensor:
        """KL(q || N(0, I)) in nats, summed over latent dimensions, (B,)."""
        return self.kl_per_dimension().flatten(1).sum(1)

    def kl_per_dimension(self) -> Tensor:
        """KL(q || N(0, I)) in nats of every latent dimension, (B, ...)."""
        return 0.5 * (self.mean.square() + self.logvar.exp() - 1 - self.logvar)
