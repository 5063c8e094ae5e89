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
_MODE_WIDTH = 0.1
_FITTED_VOXELS = 6000


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
    values = np.maximum(smooth[flat], 1e-6)
    places = (np.argwhere(flat) - np.array(core.shape) / 2) * size_mm / 100
    field = _smooth_field(np.log(values), places)
    level = _highest_mode(values / field)
    if level is None:
        return None
    at_mode = np.abs(values / field / level - 1) < _MODE_WIDTH
    return level * float(np.median(field[at_mode]))


def _highest_mode(values: Array) -> float | None:
    """The highest intensity at which a fair share of the voxels piles up."""
    top = float(np.quantile(values, 0.995)) * 1.1
    if not top > 0:
        return None
    counts, edges = np.histogram(values, _BINS, (0, top))
    density = ndimage.gaussian_filter1d(counts.astype(float), 2.5)
    peaks, _ = signal.find_peaks(
        density, height=0.2 * density.max(), prominence=0.05 * density.max()
    )
    if len(peaks) == 0:
        return None
    peak = int(peaks[-1])
    left, centre, right = np.log(density[peak - 1 : peak + 2] + 1e-9)
    shift = 0.5 * (left - right) / (left - 2 * centre + right)
    return float(edges[0] + (peak + 0.5 + shift) * (edges[1] - edges[0]))


def _smooth_field(logs: Array, places: Array, rounds: int = 8) -> Array:
    """The bias over some voxels: log-quadratic in place, on top of three tissues.

    Tissues and field are found in turn, from no field and from a fit to all voxels:
    a strong bias would trap the first start, dark ventricles amid white matter the
    second. The one that leaves less unexplained is taken. Median 1.
    """
    x, y, z = places.T
    squares = [x * x, y * y, z * z, x * y, y * z, x * z]
    terms = np.stack([np.ones_like(x), x, y, z, *squares], axis=1)
    some = slice(None, None, max(1, len(logs) // _FITTED_VOXELS))
    best = min(
        (_fitted(logs[some], terms[some], start, rounds) for start in (False, True)),
        key=lambda fit: fit[0],
    )
    field = terms @ best[1]
    return np.asarray(np.exp(field - np.median(field)))


def _fitted(
    logs: Array, terms: Array, from_fit: bool, rounds: int
) -> tuple[float, Array]:
    """Mean error and coefficients of the field, after some rounds from one start."""
    inverse = np.linalg.pinv(terms)
    weights = np.zeros(terms.shape[1])
    if from_fit:
        weights = inverse @ np.clip(logs - np.median(logs), -0.7, 0.7)
    error = np.zeros_like(logs)
    for _ in range(rounds):
        flat = logs - terms @ weights
        tissues = _three_means(flat)
        error = flat - tissues[np.abs(flat[:, None] - tissues).argmin(axis=1)]
        weights = weights + inverse @ np.clip(error, -0.2, 0.2)
    return float(np.abs(error).mean()), weights


def _three_means(values: Array, rounds: int = 8) -> Array:
    means = np.quantile(values, [0.05, 0.4, 0.8])
    for _ in range(rounds):
        edges = (means[1:] + means[:-1]) / 2
        parts = np.digitize(values, edges)
        counts = np.bincount(parts, minlength=3)
        sums = np.bincount(parts, values, minlength=3)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), means)
    return np.asarray(means)
