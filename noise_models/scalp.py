"""Fat in the scalp: it answers to a pulse sequence otherwise than the brain does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d, avg_pool3d, interpolate

from noise_models.base import (
    Level,
    NoiseModel,
    Params,
    as_given,
    check_range,
    computable,
    draw_log_uniform,
    of_volumes,
    per_volume,
    spacing_of,
)
from noise_models.registry import register
from noise_models.separable import along

AIR = 0.3  # of white matter: what is darker, and lies outside, is none of the head
COARSE_MM = 4.0
REACH_MM = 9.0  # SD of the Gaussian; the share falls to .5 at 6 mm, to .1 at 15 mm
_POOL = {2: avg_pool2d, 3: avg_pool3d}
_MODE = {2: "bilinear", 3: "trilinear"}


@register("scalp")
@dataclass(frozen=True)
class Scalp(NoiseModel):
    """Brighter or darker fat under the skin.

    Fat is as bright as white matter under one T1-weighted sequence and half as bright
    again under another, and no curve of intensities brings that about without changing
    the brain. Intensities are scaled by ``ratio`` at the surface of the head, less and
    less further in (`scalp_share`). Of a brain without a skull it scales the cortex.

    Args:
        ratio: Brightness of fat over what it was. A range is drawn log-uniformly.
            The protocols of fourteen ABIDE sites span 1.00 to 1.46 times white
            matter, by the signal equation.

    Raises:
        ValueError: ``ratio`` is not ``0 < low <= high``.

    Example:
        >>> head = torch.zeros(1, 1, 60, 60)
        >>> head[:, :, 10:50, 10:50] = 1
        >>> y = Scalp(ratio=0.5)(head, rng=torch.Generator(), spacing_mm=(4.0, 4.0))
        >>> [round(v, 2) for v in y[0, 0, 30, [10, 12, 30]].tolist()]
        [0.59, 0.87, 1.0]
    """

    ratio: Level = (0.65, 1.5)

    def __post_init__(self) -> None:
        check_range("scalp: ratio", self.ratio, open_low=True)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        return {"ratio": draw_log_uniform(self.ratio, n, rng)}

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        """Scale what lies near the surface; ``rng`` is not used."""
        clean = computable(x)
        change = of_volumes(params, "ratio", clean) - 1
        factor = scalp_share(clean, spacing_of(clean, spacing_mm))
        factor.mul_(per_volume(change, clean)).add_(1)
        return as_given(factor.mul_(clean), x)


def scalp_share(x: Tensor, grid_mm: Sequence[float]) -> Tensor:
    """How near every voxel is to the surface of the head, 1 to 0; a new tensor.

    Outside is what nothing of the head hides when looked at from the left or from the
    right, or along any other axis; so ventricles, dark as air, lie inside. Where a
    volume ends within the head there is no surface.

    Args:
        x: Scans, (n, C, X, Y[, Z]), in units of white matter.
        grid_mm: Voxel size.

    Example:
        >>> head = torch.zeros(1, 1, 60, 60)
        >>> head[:, :, 10:50, 10:50] = 1
        >>> head[:, :, 25:35, 25:35] = 0  # a cavity
        >>> share = scalp_share(head, (4.0, 4.0))[0, 0, 30]
        >>> [round(v, 1) for v in share[[0, 10, 12, 30]].tolist()]
        [1.0, 0.8, 0.3, 0.0]
    """
    ndim = x.ndim - 2
    factors = [
        min(max(1, round(COARSE_MM / float(step))), size)
        for step, size in zip(grid_mm, x.shape[2:], strict=True)
    ]
    needs_no_pooling = max(factors) == 1
    coarse = x if needs_no_pooling else _POOL[ndim](x, factors, ceil_mode=True)
    share = _outside(coarse <= AIR).to(x.dtype)
    for axis, (step, factor) in enumerate(zip(grid_mm, factors, strict=True), 2):
        matrix = _smoothing(share.shape[axis], float(step) * factor).to(x)
        share = along(share, axis, matrix.expand(len(x), -1, -1))
    share.mul_(2).clamp_(0, 1)
    if needs_no_pooling:
        return share
    size = [n * factor for n, factor in zip(share.shape[2:], factors, strict=True)]
    fine = interpolate(share, size, mode=_MODE[ndim], align_corners=False)
    inner = (slice(None), slice(None), *(slice(0, n) for n in x.shape[2:]))
    return fine[inner].contiguous()


def _outside(dark: Tensor) -> Tensor:
    """What is seen from some face of the volume, before anything that is not dark."""
    empty = dark.byte()
    seen = torch.zeros_like(empty)
    for axis in range(2, dark.ndim):
        seen |= empty.cumprod(axis, dtype=torch.uint8)
        seen |= empty.flip(axis).cumprod(axis, dtype=torch.uint8).flip(axis)
    return seen


def _smoothing(size: int, step_mm: float) -> Tensor:
    """A Gaussian along an axis, its ends repeated, as a matrix (1, size, size)."""
    reach = int(4 * REACH_MM / step_mm) + 1
    offsets = torch.arange(-reach, reach + 1)
    weights = torch.exp(-0.5 * (offsets.double() * step_mm / REACH_MM).square())
    rows = torch.arange(size)[:, None].expand(-1, len(offsets))
    columns = (rows + offsets).clamp(0, size - 1)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    values = (weights / weights.sum()).expand(size, -1)
    return matrix.index_put((rows, columns), values, accumulate=True)[None]
