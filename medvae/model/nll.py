"""The negative log likelihood of scans by importance sampling: what bounds hide.

Bounds of different corruptions have different gaps and must not be compared with each
other. This number can: it converges to -log p(x) from above, whatever the proposal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from medvae.model.objective import Encode, LogLikelihood
from medvae.model.objective.bound import log_mean_exp, log_prior
from medvae.model.objective.information import mixture_log_prob
from medvae.model.posterior import Posterior


@dataclass(frozen=True)
class Nll:
    """Importance-sampled negative log likelihoods, with what they rest on.

    Args:
        nats: -log (1/S) sum_s w_s of every volume, (B,). Its mean is too high by about
            half the relative variance of the mean weight.
        error: Monte-Carlo standard error of every volume, (B,), by the delta method.
        effective: (sum w)^2 / sum w^2, how many of the samples counted, (B,). A few
            mean that neither number can be trusted.
        samples: S.

    Example:
        >>> nll = Nll(torch.tensor([3.0, 5.0]), torch.zeros(2), torch.ones(2), 10)
        >>> nll.mean, nll.standard_error
        (4.0, 1.0)
    """

    nats: Tensor
    error: Tensor
    effective: Tensor
    samples: int

    @property
    def mean(self) -> float:
        """The mean over volumes, nats."""
        return self.nats.double().mean().item()

    @property
    def standard_error(self) -> float:
        """Of the mean: the volumes as a sample of their kind, nats."""
        return self.nats.double().std().item() / math.sqrt(len(self.nats))


def importance_nll(
    x: Tensor,
    seen: Tensor,
    encode: Encode,
    log_likelihood: LogLikelihood,
    rng: Generator,
    samples: int = 1000,
    *,
    together: int = 10,
    progress: Callable[[int, int], None] | None = None,
) -> Nll:
    """Estimate -log p(x) with the encoder's Gaussians as the proposal.

    Codes are drawn from (1/M) sum_m q(z | x~_m), M codes at a time and one from each,
    and weighted by p(x, z) over that mixture. With ``seen = x[None]`` the proposal is
    the clean-input encoder; with M corruptions it is the encoder of the corrupted
    scan. Both converge to the same number; state which was used, because at finite S
    the poorer proposal gives the higher one. Each scan is encoded once.

    Args:
        x: Clean volumes, (B, C, ...).
        seen: What the encoder is shown, (M, B, C, ...).
        encode: Maps (N, C, ...) to a ``Posterior``.
        log_likelihood: Maps x (N, C, ...) and codes (N, ...) to nats, (N,); N runs over
            codes first, then volumes.
        rng: Where the codes are drawn from.
        samples: S, rounded up to a multiple of M.
        together: Codes of each volume that are decoded in one batch, at least one from
            each proposal; memory against speed.
        progress: Called with (codes done, codes in all).

    Raises:
        ValueError: ``seen`` is not a stack of x's shape, or ``samples`` is below 2.

    Example:
        >>> q = lambda y: Posterior(0 * y, 0 * y)
        >>> x, rng = torch.zeros(3, 2), torch.Generator().manual_seed(0)
        >>> exact = importance_nll(x, x[None], q, lambda x, z: 0 * z.sum(1), rng, 20)
        >>> exact.mean, exact.effective.tolist()         # p(x) = 1, the prior proposes
        (0.0, [20.0, 20.0, 20.0])
    """
    if seen.shape[1:] != x.shape:
        raise ValueError(
            f"seen must be (M, {', '.join(map(str, x.shape))}), "
            f"got {tuple(seen.shape)}."
        )
    if samples < 2:
        raise ValueError(f"samples must be at least 2, got {samples}.")
    with torch.no_grad():
        proposals = encode(seen.flatten(0, 1)).chunk(len(seen))
        rounds = -(-samples // len(seen))
        log_w: list[Tensor] = []
        for start in range(0, rounds, max(together // len(seen), 1)):
            count = min(max(together // len(seen), 1), rounds - start)
            log_w.append(_log_weights(x, proposals, log_likelihood, rng, count))
            if progress:
                progress(min((start + count) * len(seen), samples), samples)
        return _estimate(torch.cat(log_w))


def _log_weights(
    x: Tensor,
    proposals: list[Posterior],
    log_likelihood: LogLikelihood,
    rng: Generator,
    rounds: int,
) -> Tensor:
    z = torch.stack([q.sample(rng) for _ in range(rounds) for q in proposals])
    target = x.expand(len(z), *x.shape).flatten(0, 1)
    nats = log_likelihood(target, z.flatten(0, 1)).view(z.shape[:2])
    return nats + log_prior(z, 2) - mixture_log_prob(proposals, z)


def _estimate(log_w: Tensor) -> Nll:
    samples = len(log_w)
    log_mean = log_mean_exp(log_w, 0)
    relative = torch.exp(log_w - log_mean)
    return Nll(
        nats=-log_mean,
        error=relative.std(0) / math.sqrt(samples),
        effective=samples / relative.square().mean(0),
        samples=samples,
    )
