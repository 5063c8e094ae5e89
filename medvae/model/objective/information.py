"""How much a code tells about the corruption of a known scan: I(z; x~ | x), in nats.

    I(z; x~ | x) = E log q(z | x~) - E log q~(z | x),   q~(z | x) = E_c q(z | x~)

It is the gap between L_dvae and L_cvae, and log q~ has no closed form. From M
corruptions of the same scan three estimates bracket it in expectation,

    within <= I(z; x~ | x) <= leave_one_out <= pairwise   (and within <= log M).

``within`` counts the code's own corruption in the mixture, so the mixture is too high
where the code lies (Yin & Zhou 2018, arXiv:1805.11183). ``leave_one_out`` does not, and
by Jensen E log of the mean of the others is below log q~. ``pairwise`` moves the
logarithm inside the mean and is then a KL between Gaussians, in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import torch
from torch import Tensor

from medvae.model.objective.bound import log_mean_exp
from medvae.model.posterior import Posterior


def mixture_log_prob(posteriors: Sequence[Posterior], z: Tensor) -> Tensor:
    """Log of the mean density of ``posteriors`` at codes (..., B, *latent), (..., B).

    Example:
        >>> q = Posterior(torch.zeros(1, 1), torch.zeros(1, 1))
        >>> z = torch.ones(3, 1, 1)
        >>> bool(torch.allclose(mixture_log_prob([q, q], z), q.log_prob(z)))
        True
    """
    return log_mean_exp(torch.stack([q.log_prob(z) for q in posteriors]), 0)


def within(posteriors: Sequence[Posterior], z: Tensor) -> Tensor:
    """An under-estimate of I(z; x~ | x), (B,); never above log M.

    Args:
        posteriors: Of M corruptions of the same B scans.
        z: Codes (K, m, B, *latent), those at [:, i] drawn from ``posteriors[i]``, m
            at most M.

    Example:
        >>> q = Posterior(torch.zeros(1, 1), torch.zeros(1, 1))
        >>> within([q, q], torch.randn(1, 2, 1, 1)).item()
        0.0
    """
    own = [posteriors[i].log_prob(z[:, i]) for i in range(z.shape[1])]
    return (torch.stack(own, 1) - mixture_log_prob(posteriors, z)).mean((0, 1))


def leave_one_out(posteriors: Sequence[Posterior], z: Tensor) -> Tensor:
    """An over-estimate of I(z; x~ | x), (B,), that tightens with M.

    Args:
        posteriors: Of M >= 2 corruptions of the same B scans.
        z: Codes (K, M, B, *latent), those at [:, i] drawn from ``posteriors[i]``.

    Raises:
        ValueError: Fewer than two corruptions.

    Example:
        >>> q = Posterior(torch.zeros(1, 1), torch.zeros(1, 1))
        >>> leave_one_out([q, q], torch.randn(1, 2, 1, 1)).item()
        0.0
    """
    _at_least_two(posteriors)
    terms = []
    for i, own in enumerate(posteriors):
        others = [q for j, q in enumerate(posteriors) if j != i]
        terms.append(own.log_prob(z[:, i]) - mixture_log_prob(others, z[:, i]))
    return torch.stack(terms).mean((0, 1))


def pairwise(posteriors: Sequence[Posterior]) -> Tensor:
    """The mean KL between two corruptions' codes, (B,): an over-estimate of I.

    E_{x~, x~'} KL(q(z | x~) || q(z | x~')) over all ordered pairs. No codes are drawn
    and M changes only its variance; always zero or above, sample by sample.

    Args:
        posteriors: Of M >= 2 corruptions of the same B scans.

    Raises:
        ValueError: Fewer than two corruptions.

    Example:
        >>> a, b = torch.tensor([[0.0]]), torch.tensor([[2.0]])
        >>> pairwise([Posterior(a, 0 * a), Posterior(b, 0 * b)]).item()
        2.0
    """
    _at_least_two(posteriors)
    pairs = permutations(posteriors, 2)
    return torch.stack([one.kl_to(other) for one, other in pairs]).mean(0)


def _at_least_two(posteriors: Sequence[Posterior]) -> None:
    if len(posteriors) < 2:
        raise ValueError(
            f"what a code tells about its corruption needs at least 2 corruptions of "
            f"each scan, got {len(posteriors)}."
        )
