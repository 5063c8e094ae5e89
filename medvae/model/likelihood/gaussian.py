"""The likelihood of voxels with Gaussian errors."""

from __future__ import annotations

from torch import Tensor

from medvae.model.likelihood.scaled import Scaled
from medvae.model.posterior import LOG_2PI


class Gaussian(Scaled):
    """Independent Gaussian voxels around the decoded image, one learned scale.

    log p(x | z) = -sum_i [ (x_i - f_i(z))^2 / (2 s_i^2) + log s_i + log(2 pi) / 2 ]

    in nats, summed over voxels. The scale is learned and its log term kept, see
    :class:`Scaled`; it can be one a voxel, or fixed at a measured value.

    Args:
        scale: The standard deviation to start from, in reference units.
        smallest: The scale is never trusted below this, in reference units.
        shape: Of one volume, (C, X, Y, Z), for a scale of its own in every voxel.
        fixed: Whether training leaves the scale alone.

    Raises:
        ValueError: ``scale`` is not above ``smallest``.

    Example:
        >>> import torch
        >>> likelihood = Gaussian(scale=1.0)
        >>> likelihood(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)).item()
        -3.67...
    """

    def forward(self, x: Tensor, painted: Tensor) -> Tensor:
        """Log density of ``x`` (B, C, ...) around ``painted``, in nats, (B,)."""
        log_scale = self.log_scale_of(x)
        error = (x - painted).square() * (-2 * log_scale).exp()
        return -(0.5 * (error + LOG_2PI) + log_scale).flatten(1).sum(1)
