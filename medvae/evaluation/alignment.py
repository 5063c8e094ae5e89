"""Laying one scan of a head over another scan of the same head.

A traveler is never placed twice in the same way. The misplacement is estimated once
from the two RAW scans and then applied alike to the output of every arm, so that no
arm can win by moving the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter
from scipy.spatial.transform import Rotation

from medvae.evaluation.estimate import FloatArray

Image = NDArray[np.floating]

MAX_SHIFT_MM = 20.0
MAX_TURN_DEGREES = 15.0
STEPS = 12

_MOST_FOUND = 4096
_found: dict[bytes, Motion] = {}
"""Motions by what they were estimated from: a process asks again for every arm."""


@dataclass(frozen=True)
class Motion:
    """A rigid motion about the middle of the grid.

    Args:
        shift_mm: Along each axis; a positive shift moves the head to higher indices.
        turn_degrees: Rotation vector: axis times angle.

    Example:
        >>> image = np.zeros((5, 5, 5)); image[2, 2, 2] = 1.0
        >>> moved = Motion(shift_mm=(2.0, 0.0, 0.0)).apply(image, (2.0, 2.0, 2.0))
        >>> np.argwhere(moved > 0.5).tolist()
        [[3, 2, 2]]
    """

    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def apply(
        self,
        image: Image,
        spacing_mm: Sequence[float] | FloatArray,
        *,
        order: Literal[1, 3] = 3,
    ) -> FloatArray:
        """The moved image on the same grid; the outside repeats the edge.

        Args:
            image: (X, Y, Z).
            spacing_mm: Of the grid.
            order: Spline order; cubic keeps detail, linear is quick.
        """
        if self == Motion():
            return np.asarray(image, dtype=np.float64)
        spacing = np.asarray(spacing_mm, dtype=np.float64)
        turn = Rotation.from_rotvec(self.turn_degrees, degrees=True).as_matrix()
        back = turn.T * spacing / spacing[:, None]
        middle = (np.array(image.shape) - 1) / 2
        offset = middle - back @ (middle + np.asarray(self.shift_mm) / spacing)
        result: FloatArray = affine_transform(
            image.astype(np.float64), back, offset, order=order, mode="nearest"
        )
        return result


def estimate_motion(
    moving: Image, fixed: Image, mask: NDArray[np.bool_], spacing_mm: Sequence[float]
) -> Motion:
    """The rigid motion that lays ``moving`` over ``fixed``.

    Phase correlation finds whole voxels; Gauss-Newton on lightly smoothed images then
    refines shift and turn together, a gain and an offset absorbing the contrast. Where
    that does not raise the correlation inside the mask, or leaves the plausible range
    (20 mm, 15 degrees), nothing is moved. What was found is remembered.

    Args:
        moving: (X, Y, Z), reference units.
        fixed: (X, Y, Z), same grid.
        mask: Voxels of ``fixed`` that count.
        spacing_mm: Of the grid.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> head = gaussian_filter(rng.random((20, 20, 20)), 2)
        >>> there = Motion((1.5, 0.0, -1.0)).apply(head, (1.0, 1.0, 1.0))
        >>> inside = np.zeros(head.shape, bool); inside[4:16, 4:16, 4:16] = True
        >>> found = estimate_motion(there, head, inside, (1.0, 1.0, 1.0))
        >>> bool(np.abs(np.add(found.shift_mm, (1.5, 0.0, -1.0))).max() < 0.1)
        True
    """
    if not moving.shape == fixed.shape == mask.shape:
        raise ValueError(
            f"one grid needed, got {moving.shape}, {fixed.shape}, {mask.shape}"
        )
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    asked = _digest(moving, fixed, mask, spacing)
    if asked not in _found:
        if len(_found) >= _MOST_FOUND:
            _found.clear()
        _found[asked] = _estimated(moving, fixed, mask, spacing)
    return _found[asked]


def _digest(*arrays: NDArray[Any]) -> bytes:
    """Stands for kinds, shapes and values."""
    found = blake2b()
    for array in arrays:
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.digest()


def _estimated(
    moving: Image, fixed: Image, mask: NDArray[np.bool_], spacing: FloatArray
) -> Motion:
    a, b = (gaussian_filter(v.astype(np.float64), 0.7) for v in (moving, fixed))
    start = Motion(_triple(_whole_voxels(a, b) * spacing))
    best, still = start, Motion()
    if _likeness(start, a, b, mask, spacing) <= _likeness(still, a, b, mask, spacing):
        best = still
    refined = _refine(best, a, b, mask, spacing)
    tried = [still, best, refined]
    return max(tried, key=lambda motion: _likeness(motion, a, b, mask, spacing))


def _triple(values: FloatArray) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z


def _whole_voxels(moving: FloatArray, fixed: FloatArray) -> FloatArray:
    """Shift of the phase correlation's peak, in voxels."""
    windows = np.ix_(*(np.hanning(n + 2)[1:-1] for n in fixed.shape))
    window = windows[0] * windows[1] * windows[2]
    a, b = (np.fft.rfftn((v - v.mean()) * window) for v in (moving, fixed))
    cross = b * a.conj()
    phase = np.fft.irfftn(
        cross / np.maximum(np.abs(cross), 1e-12), s=fixed.shape, axes=(0, 1, 2)
    )
    peak = np.array(np.unravel_index(np.argmax(phase), phase.shape))
    shape = np.array(phase.shape)
    result: FloatArray = np.where(peak > shape // 2, peak - shape, peak).astype(float)
    return result


def _likeness(
    motion: Motion,
    moving: FloatArray,
    fixed: FloatArray,
    mask: NDArray[np.bool_],
    spacing: FloatArray,
) -> float:
    """Correlation inside the mask; -2 for an implausible motion."""
    if np.linalg.norm(motion.shift_mm) > MAX_SHIFT_MM:
        return -2.0
    if np.linalg.norm(motion.turn_degrees) > MAX_TURN_DEGREES:
        return -2.0
    a, b = motion.apply(moving, spacing, order=1)[mask], fixed[mask]
    spread = a.std() * b.std()
    return float(np.mean((a - a.mean()) * (b - b.mean())) / spread) if spread else -1.0


def _refine(
    motion: Motion,
    moving: FloatArray,
    fixed: FloatArray,
    mask: NDArray[np.bool_],
    spacing: FloatArray,
) -> Motion:
    """Gauss-Newton on shift and turn; gain and offset are solved along."""
    where = np.argwhere(mask)
    place = (where - (np.array(fixed.shape) - 1) / 2) * spacing
    target, one = fixed[mask], np.ones(len(where))
    for _ in range(STEPS):
        moved = motion.apply(moving, spacing, order=1)
        slopes: Any = np.gradient(moved, *spacing)
        slope = np.stack([g[mask] for g in slopes], axis=1)
        # A point displaced by s + t x r meets the intensity that lay there before.
        turning = np.cross(place, slope)
        design = np.column_stack([moved[mask], one, -slope, -turning])
        solution = np.linalg.lstsq(design, target, rcond=None)[0]
        if abs(solution[0]) < 1e-6:
            return motion
        shift, turn = solution[2:5] / solution[0], solution[5:8] / solution[0]
        before = Rotation.from_rotvec(motion.turn_degrees, degrees=True)
        step = Rotation.from_rotvec(turn)
        motion = Motion(
            _triple(step.apply(motion.shift_mm) + shift),
            _triple((step * before).as_rotvec(degrees=True)),
        )
        if np.abs(shift).max() < 0.005 * spacing.min() and np.abs(turn).max() < 1e-4:
            break
    return motion
