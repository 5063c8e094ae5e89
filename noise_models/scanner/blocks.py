"""Block sums: the one full-size pass that every estimator shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def block_factors(spacing_mm: Sequence[float], size_mm: float) -> tuple[int, ...]:
    """How many voxels per axis make a block of about ``size_mm``.

    Example:
        >>> block_factors((1.0, 1.0, 3.0), 4.0)
        (4, 4, 1)
    """
    return tuple(max(1, round(size_mm / step)) for step in spacing_mm)


def block_sums(data: Array, factors: Sequence[int]) -> NDArray[np.float32]:
    """Sum of every whole block of ``factors`` voxels; an incomplete rim is left out.

    Args:
        data: Volume, ``(X, Y, Z)``.
        factors: Block size in voxels per axis.

    Returns:
        ``(X // fx, Y // fy, Z // fz)``, float32.

    Example:
        >>> block_sums(np.ones((5, 4, 4)), (2, 2, 2)).tolist()
        [[[8.0, 8.0], [8.0, 8.0]], [[8.0, 8.0], [8.0, 8.0]]]
    """
    sums = np.asarray(data, dtype=np.float32)
    for axis, factor in enumerate(factors):
        kept = sums.shape[axis] // factor * factor
        whole = np.moveaxis(sums, axis, 0)[:kept]
        parts = whole.reshape(kept // factor, factor, *whole.shape[1:])
        sums = np.moveaxis(parts.sum(axis=1), 0, axis)
    return sums


def block_means(data: Array, factors: Sequence[int]) -> NDArray[np.float32]:
    """Mean of every whole block (see `block_sums`).

    Example:
        >>> float(block_means(np.arange(8.0).reshape(2, 2, 2), (2, 2, 2)).item())
        3.5
    """
    return block_sums(data, factors) / np.float32(np.prod(factors))


def spread(
    coarse: NDArray[np.bool_], shape: Sequence[int], factors: Sequence[float]
) -> NDArray[np.bool_]:
    """A mask on blocks, repeated onto another grid over the same volume.

    Args:
        coarse: Mask on blocks.
        shape: The finer grid; its rim beyond the last whole block takes the
            value of the last block.
        factors: Voxels of the finer grid per block, per axis; need not be whole.

    Example:
        >>> mask = np.array([True, False])[:, None, None]
        >>> spread(mask, (5, 1, 1), (2.5, 1, 1))[:, 0, 0].tolist()
        [True, True, False, False, False]
    """
    picked = coarse
    for axis, (size, factor) in enumerate(zip(shape, factors, strict=True)):
        index = ((np.arange(size) + 0.5) / factor).astype(int)
        picked = np.take(picked, np.minimum(index, coarse.shape[axis] - 1), axis=axis)
    return picked
