"""Where the head is, where the brain is, and where there is only air."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from noise_models.scanner.blocks import block_factors, block_means

Mask = NDArray[np.bool_]

BLOCK_MM = 4.0  # the masks need no finer grid than this
BRAIN_HEIGHT_MM = 125.0  # an adult brain seldom reaches lower below the vertex
CENTRE_BELOW_VERTEX_MM = 85.0  # the middle of a brain; half the height if that is less
SKULL_MM = 16.0  # scalp and skull together, measured inwards from the air
DEEP_MM = 12.0  # inside the brain by this, what is dark is CSF and not bone
WHOLE_HEAD_LITRES = 2.1  # a stripped brain is smaller, a head's top is larger


@dataclass(frozen=True)
class Head:
    """The masks of one scan, on blocks of ``factors`` voxels.

    Attributes:
        mask: The head, or the brain of a skull-stripped scan, filled.
        brain: Inside of the skull (conservative: cortex may be missing).
        deep: The part of ``brain`` where no skull, dura or eye can be.
        factors: Voxels per block, per axis.
        spacing_mm: Block size.
        centre_voxels: Centre of the head in native voxel coordinates.
        is_stripped: The scan holds a brain without skull and scalp.

    Example:
        >>> x = np.zeros((40, 40, 40)); x[10:30, 10:30, 10:30] = 1
        >>> find_head(x, (4.0, 4.0, 4.0)).centre_voxels
        (19.5, 19.5, 19.5)
    """

    mask: Mask
    brain: Mask
    deep: Mask
    factors: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    centre_voxels: tuple[float, float, float]
    is_stripped: bool


def otsu(values: NDArray[np.floating], bins: int = 256) -> float:
    """Threshold with the largest between-class variance.

    Otsu 1979, doi:10.1109/TSMC.1979.4310076.

    Example:
        >>> 1 < otsu(np.r_[np.full(50, 1.0), np.full(50, 5.0)]) < 5
        True
    """
    counts, edges = np.histogram(values, bins=bins)
    middles = (edges[1:] + edges[:-1]) / 2
    below, total = np.cumsum(counts), counts.sum()
    mass = np.cumsum(counts * middles)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (mass[-1] * below / total - mass) ** 2 / (below * (total - below))
    best = np.nanmax(np.where(np.isfinite(between), between, np.nan))
    return float(np.mean(middles[np.isclose(between, best)]))  # centre of a plateau


def largest_component(mask: Mask) -> Mask:
    """The largest connected part of a mask.

    Example:
        >>> largest_component(np.array([True, False, True, True])).tolist()
        [False, False, True, True]
    """
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def head_mask(blocks: NDArray[np.floating]) -> Mask:
    """The head on a block-averaged scan: bright, connected, without holes.

    The threshold lies a quarter of the way from the dark to the bright side of
    Otsu's split, so that a noisy, ghosted or zero-filled background stays out
    and dark bone does not open the head.
    """
    capped = np.minimum(blocks, np.percentile(blocks, 98))
    if capped.min() == capped.max():  # nothing, or specks alone
        return np.zeros(blocks.shape, bool)
    split = otsu(capped)
    dark, bright = np.median(capped[capped <= split]), np.median(capped[capped > split])
    raw = capped > dark + 0.25 * (bright - dark)
    # Bone parts the brain from a scalp thinner than two blocks: close, then fill.
    padded = np.pad(raw, 4)  # closing must not eat into the edge of the view
    closed = ndimage.binary_closing(padded, iterations=3)[4:-4, 4:-4, 4:-4]
    filled = _filled(closed)
    body = largest_component(ndimage.binary_opening(filled))
    return body if body.any() else largest_component(filled)


def _filled(mask: Mask) -> Mask:
    """Holes filled, also those that one face of the field of view lays open.

    A sinus that the lowest plane cuts is a hole of that plane, and not the outside.
    What two faces cut at their common edge stays open.
    """
    sealed = np.pad(mask, 1)
    for axis in range(3):
        for end in (0, -1):
            face = ndimage.binary_fill_holes(mask.take(end, axis))
            place = [slice(1, -1)] * 3
            place[axis] = slice(end, end + 1 or None)
            sealed[tuple(place)] = np.expand_dims(face, axis)
    filled = ndimage.binary_fill_holes(sealed)[1:-1, 1:-1, 1:-1]
    return np.asarray(filled)


def _depth_mm(mask: Mask, spacing_mm: Sequence[float]) -> NDArray[np.floating]:
    """Distance to the outside; the edge of the field of view is not an outside."""
    padded = np.pad(mask, 1, mode="edge")
    depth = ndimage.distance_transform_edt(padded, sampling=spacing_mm)
    return np.asarray(depth[1:-1, 1:-1, 1:-1])


def _upper(mask: Mask, step_mm: float) -> Mask:
    """The part of the head that can hold brain: from the vertex downwards."""
    used = np.flatnonzero(mask.any(axis=(0, 1)))
    kept = np.zeros_like(mask)
    lowest = max(0, int(used[-1] - BRAIN_HEIGHT_MM / step_mm))
    kept[:, :, lowest:] = mask[:, :, lowest:]
    return kept


def find_head(data: NDArray[np.floating], spacing_mm: Sequence[float]) -> Head:
    """Find head and brain in a native-grid volume in RAS order.

    Args:
        data: ``(X, Y, Z)``, X to the right, Y to the front, Z up; any gain.
        spacing_mm: Voxel size per axis.

    Returns:
        The masks; ``brain`` is empty when nothing is deep enough inside.

    Raises:
        ValueError: Nothing stands out of the background.
    """
    factors = block_factors(spacing_mm, BLOCK_MM)
    size = tuple(f * float(s) for f, s in zip(factors, spacing_mm, strict=True))
    mask = head_mask(block_means(data, factors))
    if not mask.any():
        raise ValueError("the volume must show a head, got no bright connected region")
    top = _upper(mask, size[2])
    is_stripped = bool(top.sum() * np.prod(size) < WHOLE_HEAD_LITRES * 1e6)
    depth = _depth_mm(mask, size)
    bone = 3.0 if is_stripped else SKULL_MM
    brain = largest_component(top & (depth > bone))
    deep = brain & (depth > bone + DEEP_MM)
    centre = _centre_voxels(mask, top, size, factors)
    return Head(
        mask=mask,
        brain=brain,
        deep=deep,
        factors=factors,
        spacing_mm=size,
        centre_voxels=centre,
        is_stripped=is_stripped,
    )


def _centre_voxels(
    mask: Mask, top: Mask, size: Sequence[float], factors: Sequence[int]
) -> tuple[float, float, float]:
    """Middle of the cranium, and a fixed depth below the vertex.

    The neck is cut anywhere, so it must not move the centre.
    """
    spans = [np.flatnonzero(top.any(axis=tuple({0, 1, 2} - {a}))) for a in range(3)]
    middle = [float(span[0] + span[-1] + 1) / 2 for span in spans]
    height = np.flatnonzero(mask.any(axis=(0, 1)))
    vertex, reach = height[-1] + 1, (height[-1] + 1 - height[0]) * size[2]
    below = CENTRE_BELOW_VERTEX_MM if reach >= 100 else reach / 2
    middle[2] = float(vertex - below / size[2])
    x, y, z = (m * f - 0.5 for m, f in zip(middle, factors, strict=True))
    return x, y, z
