"""Moving the head: flip, small affine and smooth deformation, resampled once.

Decision (2026-11): MONAI's transforms draw, and one trilinear resampling does what two
of theirs did. Half of the time of an augmented step went into their grids, which are
made in double precision and copied several times; here a grid is a sum over axes. The
price: their ``__call__`` is not used, and the deformation ends at the edge of the grid
in zeros, as the affine does, and not in the last voxel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.transforms import RandAffine, RandFlip, RandSmoothDeform
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from medvae.training.config import AugmentationSettings


class Augmentation:
    """Flip, small affine and smooth deformation, decided by a seed alone.

    The same seed gives the same geometry in any process. Applied to the clean volume,
    so that input and target move together. The deformation is a coarse random field,
    interpolated: several times as fast on a CPU as smoothing a full-resolution one
    (MONAI's ``Rand3DElastic``).
    """

    FIELD = (6, 6, 6)  # places where the deformation is drawn

    def __init__(
        self,
        settings: AugmentationSettings,
        shape: Sequence[int],
        spacing_mm: Sequence[float],
    ) -> None:
        turn = float(np.deg2rad(settings.rotate_degrees))
        extent = [n * step for n, step in zip(shape, spacing_mm, strict=True)]
        self.shape = tuple(shape)
        self.is_bent = settings.elastic_mm > 0
        self.flip = RandFlip(prob=settings.flip, spatial_axis=0)
        self.affine = RandAffine(
            prob=settings.probability,
            rotate_range=[turn] * 3,
            translate_range=[settings.translate_mm / step for step in spacing_mm],
            scale_range=[settings.scale] * 3,
        )
        self.bend = RandSmoothDeform(
            spatial_size=shape,
            rand_size=self.FIELD,
            prob=settings.probability if self.is_bent else 0.0,
            # Largest shift, in halves of the extent. MONAI refuses 0: where nothing is
            # bent (prob 0) it gets 1.
            def_range=2 * settings.elastic_mm / float(np.mean(extent)) or 1.0,
        )

    def __call__(self, volume: Tensor, seed: int) -> Tensor:
        """Move one volume (C, X, Y, Z); the input is left as it was."""
        for number, move in enumerate((self.flip, self.affine, self.bend)):
            move.set_random_state((seed + number) % 2**32)
            move.randomize(None)
        moved = volume.flip(1) if self.flip._do_transform else volume
        matrix = torch.eye(4)
        if self.affine._do_transform:
            self.affine.rand_affine_grid(self.shape, lazy=True)
            drawn = self.affine.rand_affine_grid.get_transformation_matrix()
            matrix = torch.as_tensor(drawn, dtype=torch.float32)
        field = self.bend.sfield.field[0] if self.bend._do_transform else None
        if field is None and not self.affine._do_transform:
            return moved
        grid = sampling_grid(self.shape, matrix, field)
        return grid_sample(moved[None], grid, align_corners=True)[0]


def sampling_grid(shape: Sequence[int], matrix: Tensor, field: Tensor | None) -> Tensor:
    """Where every voxel comes from: ``A (r + d(r))``, (1, X, Y, Z, 3).

    For ``grid_sample`` with ``align_corners``: coordinates in the order z, y, x, from
    -1 at the first voxel to 1 at the last.

    Args:
        shape: Size of the volume.
        matrix: A, (4, 4), acts on voxels counted from the middle of the volume.
        field: Coarse deformation d in the order x, y, z, in halves of the extent,
            (3, x, y, z); interpolated.

    Example:
        >>> grid = sampling_grid((3, 5, 2), torch.eye(4), None)
        >>> tuple(grid.shape), grid[0, 2, 0, 1].tolist()
        ((1, 3, 5, 2, 3), [1.0, -1.0, 1.0])
    """
    half = (torch.tensor(shape) - 1).clamp_min(1) / 2
    turn, shift = matrix[:3, :3] * half / half[:, None], matrix[:3, 3] / half
    turn, shift = turn.flip(0), shift.flip(0)  # z first
    x, y, z = (torch.linspace(-1, 1, size) for size in shape)
    plane = (turn[:, :1] * x)[:, :, None] + (turn[:, 1:2] * y)[:, None]
    line = turn[:, 2:] * z + shift[:, None]
    grid = plane[..., None] + line[:, None, None]
    if field is not None:
        along_x, along_y, along_z = map(_weights, field.shape[1:], shape)
        coarse = torch.tensordot(turn, field, 1) @ along_z.T
        planes = (along_y @ coarse).flatten(2)
        lines = along_x.expand(3, -1, -1)
        grid = torch.baddbmm(grid.flatten(2), lines, planes).view_as(grid)
    return grid.permute(1, 2, 3, 0)[None]


def _weights(places: int, size: int) -> Tensor:
    """Linear interpolation of one axis as a matrix, (size, places)."""
    return interpolate(torch.eye(places)[None], size, mode="linear")[0].T
