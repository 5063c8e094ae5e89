"""What every objective takes and gives back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from medvae.model.posterior import LOG_2PI, Posterior, Randomness

Encode = Callable[[Tensor], Posterior]
LogLikelihood = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Bound:
    """A Monte-Carlo estimate of a bound on log p(x), in nats per volume.

    Args:
        reconstruction: E log p(x | z), (B,).
        kl: What the bound charges for the code, (B,). KL(q || p) for ``dvae``; the
            other objectives say what they add to it.
        charge: What training charges instead, (B,), when beta or free bits depart
            from the bound; ``None`` is ``kl``.

    Example:
        >>> bound = Bound(torch.tensor([-3.0]), torch.tensor([1.0]))
        >>> bound.value.item(), bound.objective.item()
        (-4.0, -4.0)
    """

    reconstruction: Tensor
    kl: Tensor
    charge: Tensor | None = None

    @property
    def value(self) -> Tensor:
        """The bound, (B,): reconstruction minus KL."""
        return self.reconstruction - self.kl

    @property
    def objective(self) -> Tensor:
        """What training raises, (B,): the bound, unless beta or free bits change it."""
        return self.reconstruction - (self.kl if self.charge is None else self.charge)


@dataclass(frozen=True)
class Painted:
    """Codes of M corruptions, K of each, and how well they paint the clean volume.

    Args:
        posteriors: q(z | x~_m) of every copy that was encoded, each over B volumes.
        z: Codes, (K, M, B, ...).
        log_likelihood: log p(x | z) in nats, (K, M, B).
    """

    posteriors: list[Posterior]
    z: Tensor
    log_likelihood: Tensor


def paint(
    x: Tensor,
    corrupted: Tensor,
    encode: Encode,
    log_likelihood: LogLikelihood,
    rng: Randomness,
    samples: int = 1,
    unpainted: int = 0,
) -> Painted:
    """Encode the corruptions of ``x``, draw codes, and score them on the clean ``x``.

    Args:
        x: Clean volumes, (B, C, ...): the target.
        corrupted: Corruptions of each, (M + J, B, C, ...): what the encoder sees.
        encode: Maps (N, C, ...) to a :class:`Posterior` over N codes.
        log_likelihood: Maps x (N, C, ...) and codes (N, ...) to nats, (N,). N runs
            over corruptions first, then volumes, so anything that is known per volume
            has to be repeated M times.
        rng: Where the codes are drawn from.
        samples: K, codes drawn for each corruption.
        unpainted: J, how many corruptions at the end are encoded only.

    Raises:
        ValueError: ``corrupted`` is not a stack of corruptions of ``x``, ``samples`` is
            below 1, or no corruption is left to paint.

    Example:
        >>> q = lambda y: Posterior(0 * y, 0 * y)
        >>> p = lambda x, z: -(x - z).square().sum(1)
        >>> x, rng = torch.zeros(4, 2), torch.Generator().manual_seed(0)
        >>> paint(x, x.expand(3, 4, 2), q, p, rng, 5, unpainted=1).log_likelihood.shape
        torch.Size([5, 2, 4])
    """
    if corrupted.shape[1:] != x.shape:
        raise ValueError(
            f"corrupted must be (M, {', '.join(map(str, x.shape))}), "
            f"got {tuple(corrupted.shape)}."
        )
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}.")
    copies = len(corrupted) - unpainted
    if unpainted < 0 or copies < 1:
        raise ValueError(
            f"{unpainted} of {len(corrupted)} corruptions unpainted leaves {copies}; "
            "at least 1 must be painted."
        )
    posteriors = encode(corrupted.flatten(0, 1)).chunk(len(corrupted))
    drawn_from = Posterior.cat(posteriors[:copies])
    target = x.expand(copies, *x.shape).flatten(0, 1)
    codes = [drawn_from.sample(rng) for _ in range(samples)]
    scores = [log_likelihood(target, z) for z in codes]
    grid = (samples, copies, len(x))
    return Painted(
        posteriors,
        torch.stack(codes).view(*grid, *codes[0].shape[1:]),
        torch.stack(scores).view(grid),
    )


def log_prior(z: Tensor, leading: int) -> Tensor:
    """Log N(z; 0, I) in nats, summed over all but the first ``leading`` axes.

    Example:
        >>> round(log_prior(torch.zeros(5, 4, 1), leading=2)[0, 0].item(), 3)
        -0.919
    """
    return -0.5 * (z.square() + LOG_2PI).flatten(leading).sum(-1)


def log_mean_exp(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """The logarithm of the mean of exp(x) over ``dim``, without overflow.

    Example:
        >>> log_mean_exp(torch.tensor([1000.0, 1000.0]), 0).item()
        1000.0
    """
    axes = (dim,) if isinstance(dim, int) else dim
    return torch.logsumexp(x, axes) - math.log(math.prod(x.shape[a] for a in axes))
