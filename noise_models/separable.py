"""Linear corruptions that act on one axis at a time, as small dense matrices.

Decision (2026-11): blur, truncation and thick slices are all matrices along an axis.
At 128 to 256 voxels a matrix product costs the same as a Fourier transform of that
axis, takes any size and any boundary, and differs per volume for nothing. The price
is that cost per voxel grows with the size of the axis.
"""

from __future__ import annotations

import math

from torch import Tensor


def along(x: Tensor, axis: int, matrices: Tensor) -> Tensor:
    """Multiply every line of ``x`` along ``axis`` by the matrix of its volume.

    Args:
        x: Images, (n, C, X, Y[, Z]).
        axis: Which axis of ``x``, counted from the front.
        matrices: (n, size, size), with ``size`` that of the axis.

    Returns:
        New tensor shaped like ``x``.

    Example:
        >>> import torch
        >>> x = torch.arange(4.0).view(1, 1, 2, 2)
        >>> swap = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
        >>> along(x, 2, swap).flatten().tolist()
        [2.0, 3.0, 0.0, 1.0]
    """
    n, size = x.shape[0], x.shape[axis]
    if axis == x.ndim - 1:
        return (x.reshape(n, -1, size) @ matrices.mT).view(x.shape)
    lines = x.reshape(n, math.prod(x.shape[1:axis]), size, -1)
    return (matrices[:, None] @ lines).view(x.shape)
