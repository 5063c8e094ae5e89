"""How likely a scan is, given what the decoder painted."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

LOG_2PI = math.log(2 * math.pi)


class Gaussian(nn.Module):
    """Independent Gaussian voxels around the decoded image, one learned scale.

    log p(x | z) = -sum_i [ (x_i - f_i(z))^2 / (2 s^2) + log s + log(2 pi) / 2 ]

    in nats, summed over voxels. The scale is learned and its log term kept: with a
    fixed scale of 1 on images of unit range the KL term wins and the posterior
    collapses (Lucas et al. 2019, arXiv:1911.02469).

    Args:
        scale: The standard deviation to start from, in reference units.
        smallest: The scale is never trusted below this, in reference units; it keeps
            a memorised training set from an infinite likelihood.

    Raises:
        ValueError: ``scale`` is not above ``smallest``.

    Example:
        >>> likelihood = Gaussian(scale=1.0)
        >>> likelihood(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)).item()
        -3.67...
    """

    def __init__(self, scale: float = 0.2, smallest: float = 0.01) -> None:
        super().__init__()
        if not 0 < smallest < scale:
            raise ValueError(f"scale must exceed {smallest}, got {scale}.")
        self.smallest = smallest
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    @property
    def scale(self) -> Tensor:
        """The standard deviation in force, in reference units, a scalar."""
        return self.log_scale.exp().clamp(min=self.smallest)

    def forward(self, x: Tensor, painted: Tensor) -> Tensor:
        """Log density of ``x`` (B, C, ...) around ``painted``, in nats, (B,)."""
        error = (x - painted).square().flatten(1).sum(1)
        scale = self.scale
        voxels = x[0].numel()
        return -0.5 * error / scale.square() - voxels * (scale.log() + 0.5 * LOG_2PI)
