"""The unit of intensity: what 1 means in every scan.

MR magnitudes have no unit, so every number of this project is in units of a
reference tissue. 2026-11: white matter, because it is large, homogeneous and
stable over adult life, and the noise literature quotes its levels against it;
price: in images other than T1-weighted the highest tissue mode may be another
tissue, which is consistent within a contrast but not between contrasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage, signal

from medvae.volume.foreground import block_mean

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

_WORKING_MM = 2.0
_SCALP_MM = 18.0  # skin, fat, skull and CSF together
_CRANIUM_MM = 115.0  # below the vertex; above the face and the neck
_HOMOGENEOUS_SHARE = 0.5
_BINS = 160


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
    chosen = data[foreground if region is None else region]
    median = float(np.median(chosen)) if chosen.size else 0.0
    if not median > 0:
        raise ValueError(f"foreground median is {median}, must be positive")
    return Reference(median, "foreground median")


def _inside_cranium(head: Mask, size_mm: list[float]) -> Mask:
    """The head without its outer layer, from the vertex to the skull base."""
    if not head.any():
        return head
    depth = ndimage.distance_transform_edt(np.pad(head, 1), sampling=size_mm)
    core = depth[1:-1, 1:-1, 1:-1] > _SCALP_MM
    top = int(np.flatnonzero(head.any(axis=(0, 1)))[-1])
    core[:, :, : max(0, top - round(_CRANIUM_MM / size_mm[2]))] = False
    return np.asarray(core)


def _white_matter(blocks: Array, core: Mask, size_mm: list[float]) -> float | None:
    if core.sum() < 500:
        return None
    smooth = ndimage.gaussian_filter(blocks, 1.0 / np.array(size_mm))
    slope = ndimage.gaussian_gradient_magnitude(blocks, 1.5 / np.array(size_mm))
    flat = core & (slope <= np.quantile(slope[core], _HOMOGENEOUS_SHARE))
    values = smooth[flat]
    level = _highest_mode(values)
    if level is None:
        return None
    places = (np.argwhere(flat) - np.array(core.shape) / 2) * size_mm / 100
    for _ in range(2):
        field = _bias_of_mode(values, places, level)
        mode = _highest_mode(values / field)
        if mode is None:
            return level
        level = mode
        values_in_mode = np.abs(values / field / level - 1) < 0.1
        level *= float(np.median(field[values_in_mode])) if values_in_mode.any() else 1
    return level


def _highest_mode(values: Array) -> float | None:
    """The highest intensity at which a fair share of the voxels piles up."""
    top = float(np.quantile(values, 0.995)) * 1.1
    if not top > 0:
        return None
    counts, edges = np.histogram(values, _BINS, (0, top))
    density = ndimage.gaussian_filter1d(counts.astype(float), 2.5)
    peaks, found = signal.find_peaks(
        density, height=0.2 * density.max(), prominence=0.05 * density.max()
    )
    if len(peaks) == 0:
        return None
    peak = int(peaks[-1])
    left, centre, right = np.log(density[peak - 1 : peak + 2] + 1e-9)
    shift = 0.5 * (left - right) / (left - 2 * centre + right)
    return float(edges[0] + (peak + 0.5 + shift) * (edges[1] - edges[0]))


def _bias_of_mode(values: Array, places: Array, level: float) -> Array:
    """A quadratic field through the voxels near ``level``; median 1 among them."""
    near = np.abs(np.log(np.maximum(values, 1e-6 * level) / level)) < 0.2
    x, y, z = places.T
    terms = np.stack(
        [np.ones_like(x), x, y, z, x * x, y * y, z * z, x * y, y * z, x * z]
    )
    if near.sum() < 200:
        return np.ones_like(values)
    fit, *_ = np.linalg.lstsq(terms[:, near].T, np.log(values[near]), rcond=None)
    field = np.exp(fit @ terms)
    return np.asarray(field / np.median(field[near]))
