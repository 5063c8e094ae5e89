"""The likelihood that forgives a few large errors."""

from __future__ import annotations

import math

from torch import Tensor

from medvae.model.likelihood.scaled import Scaled


class Laplace(Scaled):
    """Independent Laplace voxels around the decoded image.

    log p(x | z) = -sum_i [ |x_i - f_i(z)| / b_i + log 2 b_i ]

    in nats, summed over voxels. Heavier tails than :class:`Gaussian`: edges that the
    decoder misses by a voxel weigh less. The standard deviation is sqrt(2) b.

    Args:
        scale: b to start from, in reference units.
        smallest: b is never trusted below this.
        shape: Of one volume, for a b of its own in every voxel.
        fixed: Whether training leaves b alone.

    Raises:
        ValueError: ``scale`` is not above ``smallest``.

    Example:
        >>> import torch
        >>> x = torch.ones(1, 1, 1, 1)
        >>> round(Laplace(scale=0.5)(x, 0 * x).item(), 4)  # -1 / 0.5 - log(2 * 0.5)
        -2.0
    """

    def forward(self, x: Tensor, painted: Tensor) -> Tensor:
        """Log density of ``x`` (B, C, ...) around ``painted``, in nats, (B,)."""
        log_b = self.log_scale_of(x)
        error = (x - painted).abs() * (-log_b).exp()
        return -(error + log_b + math.log(2)).flatten(1).sum(1)
