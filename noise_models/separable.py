"""Linear corruptions that act on one axis at a time, as small dense matrices.

Decision (2026-11): blur, truncation and thick slices are all matrices along an axis.
At 128 to 256 voxels a matrix product costs the same as a Fourier transform of that
axis, takes any size and any boundary, and differs per volume for nothing. The price
is that cost per voxel grows with the size of the axis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

_LONG = 128  # voxels; shorter lines are as fast in one piece
_CHUNK = 2**19  # values that are folded at once


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
        out: As in `along`.

    Example:
        >>> import torch
        >>> x = torch.rand(1, 1, 3, 160)
        >>> mean = torch.full((1, 160, 160), 1 / 160)
        >>> torch.allclose(along_mirrored(x, 3, mean), along(x, 3, mean), atol=1e-6)
        True
    """
    n, size = x.shape[0], x.shape[axis]
    if size % 2 or size < _LONG or x.device.type != "cpu":
        return along(x, axis, matrices, out)
    half = size // 2
    near, far = matrices[:, :half, :half], matrices[:, :half, half:].flip(2)
    even, odd = (near + far) / 2, (near - far) / 2
    before, after = math.prod(x.shape[1:axis]), math.prod(x.shape[axis + 1 :])
    lines = x.reshape(n, before, size, after)
    y = out if out is not None else torch.empty_like(x).contiguous()
    after_lines = y.view(lines.shape)
    rows, columns = _chunks(before, size, after)
    for i in range(n):
        for start in range(0, before, rows):
            for left in range(0, after, columns):
                place = (i, slice(start, start + rows), slice(None))
                part = (*place, slice(left, left + columns))
                _fold(lines[part], even[i], odd[i], after_lines[part])
    return y


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
    is_mine = spare is x
    y, free = x, None if is_mine else spare
    for axis, matrix in matrices.items():
        before, y = y, along_mirrored(y, axis, matrix, free)
        free = before if is_mine or before is not x else None
    return y


def _chunks(before: int, size: int, after: int) -> tuple[int, int]:
    """How many lines are done at once, so that they stay in the cache."""
    columns = min(after, max(1, _CHUNK // size))
    return max(1, min(before, _CHUNK // (size * columns))), columns


def _fold(x: Tensor, even: Tensor, odd: Tensor, out: Tensor) -> None:
    """One chunk, (rows, size, columns)."""
    half = len(even)
    low, high = x[:, :half], x[:, half:].flip(1)
    if x.shape[2] == 1:  # lines lie in memory as they are
        same = ((low + high)[..., 0] @ even.T)[..., None]
        other = ((low - high)[..., 0] @ odd.T)[..., None]
    else:
        same, other = even @ (low + high), odd @ (low - high)
    torch.add(same, other, out=out[:, :half])
    out[:, half:] = same.sub_(other).flip(1)
