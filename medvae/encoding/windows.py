"""A network trained on a small grid, moved over a large volume without seams.

Windows of the training grid's size overlap by half and are blended with weights that
fall to nearly nothing at a window's border (sin^2), so a window that starts or ends
changes nothing there. Only one window is in the network at a time: memory is that of
one window and of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import torch
from torch import Tensor

Shape = tuple[int, ...]


def encode_windows(
    encode: Callable[[Tensor], tuple[Tensor, Tensor]],
    volume: Tensor,
    window: Shape,
    stride: int,
) -> tuple[Tensor, Tensor]:
    """Mean and std of codes (C, x, y, z) of a volume larger than the training grid.

    Args:
        encode: Volumes (1, 1, *window) to mean and std (1, C, ...).
        volume: (X, Y, Z), every size a multiple of ``stride`` and at least a window's.
        window: Voxels of the training grid.
        stride: Voxels per place of the code.

    Example:
        >>> pool = torch.nn.AvgPool3d(4)
        >>> x = torch.arange(24.0)[:, None, None].expand(24, 8, 8)
        >>> mean, _ = encode_windows(lambda v: (pool(v), pool(v)), x, (8, 8, 8), 4)
        >>> mean[0, :, 0, 0].tolist()          # as if in one piece
        [1.5, 5.5, 9.5, 13.5, 17.5, 21.5]
    """
    places = tuple(n // stride for n in window)
    whole = tuple(n // stride for n in volume.shape)
    weight = _weight(places)
    sums: list[Tensor] = []
    total = torch.zeros(whole)
    for box in _boxes(whole, places):
        voxels = tuple(slice(b.start * stride, b.stop * stride) for b in box)
        parts = encode(volume[voxels][None, None])
        for i, part in enumerate(parts):
            if len(sums) <= i:
                sums.append(torch.zeros(part.shape[1], *whole))
            sums[i][(slice(None), *box)] += weight * part[0].cpu()
        total[box] += weight
    mean, std = (part / total for part in sums)
    return mean, std


def decode_windows(
    decode: Callable[[Tensor], Tensor], code: Tensor, window: Shape, stride: int
) -> Tensor:
    """The volume (X, Y, Z) of a code (C, x, y, z) larger than a training code.

    Args:
        decode: Codes (1, C, *window) to images (1, 1, ...).
        code: What :func:`encode_windows` made.
        window: Places of a training code.
        stride: Voxels per place.
    """
    size = tuple(n * stride for n in code.shape[1:])
    weight = _weight(tuple(n * stride for n in window))
    painted, total = torch.zeros(size), torch.zeros(size)
    for box in _boxes(tuple(code.shape[1:]), window):
        voxels = tuple(slice(b.start * stride, b.stop * stride) for b in box)
        part = decode(code[(slice(None), *box)][None])
        painted[voxels] += weight * part[0, 0].cpu()
        total[voxels] += weight
    return painted / total


def _boxes(size: Shape, window: Shape) -> Iterator[tuple[slice, ...]]:
    """Windows that overlap by half; the last of each axis ends where the axis does."""
    axes = []
    for n, w in zip(size, window, strict=True):
        starts = sorted({*range(0, n - w, max(w // 2, 1)), n - w})
        axes.append([slice(start, start + w) for start in starts])
    yield from product(*axes)


def _weight(window: Shape) -> Tensor:
    weight = torch.ones(window)
    for axis, n in enumerate(window):
        line = torch.sin(torch.pi * (torch.arange(n) + 0.5) / n) ** 2
        shape = [1] * len(window)
        shape[axis] = n
        weight = weight * line.reshape(shape)
    return weight
