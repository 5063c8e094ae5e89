"""What B makes of A's intensities: a curve for the brain, a factor for the scalp.

One curve serves the tissues of a brain, but not what lies near the head's surface.
There is fat, in layers thinner than a voxel, so that most voxels hold fat and air or
fat and bone. Their intensity is the fat's times its share of the voxel, whatever tissue
is as bright elsewhere; so it is scaled by the ratio of the two sites' fat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from noise_models.base import Params, of_volumes
from noise_models.contrast import Curve
from noise_models.scalp import scalp_share


@dataclass(frozen=True)
class Response:
    """g of the forward model, which is another one near the surface.

    Attributes:
        curve: Of the tissues of the brain.
        fat: Brightness of fat at B over that at A, (n, 1).
        share: How much of a voxel goes by the fat, 0 to 1, (n, C X Y[ Z]).

    Example:
        >>> knots = {"knots_in": torch.tensor([[0.0, 1.0]]),
        ...          "knots_out": torch.tensor([[0.0, 2.0]])}
        >>> curve = Curve.of(knots, torch.zeros(1, 1, 1, 3))
        >>> g = Response(curve, torch.ones(1, 1), torch.tensor([[0.0, 0.5, 1.0]]))
        >>> g.at(torch.ones(1, 3), slice(0, 1), slice(0, 3)).tolist()
        [[2.0, 1.5, 1.0]]
    """

    curve: Curve
    fat: Tensor
    share: Tensor

    @classmethod
    def of(cls, params: Params, x: Tensor, grid_mm: Sequence[float]) -> Response:
        """For scans ``x`` (n, C, X, Y[, Z]) in units of white matter."""
        share = scalp_share(x, grid_mm).flatten(1)
        share.mul_(of_volumes(params, "has_scalp", x)[:, None])
        return cls(
            Curve.of(params, x), of_volumes(params, "fat_ratio", x)[:, None], share
        )

    def at(
        self, x: Tensor, volumes: slice, voxels: slice, out: Tensor | None = None
    ) -> Tensor:
        """What becomes of a block ``x`` (m, voxels); ``out`` may be ``x``."""
        scaled = torch.mul(x, self.fat[volumes])
        y = self.curve.at(x, volumes, out=out)
        return y.lerp_(scaled, self.share[volumes, voxels])

    def slope_at(self, x: Tensor, volumes: slice, voxels: slice) -> Tensor:
        """How much a little more of ``x`` makes, a block (m, voxels)."""
        slope = self.curve.slope_at(x, volumes)
        fat = self.fat[volumes].expand_as(slope)
        return slope.lerp_(fat, self.share[volumes, voxels])
