"""Nats to bits per voxel, and what a normalisation of the intensities does to them."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def log_jacobian(spread: Tensor | float, voxels: int) -> Tensor:
    """What to add to a log density of normalised intensities, in nats, (B,) or scalar.

    With u = (x - centre) / spread in every voxel, p(x) = p(u) / spread ** voxels:

        log p(x) = log p(u) - voxels * log(spread)

    A density is per unit of intensity, so a number without its unit means nothing:
    halving the unit adds log 2 per voxel. Each scan with a spread of its own (its
    white matter, say) needs a term of its own. Discrete likelihoods
    (``Bernoulli``, ``DiscretisedLogistic``) are probabilities and need none.

    Args:
        spread: What the intensities were divided by, in the units that the density is
            wanted for; one number, or one per volume, (B,).
        voxels: Voxels of one volume.

    Raises:
        ValueError: A spread is not positive.

    Example:
        >>> round(log_jacobian(0.5, voxels=100).item(), 2)  # 100 log 2
        69.31
    """
    spread = torch.as_tensor(spread)
    if not (spread > 0).all():
        raise ValueError(f"spread must be positive, got {spread.min().item():g}.")
    return -voxels * spread.log()


def bits_per_voxel(nats: Tensor, voxels: int) -> Tensor:
    """Negative log likelihood in bits per voxel, from nats per volume.

    Args:
        nats: log p(x) of whole volumes, or a bound on it, (B,).
        voxels: Voxels of one volume.

    Raises:
        ValueError: ``voxels`` is below 1.

    Example:
        >>> import torch
        >>> x = torch.zeros(1, 8)                       # eight fair coins
        >>> from medvae.model.likelihood import Bernoulli
        >>> round(bits_per_voxel(Bernoulli()(x, x), voxels=8).item(), 6)
        1.0
    """
    if voxels < 1:
        raise ValueError(f"voxels must be at least 1, got {voxels}.")
    return -nats / (voxels * math.log(2))
