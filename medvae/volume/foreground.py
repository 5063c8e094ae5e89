"""Which voxels are head and which are air."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medvae.volume.resampling import resample

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

_WORKING_MM = 3.0
_BINS = 256
_PIECE_SHARE = 0.05


def foreground_mask(data: Array, spacing_mm: tuple[float, float, float]) -> Mask:
    """Find the head: the large bright pieces, holes filled.

    Works on blocks of up to 3 mm, where averaging has put air noise far below
    tissue. The threshold lies five robust standard deviations above the air, but
    never above Otsu's (doi:10.1109/TSMC.1979.4310076) nor below a tenth of
    the tissue, so it survives noise, a background set to zero, and bias.

    Args:
        data: Intensities (X, Y, Z).
        spacing_mm: Voxel size.

    Returns:
        True in the head; all False where nothing stands out.

    Example:
        >>> ball = np.linalg.norm(np.indices((30, 30, 30)) - 15, axis=0) < 10
        >>> found = foreground_mask(ball * 100.0, (2.0, 2.0, 2.0))
        >>> bool((found == ball).mean() > 0.97)
        True
    """
    blocks, factors = block_mean(data, spacing_mm, _WORKING_MM)
    mask = _head_pieces(blocks > _threshold(blocks))
    if factors == (1, 1, 1):
        return mask
    to_blocks = np.diag([*(1 / np.array(factors)), 1.0])
    to_blocks[:3, 3] = (1 / np.array(factors) - 1) / 2
    shape = (data.shape[0], data.shape[1], data.shape[2])
    fine = resample(mask.astype(np.float32), to_blocks, shape, antialias=False)
    return np.asarray(fine > 0.5)


def block_mean(
    data: Array, spacing_mm: tuple[float, float, float], target_mm: float
) -> tuple[npt.NDArray[np.float32], tuple[int, int, int]]:
    """Average over whole blocks of voxels of at most ``target_mm``.

    Returns:
        The averages, and the voxels in a block along each axis, at most all. A last
        block that the array does not fill is completed with its edge voxels.
    """
    out = np.asarray(data, dtype=np.float32)
    whole = [int(target_mm / size + 0.05) for size in spacing_mm]
    factors = [max(1, min(f, n)) for f, n in zip(whole, data.shape, strict=True)]
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        missing = -out.shape[axis] % factor
        if missing:
            pad = [(0, missing if a == axis else 0) for a in range(3)]
            out = np.pad(out, pad, mode="edge")
        blocks = (*out.shape[:axis], -1, factor, *out.shape[axis + 1 :])
        out = out.reshape(blocks).mean(axis=axis + 1)
    return out, (factors[0], factors[1], factors[2])


def otsu_threshold(values: Array) -> float:
    """Level that splits values into two classes of least variance within."""
    top = float(np.quantile(values, 0.995))
    low = float(values.min())
    if not top > low:
        return low
    counts, edges = np.histogram(np.clip(values, low, top), _BINS, (low, top))
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = sums / below - (sums[-1] - sums) / above
        between = below.astype(float) * above * apart**2
    return float(edges[1 + int(np.argmax(np.nan_to_num(between, nan=-1.0)))])


def _threshold(blocks: Array) -> float:
    otsu = otsu_threshold(blocks)
    tissue = blocks[blocks > otsu]
    air = blocks[blocks <= otsu]
    if tissue.size == 0 or air.size == 0:
        return otsu
    level = float(np.median(air))
    quiet = air[air <= level]  # the lower half holds no dark tissue
    spread = 1.4826 * float(np.median(level - quiet)) if quiet.size else 0.0
    floor = level + 0.1 * (float(np.median(tissue)) - level)
    return min(max(level + 5 * spread, floor), otsu)


def _head_pieces(mask: Mask) -> Mask:
    """The largest piece and whatever is a fair share of it, closed and filled.

    A dark, closed skull parts brain from scalp, so the second piece may be a head's.
    """
    opened = ndimage.binary_opening(mask) if min(mask.shape) > 3 else mask
    labels, count = ndimage.label(opened)
    if count == 0:
        return np.zeros_like(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept = np.flatnonzero(sizes >= _PIECE_SHARE * sizes.max())
    pieces = ndimage.binary_dilation(np.isin(labels, kept)) & mask
    closed = ndimage.binary_closing(np.pad(pieces, 3), iterations=2)[3:-3, 3:-3, 3:-3]
    return fill_holes(fill_holes(closed | pieces), in_slices=True)  # sinuses


def fill_holes(mask: Mask, *, in_slices: bool = False) -> Mask:
    """The mask and what it shuts off from the border of the array, or of each slice.

    The same as scipy's ``binary_fill_holes``, which dilates the outside step by step
    until nothing changes; here its pieces are labelled, once.

    Args:
        mask: (X, Y, Z).
        in_slices: Fill each slice along the last axis by itself.

    Example:
        >>> ring = np.ones((3, 3, 1), bool); ring[1, 1] = False
        >>> bool(fill_holes(ring, in_slices=True).all())
        True
        >>> bool(fill_holes(ring).all())
        False
    """
    touching = ndimage.generate_binary_structure(3, 1)
    rim = ((1, 1), (1, 1), (1, 1))
    if in_slices:
        touching[:, :, [0, 2]] = False
        rim = ((1, 1), (1, 1), (0, 0))
    pieces, _ = ndimage.label(np.pad(~mask, rim, constant_values=True), touching)
    filled = pieces != pieces[:1, :1]
    return np.asarray(filled[1:-1, 1:-1] if in_slices else filled[1:-1, 1:-1, 1:-1])
