"""Importance-weighted bounds of the denoising encoder, and of the clean one."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from medvae.model.objective.bound import (
    Bound,
    Encode,
    LogLikelihood,
    Painted,
    log_mean_exp,
    log_prior,
    paint,
)
from medvae.model.objective.information import mixture_log_prob
from medvae.model.posterior import Randomness

Weighting = Literal["per_corruption", "flat", "mixture"]


def diwae(
    x: Tensor,
    corrupted: Tensor,
    encode: Encode,
    log_likelihood: LogLikelihood,
    rng: Randomness,
    samples: int = 1,
    *,
    weighting: Weighting = "flat",
) -> Bound:
    """Estimate an importance-weighted denoising bound.

    With w_mk = p(x, z_mk) / q(z_mk | x~_m), every one of which has the mean p(x)
    (Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, for a clean encoder):

    - ``per_corruption``: (1/M) sum_m log (1/K) sum_k w_mk;
    - ``flat``: log (1/MK) sum_mk w_mk;
    - ``mixture``: as ``flat``, with (1/M) sum_m' q(z_mk | x~_m') as the denominator,
      which is the density that all the codes together were drawn from.

    L_dvae <= per_corruption <= flat <= log p(x), and mixture <= log p(x).

    Args:
        x: Clean volumes, (B, C, ...).
        corrupted: M corruptions of each, (M, B, C, ...).
        encode: As in :func:`~medvae.model.objective.denoising.dvae`.
        log_likelihood: As there.
        rng: Where the codes are drawn from.
        samples: K, codes drawn for each corruption.
        weighting: Which of the three.

    Returns:
        The bound; its ``kl`` is the mean log likelihood minus the bound, so that it
        can fall below zero.

    Raises:
        ValueError: No such weighting, ``corrupted`` is not such a stack, or
            ``samples`` is below 1.

    Example:
        >>> from medvae.model.posterior import Posterior
        >>> q = lambda y: Posterior(0 * y, 0 * y)
        >>> x, rng = torch.zeros(4, 2), torch.Generator().manual_seed(0)
        >>> sure = lambda x, z: 0 * z.sum(1)          # p(x | z) = 1: log p(x) = 0
        >>> diwae(x, x[None], q, sure, rng, 5).value.tolist()
        [0.0, 0.0, 0.0, 0.0]
    """
    known = get_args(Weighting)
    if weighting not in known:
        raise ValueError(
            f"weighting must be one of {', '.join(known)}, got {weighting!r}."
        )
    painted = paint(x, corrupted, encode, log_likelihood, rng, samples)
    log_w = _log_weights(painted, mixture=weighting == "mixture")
    if weighting == "per_corruption":
        value = log_mean_exp(log_w, 0).mean(0)
    else:
        value = log_mean_exp(log_w, (0, 1))
    reconstruction = painted.log_likelihood.mean((0, 1))
    return Bound(reconstruction, reconstruction - value)


def iwae(
    x: Tensor,
    corrupted: Tensor | None,
    encode: Encode,
    log_likelihood: LogLikelihood,
    rng: Randomness,
    samples: int = 5,
) -> Bound:
    """The importance-weighted bound of a clean encoder: :func:`diwae` at x~ = x.

    Args:
        x: Clean volumes, (B, C, ...).
        corrupted: Not looked at; every objective is called alike.
        encode: As in :func:`diwae`.
        log_likelihood: As in :func:`diwae`.
        rng: Where the codes are drawn from.
        samples: K.

    Example:
        >>> from medvae.model.posterior import Posterior
        >>> q = lambda y: Posterior(0 * y, 0 * y)
        >>> x, rng = torch.zeros(1, 2), torch.Generator().manual_seed(0)
        >>> iwae(x, None, q, lambda x, z: 0 * z.sum(1), rng).value.item()
        0.0
    """
    del corrupted
    return diwae(x, x[None], encode, log_likelihood, rng, samples)


def _log_weights(painted: Painted, *, mixture: bool) -> Tensor:
    z, posteriors = painted.z, painted.posteriors
    if mixture:
        drawn_from = mixture_log_prob(posteriors, z)
    else:
        each = [q.log_prob(z[:, m]) for m, q in enumerate(posteriors)]
        drawn_from = torch.stack(each, 1)
    return painted.log_likelihood + log_prior(z, drawn_from.ndim) - drawn_from
