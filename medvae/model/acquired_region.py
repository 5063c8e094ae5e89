"""Where the scans of a site end, and a scan seen no further than that.

Sites plan their volumes otherwise: some end at the shoulders, some at the cerebellum.
On the training grid a scan is 0 beyond its faces. A decoder that paints for a site has
never painted what that site does not scan, nor met a code that tells of it; so a scan
that is to look as if made there is ended there before it is encoded.

Faces are (axes, 2): lower and upper, along each axis. In voxels the first voxel reaches
from -0.5 to 0.5; in mm they count from the middle of the grid, which lies on the head.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from noise_models.field_of_view import end_at

BEYOND_MM = 1e4
"""A face that is on no grid: the site's scans do not end within the training grid."""


def shown(x: Tensor) -> Tensor:
    """Which voxels lie between the outermost planes that are not empty, bool.

    Args:
        x: Volumes, (B, X, Y[, Z]).

    Example:
        >>> x = torch.zeros(1, 2, 5); x[0, 0, 1], x[0, 1, 3] = 1, 2
        >>> shown(x).int().tolist()
        [[[0, 1, 1, 1, 0], [0, 1, 1, 1, 0]]]
    """
    inside = torch.ones_like(x, dtype=torch.bool)
    for axis in range(1, x.ndim):
        there = _planes(x != 0, axis).bool()
        forth = there.cumsum(1) > 0
        back = there.flip(1).cumsum(1).flip(1) > 0
        lines = [len(x), *(1 for _ in x.shape[1:])]
        lines[axis] = -1
        inside &= (forth & back).view(lines)
    return inside


def ended(x: Tensor, faces: Tensor) -> Tensor:
    """Volumes (B, 1, X, Y[, Z]) that are 0 outside of faces in voxels; ``x`` stays.

    Planes whose middle is inside stay whole (`noise_models.field_of_view.end_at`);
    ``x`` itself is returned where nothing is taken off.

    Example:
        >>> ended(torch.ones(1, 1, 1, 5), torch.tensor([[-1.0, 9.0], [1.4, 3.5]]))
        tensor([[[[0., 0., 1., 1., 0.]]]])
    """
    y = end_at(x.clone(), faces.to(x).expand(len(x), -1, -1))
    return x if torch.equal(y, x) else y


def in_voxels(faces_mm: Tensor, shape: Sequence[int], step: Sequence[float]) -> Tensor:
    """Faces in voxels of a grid whose middle lies on the head.

    Example:
        >>> in_voxels(torch.tensor([[-2.0, 4.0]]), (8,), (2.0,)).tolist()
        [[2.5, 5.5]]
    """
    middle = torch.tensor([(n - 1) / 2 for n in shape])
    return faces_mm.cpu() / torch.tensor(list(step))[:, None] + middle[:, None]


def _planes(marked: Tensor, axis: int) -> Tensor:
    """How many voxels of each plane across an axis are marked, (B, size)."""
    others = [a for a in range(1, marked.ndim) if a != axis]
    return marked.sum(others)
