"""The denoising bound with its looseness bought back by encoder passes alone."""

from __future__ import annotations

from torch import Tensor

from medvae.model.objective.bound import Bound, Encode, LogLikelihood, log_prior, paint
from medvae.model.objective.information import mixture_log_prob
from medvae.model.posterior import Randomness


def sivi(
    x: Tensor,
    corrupted: Tensor,
    encode: Encode,
    log_likelihood: LogLikelihood,
    rng: Randomness,
    samples: int = 1,
    *,
    extra: int = 0,
) -> Bound:
    """Estimate the semi-implicit bound (Yin & Zhou 2018, arXiv:1805.11183).

    E [ log p(x, z) - log (1/N) sum_j q(z | x~_j) ], the mixture over all N = M + J
    corruptions of the scan. It rises from L_dvae (N = 1) to L_cvae (N to infinity)
    and never passes it, so it stays a lower bound on log p(x). The J extra
    corruptions are encoded and not painted. The KL is estimated at the drawn codes,
    also at N = 1, where only its expectation is that of :func:`dvae`.

    Args:
        x: Clean volumes, (B, C, ...).
        corrupted: M + J corruptions of each, (M + J, B, C, ...); the first M are
            painted.
        encode: As in :func:`~medvae.model.objective.denoising.dvae`.
        log_likelihood: As there; called with M repetitions of the batch.
        rng: Where the codes are drawn from.
        samples: K, codes drawn for each painted corruption.
        extra: J.

    Raises:
        ValueError: ``corrupted`` is not such a stack, or ``samples`` is below 1.

    Example:
        >>> import torch
        >>> from medvae.model.posterior import Posterior
        >>> q = lambda y: Posterior(y, 0 * y)
        >>> p = lambda x, z: -(x - z).square().sum(1)
        >>> x, rng = torch.zeros(4, 2), torch.Generator().manual_seed(0)
        >>> y = torch.randn(6, 4, 2, generator=rng)
        >>> sivi(x, y, q, p, rng, extra=5).value.shape
        torch.Size([4])
    """
    painted = paint(x, corrupted, encode, log_likelihood, rng, samples, extra)
    mixture = mixture_log_prob(painted.posteriors, painted.z)
    kl = mixture - log_prior(painted.z, mixture.ndim)
    return Bound(painted.log_likelihood.mean((0, 1)), kl.mean((0, 1)))
