"""The unit of intensity: what 1 means in every scan.

MR magnitudes have no unit, so every number of this project is in units of a
reference tissue. 2026-11: white matter, because it is large, homogeneous and
stable over adult life, and the noise literature quotes its levels against it;
price: in images other than T1-weighted the highest tissue mode may be another
tissue, which is consistent within a contrast but not between contrasts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medvae.volume.foreground import block_mean
from medvae.volume.tissue_mode import FEWEST_VOXELS, tissue_mode

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

_WORKING_MM = 2.0
_SCALP_MM = 18.0  # skin, fat, skull and CSF together
_CRANIUM_MM = 115.0  # below the vertex; above the face and the neck
_HOMOGENEOUS_SHARE = 0.5


FAINTEST, BRIGHTEST = 1e-15, 1e15
"""Largest voxel of a scan that is worked with: its square fits into float32."""


def extreme_scale(data: Array) -> str | None:
    """Words for intensities whose squares float32 cannot hold; None for ordinary ones.

    Example:
        >>> extreme_scale(np.array([0.0, 1e-40]))
        'intensities up to 1e-40, outside 1e-15 to 1e+15'
        >>> extreme_scale(np.array([0.0, 1e12])) is None
        True
    """
    top = float(max(data.max(), -data.min()))
    if top == 0 or FAINTEST <= top <= BRIGHTEST:
        return None
    return f"intensities up to {top:.3g}, outside {FAINTEST:g} to {BRIGHTEST:g}"


@dataclass(frozen=True)
class Reference:
    """A scan's intensity unit and where it was read from."""

    level: float
    kind: Literal["white matter", "foreground median"]


def reference_level(
    data: Array,
    foreground: Mask,
    spacing_mm: tuple[float, float, float],
    region: Mask | None = None,
) -> Reference:
    """White-matter mode of a scan, or the foreground median where there is none.

    Scalp fat is brighter than white matter, so only the inside of the cranium is
    looked at. Voxels in the flatter half of it are kept, where partial volume does
    not smear the modes, a quadratic log-bias is divided out, and the highest mode
    that holds a fair share of the voxels is white matter.

    Args:
        data: Intensities (X, Y, Z), RAS+.
        foreground: The head, same grid.
        spacing_mm: Voxel size.
        region: Where tissue may be looked for, such as a brain mask.

    Raises:
        ValueError: The foreground is empty or not positive.
    """
    chosen = data[foreground if region is None else region]
    median = float(np.median(chosen)) if chosen.size else 0.0
    if not median > 0:
        raise ValueError(f"foreground median is {median}, must be positive")
    blocks, _ = block_mean(data, spacing_mm, _WORKING_MM)
    inside, factors = block_mean(foreground, spacing_mm, _WORKING_MM)
    size = (np.array(spacing_mm) * factors).tolist()
    core = _inside_cranium(inside > 0.5, size)
    if region is not None:
        core &= ndimage.binary_erosion(
            block_mean(region, spacing_mm, _WORKING_MM)[0] > 0.5
        )
    level = _white_matter(blocks, core, size)
    if level is not None:
        return Reference(level, "white matter")
    return Reference(median, "foreground median")


def _inside_cranium(head: Mask, size_mm: list[float]) -> Mask:
    """The head without its outer layer, from the vertex to the skull base."""
    core = np.zeros_like(head)
    if not head.any():
        return core
    top = int(np.flatnonzero(head.any(axis=(0, 1)))[-1])
    base = max(0, top - round(_CRANIUM_MM / size_mm[2]))
    below = max(0, base - math.ceil(_SCALP_MM / size_mm[2]))  # air there counts, too
    (box,) = ndimage.find_objects(head[:, :, below:].astype(np.uint8))
    around = [(1, 1), (1, 1), (int(below == 0 or box[2].start > 0), 1)]
    near = np.pad(head[:, :, below:][box], around)
    depth = ndimage.distance_transform_edt(near, sampling=size_mm)
    within = tuple(slice(a, -b) for a, b in around)
    core[:, :, below:][box] = depth[within] > _SCALP_MM
    core[:, :, :base] = False
    return core


def _white_matter(blocks: Array, core: Mask, size_mm: list[float]) -> float | None:
    if core.sum() < 2 * FEWEST_VOXELS:
        return None
    smooth = ndimage.gaussian_filter(blocks, 1.0 / np.array(size_mm))
    slope = ndimage.gaussian_gradient_magnitude(blocks, 1.5 / np.array(size_mm))
    flat = core & (slope <= np.quantile(slope[core], _HOMOGENEOUS_SHARE))
    places = (np.argwhere(flat) - np.array(core.shape) / 2) * size_mm / 100
    faintest = 1e-9 * float(blocks.max())  # a logarithm is taken
    return tissue_mode(np.maximum(smooth[flat], faintest), places)
