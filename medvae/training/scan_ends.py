"""Where the training scans of every site end, found once training is over.

A scan on the training grid is 0 where it was not acquired. Its end shows as a plane,
turned against the grid if slices were tilted, on which many lines of voxels begin. The
head's own ends are round, and few lines begin on any one plane.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from medvae.model.acquired_region import BEYOND_MM
from medvae.model.network import NetworkConfig
from medvae.training.data import Entry, Volumes

AT_MOST = 32
"""Scans of a site that its faces are taken from."""
_SHARE = 0.3  # of the lines that meet the scan must begin on a plane that is an end
_NEAR = 0.6  # voxels: half a step of rounding, and a little for interpolation
_STEEPEST = 0.5  # 27 degrees; what is cut more steeply is a face removed
_TRIES = 300  # three lines of 30 % lie on one plane in 1 of 37: missed in 3 of 10,000
_LINES = 4096  # looked at, of a grid that has more


def fields_of_view(
    entries: Sequence[Entry],
    volumes: Volumes,
    sites: Sequence[str],
    network: NetworkConfig,
) -> Tensor:
    """Faces of each site's scans on the training grid, mm, (sites, axes, 2).

    Args:
        entries: The training scans.
        volumes: Their prepared volumes.
        sites: In the order of the decoder's.
        network: Whose grid it is.
    """
    found = []
    for site in sites:
        own = [entry.index for entry in entries if entry.site == site]
        spread = np.linspace(0, len(own) - 1, min(len(own), AT_MOST)).round()
        images = (
            torch.from_numpy(np.array(volumes.image(own[int(k)]), np.float32))
            for k in spread
        )
        found.append(typical_faces(images, network.spacing_mm))
    return torch.stack(found)


def typical_faces(images: Iterable[Tensor], spacing_mm: Sequence[float]) -> Tensor:
    """Median faces of a site's scans (axes, 2), mm from the middle of the grid.

    A tilted end counts where it meets the axis through the middle. An end that is not
    flat, as the crown's in front of empty air, is the head's own and counts as none; so
    does one at the grid's.

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
        faces = []
        for axis, step in enumerate(spacing_mm):
            there = (image != 0).movedim(axis, -1)
            middle = (there.shape[-1] - 1) / 2
            for sign, lines in ((-1, there), (1, there.flip(-1))):
                first = _end(lines)
                faces.append(
                    sign * (BEYOND_MM if first is None else (middle - first) * step)
                )
        found.append(faces)
    lower, upper = torch.tensor(found).view(len(found), -1, 2).unbind(2)
    # Of an even number the outer of the two in the middle: torch takes the lower one.
    return torch.stack([lower.median(0).values, -(-upper).median(0).values], 1)


def _end(there: Tensor) -> float | None:
    """Where lines along the last axis begin on one plane, in voxels, at their middle.

    Of planes through three lines (two, of an image) drawn at random, that on which most
    of all begin, fitted to those (Fischler & Bolles 1981, doi:10.1145/358669.358692).
    The same ones are drawn every time.
    """
    places = torch.cartesian_prod(
        *(torch.arange(n).double() - (n - 1) / 2 for n in there.shape[:-1])
    )
    lines, places = there.flatten(0, -2), places.view(-1, there.ndim - 1)
    some = slice(None, None, -(-len(lines) // _LINES))
    lines, places = lines[some], places[some]
    first, meet = lines.int().argmax(1).double(), lines.any(1)
    inside = meet & (first > 0)  # others begin with the grid
    least = max(_SHARE * int(meet.sum()), there.ndim)
    if int(inside.sum()) < least:
        return None
    design = torch.cat([torch.ones(len(places), 1), places], 1)[inside]
    begin = first[inside]
    rng = torch.Generator().manual_seed(0)
    drawn = torch.randint(len(begin), (_TRIES, there.ndim), generator=rng)
    planes = _planes(design[drawn], begin[drawn])
    planes = planes[(planes[:, 1:].abs() <= _STEEPEST).all(1)]
    near = (planes @ design.T - begin).abs() <= _NEAR
    on = near[near.sum(1).argmax()] if len(near) else near.any(0)
    if int(on.sum()) < least:
        return None
    end = float(_planes(design[on], begin[on])[0]) - 0.5
    return end if end > 0 else None


def _planes(design: Tensor, begin: Tensor) -> Tensor:
    """Least squares, (..., d): where it is in the middle, and its slopes."""
    fitted: Tensor = torch.linalg.lstsq(design, begin[..., None]).solution
    return fitted[..., 0]
