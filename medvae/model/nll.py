"""The negative log likelihood of scans by importance sampling: what bounds hide.

Bounds of different corruptions have different gaps and must not be compared with each
other. This number can: it converges to -log p(x) from above, whatever the proposal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from medvae.model.objective import LogLikelihood
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
    proposals: Sequence[Posterior],
    log_likelihood: LogLikelihood,
    rng: Generator,
    samples: int = 1000,
    *,
    together: int = 10,
) -> Nll:
    """Estimate -log p(x) from codes drawn from the mean of ``proposals``.

    Every volume's weights are p(x, z) over the density of that mean, at codes drawn
    from each proposal in turn. Which proposals were used has to be stated with the
    number: all converge to the same one, but at finite S the poorer gives the higher.

    - ``[encode(x)]``: the clean-input encoder. A denoising encoder is mis-calibrated
      there, an over-fitted one overconfident, and the number blames the decoder.
    - ``encode(corruptions).chunk(M)``: the encoder of M corrupted copies.
    - ``[refine(encode(x), ...)]``: fitted to every scan, so that the decoder alone is
      judged.

    Args:
        x: Clean volumes, (B, C, ...).
        proposals: M Gaussians over the codes of the B volumes.
        log_likelihood: Maps x (N, C, ...) and codes (N, ...) to nats, (N,); N runs over
            codes first, then volumes.
        rng: Where the codes are drawn from.
        samples: S, rounded up to a multiple of M.
        together: Codes of each volume that are decoded in one batch, at least one from
            each proposal; memory against speed.

    Raises:
        ValueError: There is no proposal, or ``samples`` is below 2.

    Example:
        >>> q = Posterior(torch.zeros(3, 2), torch.zeros(3, 2))
        >>> x, rng = torch.zeros(3, 2), torch.Generator().manual_seed(0)
        >>> exact = importance_nll(x, [q], lambda x, z: 0 * z.sum(1), rng, 20)
        >>> exact.mean, exact.effective.tolist()         # p(x) = 1, the prior proposes
        (0.0, [20.0, 20.0, 20.0])
    """
    if not proposals:
        raise ValueError("importance_nll needs at least one proposal, got none.")
    if samples < 2:
        raise ValueError(f"samples must be at least 2, got {samples}.")
    rounds, at_once = -(-samples // len(proposals)), max(together // len(proposals), 1)
    with torch.no_grad():
        log_w = [
            _log_weights(
                x, proposals, log_likelihood, rng, min(at_once, rounds - start)
            )
            for start in range(0, rounds, at_once)
        ]
        return _estimate(torch.cat(log_w))


def refine(
    start: Posterior,
    x: Tensor,
    log_likelihood: LogLikelihood,
    rng: Generator,
    steps: int = 100,
    *,
    rate: float = 0.05,
    samples: int = 2,
) -> Posterior:
    """Fit the Gaussian of every scan to that scan, decoder untouched.

    Adam on E_q log p(x | z) - KL(q || p) over mean and log variance of each volume,
    starting from the encoder's answer. What it gains over the start is the part of the
    gap that is the encoder's fault (Cremer, Li & Duvenaud 2018, arXiv:1801.03558).

    Args:
        start: The encoder's posterior over the codes of B volumes.
        x: Clean volumes, (B, C, ...).
        log_likelihood: Maps x (B, C, ...) and codes (B, ...) to nats, (B,).
        rng: Where the codes are drawn from.
        steps: Of Adam.
        rate: Its first step length, in latent standard deviations of the prior; it
            falls to zero, or the fit would end where chance left it.
        samples: Codes a step.

    Returns:
        The fitted posterior, detached.

    Example:
        >>> start = Posterior(torch.zeros(1, 1), torch.zeros(1, 1))
        >>> likelihood = lambda x, z: -0.5 * (x - z).square().sum(1)
        >>> rng = torch.Generator().manual_seed(0)
        >>> fitted = refine(start, torch.full((1, 1), 2.0), likelihood, rng, 300)
        >>> round(fitted.mean.item(), 1)                 # N(1, 1/2) is the posterior
        1.0
    """
    mean = start.mean.detach().clone().requires_grad_()
    logvar = start.logvar.detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([mean, logvar], lr=rate)
    with torch.enable_grad():
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = rate * (1 - step / steps)
            q = Posterior(mean, logvar)
            nats = [log_likelihood(x, q.sample(rng)) for _ in range(samples)]
            loss = (q.kl() - torch.stack(nats).mean(0)).sum()
            mean.grad, logvar.grad = torch.autograd.grad(loss, [mean, logvar])
            optimiser.step()
    return Posterior(mean.detach(), logvar.detach())


def _log_weights(
    x: Tensor,
    proposals: Sequence[Posterior],
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
