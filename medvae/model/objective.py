"""The denoising criterion: the number that training raises.

    L_dvae(x) = E_{c(x~|x)} [ E_{q(z|x~)} log p(x | z) - KL(q(z|x~) || p(z)) ]

(Im, Ahn, Memisevic & Bengio 2017, arXiv:1511.06406). The target is the clean ``x``;
the code and its KL are those of the corrupted ``x~``. It is a lower bound on
log p(x), and a *looser* one than the bound of the marginalised encoder: the gap is
I(z; x~ | x), what the code still tells about the corruption. Its use is what it
removes from the code, never a tighter bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from medvae.model.posterior import Posterior

Encode = Callable[[Tensor], Posterior]
LogLikelihood = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Bound:
    """A Monte-Carlo estimate of a bound on log p(x), in nats per volume.

    Args:
        reconstruction: E log p(x | z), (B,).
        kl: E KL(q || p), (B,).
    """

    reconstruction: Tensor
    kl: Tensor

    @property
    def value(self) -> Tensor:
        """The bound, (B,): reconstruction minus KL."""
        return self.reconstruction - self.kl


def dvae(
    x: Tensor,
    corrupted: Tensor,
    encode: Encode,
    log_likelihood: LogLikelihood,
    rng: Generator,
    samples: int = 1,
) -> Bound:
    """Estimate the denoising bound from M corruptions and K latents of each.

    (1/M) sum_m [ (1/K) sum_k log p(x | z_mk) - KL(q(z | x~_m) || p(z)) ].
    Variance falls faster with M than with K. With ``corrupted`` equal to ``x`` this
    is the ordinary bound of a VAE.

    Args:
        x: Clean volumes, (B, C, ...): the target.
        corrupted: M corruptions of each, (M, B, C, ...): what the encoder sees.
        encode: Maps (N, C, ...) to a :class:`Posterior` over N codes.
        log_likelihood: Maps x (N, C, ...) and codes (N, ...) to nats, (N,). N runs
            over corruptions first, then volumes, so anything that is known per volume
            has to be repeated M times.
        rng: Where the codes are drawn from.
        samples: K, codes drawn for each corruption.

    Returns:
        The bound for each volume.

    Raises:
        ValueError: ``corrupted`` is not a stack of corruptions of ``x``, or
            ``samples`` is below 1.

    Example:
        >>> q = lambda y: Posterior(0 * y.flatten(1), 0 * y.flatten(1))
        >>> p = lambda x, z: -(x.flatten(1) - z).square().sum(1)
        >>> x, rng = torch.zeros(4, 1, 2), torch.Generator().manual_seed(0)
        >>> dvae(x, x.expand(3, 4, 1, 2), q, p, rng).kl.tolist()
        [0.0, 0.0, 0.0, 0.0]
    """
    if corrupted.shape[1:] != x.shape:
        raise ValueError(
            f"corrupted must be (M, {', '.join(map(str, x.shape))}), "
            f"got {tuple(corrupted.shape)}."
        )
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}.")
    copies, volumes = corrupted.shape[:2]
    posterior = encode(corrupted.flatten(0, 1))
    target = x.expand(copies, *x.shape).flatten(0, 1)
    likelihood = torch.stack(
        [log_likelihood(target, posterior.sample(rng)) for _ in range(samples)]
    ).mean(0)
    return Bound(
        likelihood.view(copies, volumes).mean(0),
        posterior.kl().view(copies, volumes).mean(0),
    )
