"""Linear corruptions that act on one axis at a time, as small dense matrices.

Decision (2026-11): blur, truncation and thick slices are all matrices along an axis.
At 128 to 256 voxels a matrix product costs the same as a Fourier transform of that
axis, takes any size and any boundary, and differs per volume for nothing. The price
is that cost per voxel grows with the size of the axis; for filters that do not know
left from right it is lowered by working on even and odd parts, some lines at a time,
in memory that is used again: new memory would cost as much as the products do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

_LONG = 128  # voxels; shorter lines are as fast in one piece
_CHUNK = 2**18  # values that are folded at once, half of them in each of two products


def along(x: Tensor, axis: int, matrices: Tensor, out: Tensor | None = None) -> Tensor:
    """Multiply every line of ``x`` along ``axis`` by the matrix of its volume.

    Args:
        x: Images, (n, C, X, Y[, Z]).
        axis: Which axis of ``x``, counted from the front.
        matrices: (n, size, size), with ``size`` that of the axis.
        out: Where to write, contiguous and not ``x``; a new tensor if not given.

    Example:
        >>> import torch
        >>> x = torch.arange(4.0).view(1, 1, 2, 2)
        >>> swap = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
        >>> along(x, 2, swap).flatten().tolist()
        [2.0, 3.0, 0.0, 1.0]
    """
    n, size = x.shape[0], x.shape[axis]
    y = out if out is not None else torch.empty_like(x).contiguous()
    if axis == x.ndim - 1:
        torch.matmul(x.reshape(n, -1, size), matrices.mT, out=y.view(n, -1, size))
        return y
    lines = (n, math.prod(x.shape[1:axis]), size, math.prod(x.shape[axis + 1 :]))
    torch.matmul(matrices[:, None], x.reshape(lines), out=y.view(lines))
    return y


def along_mirrored(
    x: Tensor, axis: int, matrices: Tensor, out: Tensor | None = None
) -> Tensor:
    """`along` for filters that do not know left from right, at two thirds of the cost.

    Such a matrix, which reversed in both directions is itself, maps the even part of a
    line to its even part and the odd to the odd, so two of half the size do its work.
    That pays for long lines only.

    Args:
        x: Images, (n, C, X, Y[, Z]).
        axis: Which axis of ``x``, counted from the front.
        matrices: (n, size, size), each equal to its ``flip(1, 2)``.
        out: Where to write, contiguous; ``x`` itself only if `is_folded`.

    Example:
        >>> import torch
        >>> x = torch.rand(1, 1, 3, 160)
        >>> mean = torch.full((1, 160, 160), 1 / 160)
        >>> torch.allclose(along_mirrored(x, 3, mean), along(x, 3, mean), atol=1e-6)
        True
    """
    if not is_folded(x, axis):
        return along(x, axis, matrices, out)
    n, size = x.shape[0], x.shape[axis]
    half = size // 2
    near, far = matrices[:, :half, :half], matrices[:, :half, half:].flip(2)
    even, odd = (near + far) / 2, (near - far) / 2
    before, after = math.prod(x.shape[1:axis]), math.prod(x.shape[axis + 1 :])
    y = out if out is not None else torch.empty_like(x).contiguous()
    lines, done = (part.view(n, before, size, after) for part in (x.contiguous(), y))
    rows, columns = _chunks(before, size, after)
    spare = torch.empty(4, rows, half, columns, dtype=x.dtype)
    for i in range(n):
        blocks = (torch.split(part[i], rows) for part in (lines, done))
        for pair in zip(*blocks, strict=True):
            chunks = (torch.split(block, columns, 2) for block in pair)
            for part, place in zip(*chunks, strict=True):
                _fold(part, even[i], odd[i], place, spare)
    return y


def is_folded(x: Tensor, axis: int) -> bool:
    """Whether `along_mirrored` works on even and odd parts of these lines.

    Example:
        >>> import torch
        >>> is_folded(torch.empty(1, 1, 160, 48), 2), is_folded(torch.empty(1, 48), 1)
        (True, False)
    """
    size = x.shape[axis]
    return size % 2 == 0 and size >= _LONG and x.device.type == "cpu"


def along_all(
    x: Tensor, matrices: Mapping[int, Tensor], spare: Tensor | None = None
) -> Tensor:
    """`along_mirrored` for several axes, in no more memory than it takes.

    Args:
        x: Images, (n, C, X, Y[, Z]).
        matrices: By axis of ``x``, counted from the front.
        spare: Memory that may be written over, ``x`` itself if need be.

    Returns:
        ``x`` itself if there are no matrices.

    Example:
        >>> import torch
        >>> x = torch.rand(1, 1, 4, 4)
        >>> along_all(x, {}) is x, along_all(x, {2: torch.eye(4)[None]}) is x
        (True, False)
    """
    y, free = x, None if spare is x else spare
    for axis, matrix in matrices.items():
        is_mine = y is not x or spare is x
        if is_mine and is_folded(y, axis):
            along_mirrored(y, axis, matrix, y)
        else:
            before, y = y, along_mirrored(y, axis, matrix, free)
            free = before if is_mine else None
    return y


def _chunks(before: int, size: int, after: int) -> tuple[int, int]:
    """How many lines are done at once, so that they stay in the cache."""
    columns = min(after, max(1, _CHUNK // size))
    return max(1, min(before, _CHUNK // (size * columns))), columns


def _fold(x: Tensor, even: Tensor, odd: Tensor, out: Tensor, spare: Tensor) -> None:
    """One chunk, (rows, size, columns); what is read is kept before it is written."""
    low, high = x.chunk(2, 1)
    near, far = out.chunk(2, 1)
    sums, differences, same, other = spare[:, : len(x), :, : x.shape[2]].unbind()
    mirrored = high.flip(1)
    torch.add(low, mirrored, out=sums)
    torch.sub(low, mirrored, out=differences)
    _product(even, sums, same)
    _product(odd, differences, other)
    torch.add(same, other, out=near)
    far.copy_(same.sub_(other).flip(1))


def _product(matrix: Tensor, x: Tensor, out: Tensor) -> None:
    if x.shape[2] == 1:  # lines lie in memory as they are
        torch.mm(x[..., 0], matrix.T, out=out[..., 0])
    else:
        torch.bmm(matrix.expand(len(x), -1, -1), x, out=out)
