"""Where the scans of a site end, and a scan seen no further than that.

Sites plan their volumes otherwise: some end at the shoulders, some at the cerebellum.
On the training grid a scan is 0 beyond its faces. A decoder that paints for a site has
never painted what that site does not scan, nor met a code that tells of it; so a scan
that is to look as if made there is ended there before it is encoded.

Faces are (axes, 2): lower and upper, along each axis. In voxels the first voxel reaches
from -0.5 to 0.5; in mm they count from the middle of the grid, which lies on the head.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from noise_models.field_of_view import end_at

BEYOND_MM = 1e4
"""A face that is on no grid: the site's scans do not end within the training grid."""
WIDE = 0.25  # of the widest plane; ends narrower than this are the head's own
AT_MOST = 32
"""Scans of a site that its faces are taken from."""


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


def typical_faces(images: Iterable[Tensor], spacing_mm: Sequence[float]) -> Tensor:
    """Median faces of a site's scans (axes, 2), mm from the middle of the grid.

    An end that is narrow, as the crown's in front of empty air, is the head's own and
    counts as none; so does one at the grid's.

    Args:
        images: Scans on the training grid, (X, Y[, Z]).
        spacing_mm: Of the grid.

    Example:
        >>> x = torch.ones(8, 8); x[:, :3] = 0
        >>> typical_faces([x, x, x], (2.0, 2.0)).tolist()
        [[-10000.0, 10000.0], [-2.0, 10000.0]]
    """
    found = []
    for image in images:
        ends = []
        for axis, (size, step) in enumerate(
            zip(image.shape, spacing_mm, strict=True), 1
        ):
            areas = _planes(image[None] != 0, axis)[0]
            wide = torch.nonzero(areas)[:, 0]
            first, last = (int(wide[0]), int(wide[-1])) if len(wide) else (0, size - 1)
            least, middle = WIDE * float(areas.max()), (size - 1) / 2
            is_low = first > 0 and float(areas[first]) >= least
            is_high = last < size - 1 and float(areas[last]) >= least
            low = (first - 0.5 - middle) * step if is_low else -BEYOND_MM
            high = (last + 0.5 - middle) * step if is_high else BEYOND_MM
            ends.append((low, high))
        found.append(ends)
    lower, upper = torch.tensor(found).unbind(2)
    # Of an even number the outer of the two in the middle: torch takes the lower one.
    return torch.stack([lower.median(0).values, -(-upper).median(0).values], 1)


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
