"""A denoising bound that pays more, or less, for what the code tells of the scanner."""

from __future__ import annotations

from torch import Tensor

from medvae.model.objective.bound import Bound, Encode, LogLikelihood, paint
from medvae.model.objective.denoising import kl_charge
from medvae.model.objective.information import pairwise, within
from medvae.model.posterior import Posterior, Randomness


def invariance(
    x: Tensor,
    corrupted: Tensor,
    encode: Encode,
    log_likelihood: LogLikelihood,
    rng: Randomness,
    samples: int = 1,
    *,
    lam: float = 0.0,
    beta: float = 1.0,
    free_bits: float = 0.0,
) -> Bound:
    """Estimate L_cvae - (1 + lam) I(z; x~ | x), from below.

    Since L_dvae = L_cvae - I, this is L_dvae - lam I. At lam = -1 it is
    the semi-implicit bound ``sivi`` of the same M corruptions, at 0 it is ``dvae``;
    above 0 the code is charged again for telling the corruption, that is the scanner.

    I is not known, and the two signs need estimates that err to opposite sides:

    - lam > 0: L_dvae - lam * pairwise, and E pairwise >= I;
    - lam < 0: L_dvae + |lam| * within, and E within <= I.

    So what is optimised is in expectation below L_cvae - (1 + lam) I, and that is
    below log p(x) for every lam >= -1. Below -1 nothing holds. The proof is in
    docs/criterion.md.

    Args:
        x: Clean volumes, (B, C, ...).
        corrupted: M >= 2 corruptions of each, (M, B, C, ...).
        encode: As in :func:`~medvae.model.objective.denoising.dvae`.
        log_likelihood: As there.
        rng: Where the codes are drawn from.
        samples: K, codes drawn for each corruption.
        lam: How many times more the information is charged than in ``dvae``.
        beta: Weight of the KL in training; leaves the information alone.
        free_bits: Nats per latent dimension that cost nothing to use.

    Returns:
        The bound; its ``kl`` is KL(q || p) + lam * I, estimated as above.

    Raises:
        ValueError: ``lam`` is below -1, there are fewer than two corruptions, or
            ``corrupted`` is not a stack of corruptions of ``x``.

    Example:
        >>> import torch
        >>> q = lambda y: Posterior(y, 0 * y)
        >>> p = lambda x, z: 0 * z.sum(1)
        >>> x, rng = torch.zeros(1, 1), torch.Generator().manual_seed(0)
        >>> y = torch.tensor([[[-1.0]], [[1.0]]])       # pairwise KL 2, KL 0.5
        >>> invariance(x, y, q, p, rng, lam=0.5).kl.item()
        1.5
    """
    if lam < -1:
        raise ValueError(
            f"lam must be at least -1, got {lam}: below it is no bound on log p(x)."
        )
    if len(corrupted) < 2:
        raise ValueError(
            f"invariance needs at least 2 corruptions of each scan, "
            f"got {len(corrupted)}."
        )
    painted = paint(x, corrupted, encode, log_likelihood, rng, samples)
    posterior = Posterior.cat(painted.posteriors)
    shape = (len(corrupted), len(x))
    if lam > 0:
        told = pairwise(painted.posteriors)
    else:
        told = within(painted.posteriors, painted.z)
    kl = posterior.kl().view(shape).mean(0) + lam * told
    charge = None
    if beta != 1 or free_bits != 0:
        charge = kl_charge(posterior, beta, free_bits).view(shape).mean(0) + lam * told
    return Bound(painted.log_likelihood.mean((0, 1)), kl, charge)
