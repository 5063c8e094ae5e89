"""Faint shifted copies of the head, from motion that repeats during the scan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from noise_models.base import (
    Level,
    NoiseModel,
    Params,
    as_given,
    check_range,
    check_whole,
    computable,
    draw_uniform,
    draw_whole,
    of_volumes,
)
from noise_models.registry import register


@register("ghosting")
@dataclass(frozen=True)
class Ghosting(NoiseModel):
    """Faint shifted copies of the head, from motion that repeats during the scan.

    Breathing or a pulse modulates the phase-encoding lines of k-space,
    ``1 + a exp(i phase) cos(2 pi k / period)``, and by the shift theorem that is a pair
    of ghosts, each ``a / 2`` of the head, displaced by ``size / period`` voxels to
    either side and wrapped around. (With a period of 2 lines the pair coincides.)
    The modulus is kept: ``y = |x + a/2 exp(i phase) ghosts|``.

    Args:
        intensity: Modulation depth ``a``, 0 to 1. A range is drawn uniformly.
        period: Lines between repeats, 2 to 16. A range is drawn uniformly from
            whole numbers, both ends included.
        axis: Phase-encoding axis, 0, 1 or 2; drawn for each volume when None. In a
            2-D image axis 2 counts as 0.

    Raises:
        ValueError: A setting is outside its range.

    Example:
        >>> dot = torch.zeros(1, 1, 8, 8)
        >>> dot[..., 4, 4] = 1
        >>> noise = Ghosting(intensity=0.2, period=4, axis=1)
        >>> y = noise(dot, rng=torch.Generator())
        >>> [round(v, 2) for v in y[0, 0, 4].tolist()][2:7:4]
        [0.1, 0.1]
    """

    intensity: Level = (0.05, 0.3)
    period: Level = (2, 8)
    axis: int | None = None

    def __post_init__(self) -> None:
        check_range("ghosting: intensity", self.intensity, high=1)
        check_range("ghosting: period", self.period, low=2, high=16, whole=True)
        if self.axis is not None:
            check_whole("ghosting: axis", self.axis, low=0, high=2)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        """Intensity, period, phase and axis, each (n,)."""
        axes = (0, 2) if self.axis is None else self.axis
        return {
            "intensity": draw_uniform(self.intensity, n, rng),
            "period": draw_whole(self.period, n, rng),
            "phase": draw_uniform((0.0, 2 * math.pi), n, rng),
            "axis": draw_whole(axes, n, rng),
        }

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        clean = computable(x)
        keys = ("intensity", "period", "phase", "axis")
        rows = torch.stack([of_volumes(params, key, clean) for key in keys], 1)
        y = torch.empty_like(clean)
        for out, volume, row in zip(y, clean, rows.tolist(), strict=True):
            intensity, period, phase, axis = row
            dim = 1 + int(axis) % (clean.ndim - 2)
            shift = round(volume.shape[dim] / period)
            ghosts = volume.roll(shift, dim).add_(volume.roll(-shift, dim))
            ghosts.mul_(intensity / 2)
            torch.addcmul(volume, ghosts, clean.new_tensor(math.cos(phase)), out=out)
            out.hypot_(ghosts.mul_(math.sin(phase)))
        return as_given(y, x)
