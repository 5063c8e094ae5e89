"""A scan that ends within the head: what lies beyond was not acquired."""

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
    computable,
    draw_uniform,
    of_volumes,
)
from noise_models.registry import register


@register("field_of_view")
@dataclass(frozen=True)
class FieldOfView(NoiseModel):
    """A scan that ends earlier: through the neck, or through the cerebellum.

    T1-weighted scans are planned to hold the brain; crown, face and sides are mostly
    inside. Where they end below is the site's choice: at the shoulders with a head coil
    and sagittal slices, above the neck with a slab of axial ones. Beyond is 0. Of an
    axial slice (X, Y) the back is taken off: its last axis is to the front.

    Args:
        lost: Share of the volume that is not scanned, at the start of its last axis,
            which is downwards in RAS order. A quarter of a training grid 192 mm high
            leaves 138 mm below the vertex, the cerebellum in part.

    Raises:
        ValueError: ``lost`` is not ``0 <= low <= high <= 0.9``.

    Example:
        >>> x = torch.ones(1, 1, 2, 6)
        >>> FieldOfView(lost=0.3)(x, rng=torch.Generator())[0, 0, 0].tolist()
        [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    """

    lost: Level = (0.0, 0.25)

    def __post_init__(self) -> None:
        check_range("field_of_view: lost", self.lost, high=0.9)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        return {"lost": draw_uniform(self.lost, n, rng)}

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        """End a copy; ``rng`` is not used."""
        return self.spend(x.clone(), params, rng, spacing_mm=spacing_mm)

    def spend(
        self,
        y: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        clean = computable(y)
        faces = clean.new_tensor([-torch.inf, torch.inf]).repeat(
            len(clean), clean.ndim - 2, 1
        )
        faces[:, -1, 0] = of_volumes(params, "lost", clean) * clean.shape[-1] - 0.5
        return as_given(end_at(clean, faces), y)


def end_at(y: Tensor, faces: Tensor) -> Tensor:
    """Set to 0, in place, planes whose middle lies outside of a box.

    A plane is whole or not there, as in scans: one scaled by how much of it is inside
    would have less noise than any other.

    Args:
        y: Scans, (n, C, X, Y[, Z]).
        faces: Lower and upper face along each axis, in voxels, of which the first
            reaches from -0.5 to 0.5; (n, ndim, 2).

    Example:
        >>> faces = torch.tensor([[[0.5, 9.0], [-1.0, 0.8]]])
        >>> end_at(torch.ones(1, 1, 3, 2), faces)[0, 0].tolist()
        [[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]
    """
    for axis, size in enumerate(y.shape[2:], 2):
        low, high = faces[:, axis - 2].clamp(-1, size).unbind(1)
        firsts, ends = low.ceil().long().clamp_min(0), high.floor().long() + 1
        for volume, first, end in zip(y, firsts.tolist(), ends.tolist(), strict=True):
            if first > 0:
                volume.narrow(axis - 1, 0, min(first, size)).zero_()
            if end < size:
                volume.narrow(axis - 1, end, size - end).zero_()
    return y
