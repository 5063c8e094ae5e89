"""What is known at every voxel before the noise of B is added."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from noise_models.base import Params, of_volumes
from noise_models.scanner.fields import ENDS, Fields
from noise_models.scanner.response import Response
from noise_models.scanner.rice import air_power

MOST_COILS = 64  # beyond, air looks as if it were interpolated


@dataclass(frozen=True)
class Local:
    """Signal and noise of both scanners, voxel by voxel.

    Attributes:
        signal: g(x), as sharp as B, not yet shaded, (n, C, X, Y[, Z]).
        level: The mean magnitude around each voxel, A's shading taken off.
        response: g, voxel by voxel.
        fields: Shading and sigma.

    Example:
        >>> Local.__name__
        'Local'
    """

    signal: Tensor
    level: Tensor
    response: Response
    fields: Fields

    def parts(self, volumes: slice, voxels: slice) -> tuple[Tensor, Tensor]:
        """A block of ``signal`` and of ``level``."""
        n = len(self.signal)
        signal, level = self.signal.view(n, -1), self.level.view(n, -1)
        return signal[volumes, voxels], level[volumes, voxels]


def coil_counts(params: Params, x: Tensor) -> tuple[Tensor, Tensor]:
    """Channels of A and of B, whole numbers, (n, 1)."""
    a, b = (of_volumes(params, f"coils_{end}", x)[:, None] for end in ENDS)
    return a.round().clamp(1, MOST_COILS), b.round().clamp(1, MOST_COILS)


def steady_power(coils: Tensor) -> Tensor:
    """E[M]^2 / sigma^2 in air for every volume, (n, 1)."""
    values = [air_power(int(count)) for count in coils.flatten().tolist()]
    return torch.tensor(values).to(coils).view_as(coils)


def filled(magnitude: Tensor, sigma: Tensor, steady: Tensor) -> Tensor:
    """1 where A's own noise is there, 0 where its air was zeroed.

    Example:
        >>> one = torch.ones(1, 1)
        >>> filled(torch.tensor([[0.0, 1.2]]), one, one * 1.57).tolist()
        [[0.0, 1.0]]
    """
    ratio = magnitude.square().mul_(4 / steady)
    return ratio.div_(sigma.square()).clamp_max_(1)
