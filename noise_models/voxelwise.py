"""Arithmetic voxel by voxel, in blocks that stay in the cache.

Decision (2026-11): a corruption is a dozen cheap operations on every voxel. Done one
after the other on a whole volume, each waits for memory, and the buffers between them
cost more than the arithmetic. Here the volume is cut into blocks, and every block goes
through all operations while it is in the cache. A block is large enough that torch
shares each operation among its own threads; threads of Python were tried first, and
lost to the lock of the interpreter what they won. The price: such a function writes
into an output of its own and cannot be differentiated.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

BLOCK = 2**17
"""Values of a block: with the buffers of its arithmetic, about a cache of today."""

Work = Callable[[slice, slice], None]


def in_blocks(x: Tensor, work: Work) -> None:
    """Call ``work(volumes, voxels)`` until all of ``x`` is done.

    ``x.flatten(1)[volumes, voxels]`` is one block: some whole planes of one volume
    (``x[0, 0, 0]`` is the first), or several small volumes whole. On other devices
    than the CPU there is one block.

    Args:
        x: Gives shape (n, ...) and device.
        work: What to do with a block.

    Example:
        >>> x, y = torch.arange(6.0).view(2, 3), torch.empty(2, 3)
        >>> def double(volumes: slice, voxels: slice) -> None:
        ...     torch.mul(x[volumes, voxels], 2, out=y[volumes, voxels])
        >>> in_blocks(x, double)
        >>> y.tolist()
        [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]
    """
    with torch.no_grad():
        for volumes, voxels in blocks(x, plane=x.shape[3:].numel()):
            work(volumes, voxels)


def blocks(x: Tensor, most: int = BLOCK, plane: int = 1) -> list[tuple[slice, slice]]:
    """Volumes and voxels of every block of ``x``, (n, ...).

    Args:
        x: Gives shape and device.
        most: Values of the largest block.
        plane: So many values stay together, even if they are more.

    Example:
        >>> len(blocks(torch.empty(2, 1, 64, 64, 64))), len(blocks(torch.empty(9, 99)))
        (4, 1)
    """
    n, size = x.shape[0], x[0].numel() if len(x) else 0
    if x.device.type != "cpu":
        return [(slice(0, n), slice(0, size))]
    if size > most:
        step = max(most // plane, 1) * plane
        return [
            (slice(row, row + 1), slice(start, min(start + step, size)))
            for row in range(n)
            for start in range(0, size, step)
        ]
    rows = max(1, most // max(size, 1))
    return [
        (slice(first, min(first + rows, n)), slice(0, size))
        for first in range(0, n, rows)
    ]
