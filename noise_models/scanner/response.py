"""What B makes of A's intensities: a curve for the brain, factors for the scalp.

One curve serves the tissues of a brain, but not what lies near the head's surface.
There is fat, in layers thinner than a voxel, so that most voxels hold fat and air or
fat and bone. Their intensity is the fat's times its share of the voxel, whatever tissue
is as bright elsewhere; so it is scaled by the ratio of the two sites' fat. Outermost
lies skin, which relaxes about as muscle does: scaled as fat is, it would fade where it
should shine, and with it the outline of the head would move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from noise_models.base import Params, of_volumes
from noise_models.contrast import Curve
from noise_models.scalp import scalp_share

SKIN = 0.8  # of grey matter, as muscle: its T1 is a little longer, its T2* shorter
OUTERMOST, UNDER_SKIN = 0.95, 0.75  # share of the scalp at half a mm and at 3 mm


@dataclass(frozen=True)
class Response:
    """g of the forward model, which is another one near the surface.

    ``brain * curve(x) + factor * x + kink * min(x, skin)``: of the scalp, what is
    darker than skin is skin that shares its voxel with air, what is brighter has fat.

    Attributes:
        curve: Of the tissues of the brain.
        brain: How much of a voxel goes by it, 0 to 1, (n, C X Y[ Z]).
        factor: What bright voxels of the rest are scaled by, times its share, likewise.
        kink: What that gains below skin, likewise.
        skin: Brightness of skin at A, (n, 1).

    Example:
        >>> params = {"knots_in": torch.tensor([[0.0, 0.3, 0.5, 1.0, 1.2]]),
        ...           "knots_out": torch.tensor([[0.0, 0.6, 1.0, 2.0, 2.4]]),
        ...           "fat_ratio": torch.ones(1), "has_scalp": torch.zeros(1)}
        >>> g = Response.of(params, torch.ones(1, 1, 2, 2), (4.0, 4.0))
        >>> g.at(torch.ones(1, 4), slice(0, 1), slice(0, 4)).tolist()
        [[2.0, 2.0, 2.0, 2.0]]
    """

    curve: Curve
    brain: Tensor
    factor: Tensor
    kink: Tensor
    skin: Tensor

    @classmethod
    def of(cls, params: Params, x: Tensor, grid_mm: Sequence[float]) -> Response:
        """For scans ``x`` (n, C, X, Y[, Z]) in units of white matter."""
        curve = Curve.of(params, x)
        share = scalp_share(x, grid_mm).flatten(1)
        share.mul_(of_volumes(params, "has_scalp", x)[:, None])
        knots = of_volumes(params, "knots_in", x)
        skin, top = SKIN * knots[:, 2:3], knots[:, 4:5]
        by_fat = of_volumes(params, "fat_ratio", x)[:, None]
        by_skin = curve.at(skin) / skin
        above = (top * by_fat - skin * by_skin) / (top - skin)
        outer = (share - UNDER_SKIN).div_(OUTERMOST - UNDER_SKIN).clamp_(0, 1)
        outer.mul_(share)
        above.clamp_min_(0)
        factor = torch.mul(share, by_fat).addcmul_(outer, above - by_fat)
        kink = outer.mul_(by_skin - above)
        return cls(curve, share.neg_().add_(1), factor, kink, skin)

    def at(
        self, x: Tensor, volumes: slice, voxels: slice, out: Tensor | None = None
    ) -> Tensor:
        """What becomes of a block ``x`` (m, voxels), which ``out`` is not."""
        here = volumes, voxels
        y = self.curve.at(x, volumes, out=out).mul_(self.brain[here])
        y.addcmul_(x, self.factor[here])
        return y.addcmul_(torch.minimum(x, self.skin[volumes]), self.kink[here])

    def slope_at(self, x: Tensor, volumes: slice, voxels: slice) -> Tensor:
        """How much a little more of ``x`` makes, a block (m, voxels)."""
        here = volumes, voxels
        slope = self.curve.slope_at(x, volumes).mul_(self.brain[here])
        slope.add_(self.factor[here])
        below = torch.le(x, self.skin[volumes], out=torch.empty_like(x))
        return slope.addcmul_(below, self.kink[here])
