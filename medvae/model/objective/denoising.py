"""The denoising bound, and the ordinary one as its corner without corruption.

    L_dvae(x) = E_{c(x~|x)} [ E_{q(z|x~)} log p(x | z) - KL(q(z|x~) || p(z)) ]

(Im, Ahn, Memisevic & Bengio 2017, arXiv:1511.06406). The target is the clean ``x``;
the code and its KL are those of the corrupted ``x~``. It is a lower bound on
log p(x), and a *looser* one than the bound of the marginalised encoder: the gap is
I(z; x~ | x), what the code still tells about the corruption. Its use is what it
removes from the code, never a tighter bound.
"""

from __future__ import annotations

from torch import Tensor

from medvae.model.objective.bound import Bound, Encode, LogLikelihood, paint
from medvae.model.posterior import Posterior, Randomness


def dvae(
    x: Tensor,
    corrupted: Tensor,
    encode: Encode,
    log_likelihood: LogLikelihood,
    rng: Randomness,
    samples: int = 1,
    *,
    beta: float = 1.0,
    free_bits: float = 0.0,
) -> Bound:
    """Estimate the denoising bound from M corruptions and K latents of each.

    (1/M) sum_m [ (1/K) sum_k log p(x | z_mk) - KL(q(z | x~_m) || p(z)) ].
    Variance falls faster with M than with K. With ``corrupted`` equal to ``x`` this
    is the ordinary bound of a VAE.

    Args:
        x: Clean volumes, (B, C, ...): the target.
        corrupted: M corruptions of each, (M, B, C, ...): what the encoder sees.
        encode: Maps (N, C, ...) to a ``Posterior`` over N codes.
        log_likelihood: Maps x (N, C, ...) and codes (N, ...) to nats, (N,). N runs
            over corruptions first, then volumes, so anything that is known per volume
            has to be repeated M times.
        rng: Where the codes are drawn from.
        samples: K, codes drawn for each corruption.
        beta: Weight of the KL in training, see :func:`kl_charge`.
        free_bits: Nats per latent dimension that cost nothing to use.

    Returns:
        The bound for each volume.

    Raises:
        ValueError: ``corrupted`` is not a stack of corruptions of ``x``, ``samples`` is
            below 1, or ``beta`` or ``free_bits`` is negative.

    Example:
        >>> import torch
        >>> q = lambda y: Posterior(0 * y.flatten(1), 0 * y.flatten(1))
        >>> p = lambda x, z: -(x.flatten(1) - z).square().sum(1)
        >>> x, rng = torch.zeros(4, 1, 2), torch.Generator().manual_seed(0)
        >>> dvae(x, x.expand(3, 4, 1, 2), q, p, rng).kl.tolist()
        [0.0, 0.0, 0.0, 0.0]
    """
    painted = paint(x, corrupted, encode, log_likelihood, rng, samples)
    posterior = Posterior.cat(painted.posteriors)
    shape = (len(corrupted), len(x))
    kl = posterior.kl().view(shape).mean(0)
    if beta == 1 and free_bits == 0:
        return Bound(painted.log_likelihood.mean((0, 1)), kl)
    charge = kl_charge(posterior, beta, free_bits).view(shape).mean(0)
    return Bound(painted.log_likelihood.mean((0, 1)), kl, charge)


def vae(
    x: Tensor,
    corrupted: Tensor | None,
    encode: Encode,
    log_likelihood: LogLikelihood,
    rng: Randomness,
    samples: int = 1,
    *,
    beta: float = 1.0,
    free_bits: float = 0.0,
) -> Bound:
    """The ordinary bound: :func:`dvae` with the clean volume as its one corruption.

    Args:
        x: Clean volumes, (B, C, ...): target and what the encoder sees.
        corrupted: Not looked at; every objective is called alike.
        encode: As in :func:`dvae`.
        log_likelihood: As in :func:`dvae`.
        rng: Where the codes are drawn from.
        samples: K.
        beta: As in :func:`dvae`.
        free_bits: As in :func:`dvae`.

    Example:
        >>> import torch
        >>> q = lambda y: Posterior(y, 0 * y)
        >>> x, rng = torch.ones(1, 2), torch.Generator().manual_seed(0)
        >>> vae(x, None, q, lambda x, z: 0 * z.sum(1), rng).kl.item()
        1.0
    """
    del corrupted
    return dvae(
        x,
        x[None],
        encode,
        log_likelihood,
        rng,
        samples,
        beta=beta,
        free_bits=free_bits,
    )


def kl_charge(posterior: Posterior, beta: float, free_bits: float) -> Tensor:
    """What training pays for the code when it departs from the bound, (N,), nats.

    beta * sum_d max(free_bits, mean_n KL_nd): the KL of each latent dimension, its
    mean over the batch held above ``free_bits`` (Kingma et al. 2016,
    arXiv:1606.04934, with groups of one dimension), times ``beta`` (Higgins et al.
    2017). The result stays a lower bound on log p(x) for every ``free_bits`` as long
    as ``beta >= 1``; below 1 it is none.

    Args:
        posterior: Over N codes.
        beta: Weight of the KL; 1 is the bound.
        free_bits: Nats per latent dimension; 0 is the bound.

    Raises:
        ValueError: One of them is negative.

    Example:
        >>> import torch
        >>> at_prior = Posterior(torch.zeros(2, 3), torch.zeros(2, 3))
        >>> kl_charge(at_prior, beta=2.0, free_bits=0.5).tolist()
        [3.0, 3.0]
    """
    if beta < 0 or free_bits < 0:
        raise ValueError(
            f"beta and free_bits must be at least 0, got {beta} and {free_bits}."
        )
    if free_bits == 0:
        return beta * posterior.kl()
    used = posterior.kl_per_dimension().flatten(1).mean(0).clamp(min=free_bits)
    return beta * used.sum().expand(len(posterior.mean))
