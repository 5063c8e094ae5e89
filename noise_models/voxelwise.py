"""Arithmetic voxel by voxel, in blocks that stay in the cache.

Decision (2026-11): a corruption is a dozen cheap operations on every voxel. Done one
after the other on a whole volume, each waits for memory, and the buffers between them
cost more than the arithmetic. Here the volume is cut into blocks, every block goes
through all operations while it is in the cache, and threads share the blocks. A block
is no larger than what torch gives to one thread, so the two kinds of threads do not
meet. The price: such a function writes into an output of its own and cannot be
differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

BLOCK = 2**15
"""Values of a block: the most that torch leaves to one thread."""

Work = Callable[[slice, slice, int], None]


def in_blocks(x: Tensor, work: Work) -> None:
    """Call ``work(volumes, voxels, number)`` until all of ``x`` is done.

    ``x.flatten(1)[volumes, voxels]`` is one block: a piece of one volume, or several
    small volumes whole. Which block has which number depends on the shape alone, never
    on the number of threads. On other devices than the CPU there is one block.

    Args:
        x: Gives shape (n, ...) and device.
        work: What to do; calls run side by side and must not share what they write.

    Example:
        >>> x, y = torch.arange(6.0).view(2, 3), torch.empty(2, 3)
        >>> def double(volumes: slice, voxels: slice, number: int) -> None:
        ...     torch.mul(x[volumes, voxels], 2, out=y[volumes, voxels])
        >>> in_blocks(x, double)
        >>> y.tolist()
        [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]
    """
    tasks = blocks(x)
    threads = min(torch.get_num_threads(), len(tasks))
    is_inference = torch.is_inference_mode_enabled()  # each thread has its own

    def share(first: int) -> None:
        with torch.no_grad(), torch.inference_mode(is_inference):
            for number in range(first, len(tasks), threads):
                work(*tasks[number], number)

    if threads == 1:
        share(0)
    elif threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(share, range(threads)))


def blocks(x: Tensor) -> list[tuple[slice, slice]]:
    """Volumes and voxels of every block of ``x``, (n, ...).

    Example:
        >>> len(blocks(torch.empty(2, 1, 64, 64, 64))), len(blocks(torch.empty(9, 99)))
        (16, 1)
    """
    n, size = x.shape[0], x[0].numel() if len(x) else 0
    if x.device.type != "cpu":
        return [(slice(0, n), slice(0, size))]
    if size > BLOCK:
        return [
            (slice(row, row + 1), slice(start, min(start + BLOCK, size)))
            for row in range(n)
            for start in range(0, size, BLOCK)
        ]
    rows = max(1, BLOCK // max(size, 1))
    return [
        (slice(first, min(first + rows, n)), slice(0, size))
        for first in range(0, n, rows)
    ]
