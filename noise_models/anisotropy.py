"""Thick slices: a clinical scan, interpolated back to a fine grid."""

from __future__ import annotations

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
    spacing_of,
)
from noise_models.registry import register
from noise_models.separable import along


@register("anisotropy")
@dataclass(frozen=True)
class Anisotropy(NoiseModel):
    """Thick slices: a clinical scan, interpolated back to a fine grid.

    Along one axis the image is averaged over contiguous slices of ``thickness_mm``
    (a box profile, voxels at its ends counted by their overlap), centred on the
    volume; linear interpolation between slice centres brings back the voxels.

    Args:
        thickness_mm: Slice thickness, mm. A range is drawn uniformly. No thicker
            than a voxel is exactly no change.
        axis: Slice axis, 0, 1 or 2; drawn for each volume when None. In a 2-D
            image axis 2 counts as 0.

    Raises:
        ValueError: A setting is outside its range.

    Example:
        >>> line = torch.arange(6.0).view(1, 1, 6, 1)
        >>> y = Anisotropy(thickness_mm=3.0, axis=0)(line, rng=torch.Generator())
        >>> [round(v, 3) for v in y.flatten().tolist()]      # slice means 1 and 4
        [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]
    """

    thickness_mm: Level = (2.0, 6.0)
    axis: int | None = None

    def __post_init__(self) -> None:
        check_range("anisotropy: thickness_mm", self.thickness_mm, open_low=True)
        if self.axis is not None:
            check_whole("anisotropy: axis", self.axis, low=0, high=2)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        axes = (0, 2) if self.axis is None else self.axis
        return {
            "thickness_mm": draw_uniform(self.thickness_mm, n, rng),
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
        thickness = of_volumes(params, "thickness_mm", clean)
        axes = of_volumes(params, "axis", clean).long() % (clean.ndim - 2)
        y = clean.clone()
        for axis, step in enumerate(spacing_of(clean, spacing_mm)):
            chosen = ((axes == axis) & (thickness > step)).nonzero()[:, 0]
            if len(chosen):
                size = clean.shape[2 + axis]
                voxels = (thickness[chosen] / step).tolist()
                matrices = torch.stack([slice_matrix(size, v) for v in voxels])
                y[chosen] = along(clean[chosen], 2 + axis, matrices.to(clean))
        return as_given(y, x)


def slice_matrix(size: int, thickness: float) -> Tensor:
    """Averaging into slices and back, (size, size) float64; ``thickness`` in voxels.

    Example:
        >>> slice_matrix(4, 2.0)[0].tolist()
        [0.5, 0.5, 0.0, 0.0]
    """
    slices = max(1, round(size / thickness))
    voxel = torch.arange(size, dtype=torch.float64)
    index = torch.arange(slices, dtype=torch.float64)
    centre = (size - 1) / 2 + (index - (slices - 1) / 2) * thickness
    upper = torch.minimum(centre[:, None] + thickness / 2, voxel + 0.5)
    lower = torch.maximum(centre[:, None] - thickness / 2, voxel - 0.5)
    average = (upper - lower).clamp_min(0)
    average /= average.sum(1, keepdim=True)
    place = ((voxel - centre[0]) / thickness).clamp(0, slices - 1)
    back = (1 - (place[:, None] - index).abs()).clamp_min(0)
    return back @ average
