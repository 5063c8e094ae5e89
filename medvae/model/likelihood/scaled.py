"""The width of a likelihood: one number or one a voxel, learned or fixed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Scaled(nn.Module):
    """A likelihood with a positive width in reference units, kept as its logarithm.

    Learned by default. With a fixed scale of 1 on images of unit range the
    reconstruction hardly counts, the KL wins and the posterior collapses (Lucas et
    al. 2019, arXiv:1911.02469); a fixed scale must come from a measurement.

    Args:
        scale: To start from, or to stay at.
        smallest: The scale is never trusted below this; it keeps a memorised training
            set from an infinite likelihood.
        shape: Of one volume, (C, X, Y, Z), for a scale of its own in every voxel;
            ``None`` for one number. Per voxel, the grid cannot change any more.
        fixed: Whether training leaves it alone.

    Raises:
        ValueError: ``scale`` is not above ``smallest``, or that is not above 0.

    Example:
        >>> likelihood = Scaled(0.2, shape=(1, 4, 4))
        >>> likelihood.scale.shape, round(likelihood.scale.mean().item(), 3)
        (torch.Size([1, 4, 4]), 0.2)
    """

    def __init__(
        self,
        scale: float = 0.2,
        smallest: float = 0.01,
        *,
        shape: Sequence[int] | None = None,
        fixed: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < smallest < scale:
            raise ValueError(f"scale must exceed {smallest}, got {scale}.")
        self.smallest = smallest
        log_scale = torch.full(tuple(shape or ()), math.log(scale))
        self.log_scale = nn.Parameter(log_scale, requires_grad=not fixed)

    @property
    def scale(self) -> Tensor:
        """The scale in force, reference units, a scalar or (C, X, Y, Z)."""
        return self.log_scale.exp().clamp(min=self.smallest)

    def log_scale_of(self, x: Tensor) -> Tensor:
        """The log of the scale in force at every voxel of one volume of ``x``.

        Raises:
            ValueError: A scale per voxel, and volumes of another shape.
        """
        log_scale = self.log_scale.clamp(min=math.log(self.smallest))
        if log_scale.ndim and log_scale.shape != x.shape[1:]:
            raise ValueError(
                f"the likelihood has one scale per voxel of {tuple(log_scale.shape)}, "
                f"got volumes of {tuple(x.shape[1:])}. Use a single scale."
            )
        return log_scale.expand(x.shape[1:])
