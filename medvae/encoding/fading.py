"""How much of a harmonised image each voxel takes; the rest stays the scan's own.

A painting ends at the faces of its grid, where a scan often goes on, and says nothing
of air: to cut it there leaves a step through the neck, and in air a halo of what the
painter blurred, or voxels clipped to 0. So the image fades into the scan.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medvae.volume import Placement
from medvae.volume.grid import FloatArray, Mask

FADE_MM = 10.0
"""From the whole of the image to none of it, at a face and outside of the head."""

_MOST_IN_AIR = 0.9  # so that no voxel of air, in an ear or a nostril, is clipped to 0


def share_of_image(
    head: Mask, placement: Placement, faces: Sequence[Sequence[float]] = ()
) -> npt.NDArray[np.float32]:
    """The share of the harmonised image in every voxel of a scan, 0 to 1.

    It is 1 in the head and falls to 0 within 10 mm of air. It falls to 0 over the last
    10 mm before a face of the grid, too, beyond which the scan goes on; where the head
    ends before that face, only in the air between the two.

    Args:
        head: On the scan's RAS+ grid (X, Y, Z).
        placement: Where the grid of the painting lies in the scan.
        faces: Where the painting ends on it, in voxels: lower and upper along each
            axis; by default where the grid does.

    Example:
        >>> from medvae.volume import Grid
        >>> grid = Grid((8, 8, 8), (4.0, 4.0, 4.0))
        >>> affine = np.diag([4.0, 4.0, 4.0, 1.0])
        >>> head = np.ones((8, 8, 12), dtype=bool)
        >>> share = share_of_image(head, Placement(grid, affine, head.shape, affine))
        >>> share[4, 4, 5:9].round(2)  # the scan goes on above
        array([1.  , 0.65, 0.1 , 0.  ], dtype=float32)
    """
    spacing = np.linalg.norm(placement.native_affine[:3, :3], axis=0)
    share = _rim(head, spacing)
    into_grid = np.linalg.inv(placement.matrix)[:3].astype(np.float32)
    i, j, k = (np.arange(n, dtype=np.float32) for n in head.shape)
    whole = [(-0.5, size - 0.5) for size in placement.grid.shape]
    ends = [
        (max(first, low), min(last, high))
        for (first, last), (low, high) in zip(whole, faces or whole, strict=True)
    ]
    grid = zip(into_grid, ends, placement.grid.spacing_mm, strict=True)
    for row, (low, high), step in grid:
        along = row[0] * i[:, None, None] + row[1] * j[:, None] + row[2] * k + row[3]
        for depth in (along - low, high - along):  # voxels inwards of a face
            if depth.min() < 0:
                share *= _rise(depth * step, head)
    return share


def _rise(depth_mm: FloatArray, head: Mask) -> FloatArray:
    """From 0 at a face to 1 behind it, before the head begins if it begins there."""
    gap = float(depth_mm[head].min(initial=np.inf))
    ramp = np.clip(depth_mm / (min(gap, FADE_MM) if gap > 0 else FADE_MM), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp))


def _rim(head: Mask, spacing_mm: FloatArray) -> npt.NDArray[np.float32]:
    """1 in the head; outside, the share of a box about the voxel that is near it."""
    reach = [max(1, round(FADE_MM / 2 / step)) for step in spacing_mm]
    near = head.astype(np.float32)
    for axis, n in enumerate(reach):
        near = ndimage.maximum_filter1d(near, 2 * n + 1, axis)
    for axis, n in enumerate(reach):
        near = ndimage.uniform_filter1d(near, 2 * n + 1, axis)
    return np.where(head, np.float32(1), np.clip(near, 0, _MOST_IN_AIR))
