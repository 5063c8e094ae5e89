"""Smooth random fields from cubic B-splines, one matrix product per axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def spline_basis(
    positions_mm: np.ndarray, low_mm: float, knot_mm: float, knots: int
) -> np.ndarray:
    """Values of uniform cubic B-splines.

    Args:
        positions_mm: ``(N,)`` places.
        low_mm: Centre of the first spline.
        knot_mm: Distance between centres.
        knots: How many splines.

    Returns:
        ``(N, knots)`` float32; rows sum to 1 well inside the knots.

    Example:
        >>> basis = spline_basis(np.array([5.0]), low_mm=-10, knot_mm=5, knots=8)
        >>> round(float(basis.sum()), 6)
        1.0
    """
    t = np.abs(positions_mm[:, None] - low_mm - knot_mm * np.arange(knots)) / knot_mm
    near = 2 / 3 - t**2 + t**3 / 2
    far = np.clip(2 - t, 0, None) ** 3 / 6
    return np.where(t < 1, near, far).astype(np.float32)


def smooth_field(
    axes_mm: Sequence[np.ndarray], knot_mm: float, rng: np.random.Generator
) -> np.ndarray:
    """Random field of unit standard deviation whose detail is about ``knot_mm``.

    The coefficients are drawn for a fixed box of the head, not for the grid: the
    same generator gives the same field at every resolution.

    Args:
        axes_mm: World positions of the grid planes along x, y and z.
        knot_mm: Distance between spline knots.
        rng: Source of the coefficients.

    Returns:
        Float32 array of the grid's shape.

    Example:
        >>> axes = [np.arange(-90.0, 90.0, 6.0)] * 3
        >>> field = smooth_field(axes, 20.0, np.random.default_rng(0))
        >>> bool(0.8 < field.std() < 1.2)
        True
    """
    low, high = -160.0 - knot_mm, 160.0 + knot_mm
    knots = int(np.ceil((high - low) / knot_mm)) + 1
    field = rng.standard_normal((knots, knots, knots), dtype=np.float32)
    for axis, positions in enumerate(axes_mm):
        basis = spline_basis(np.asarray(positions), low, knot_mm, knots)
        field = np.moveaxis(np.tensordot(basis, field, (1, axis)), 0, axis)
    # A cubic B-spline's squares sum to 151/315 on average over its position.
    return np.ascontiguousarray(field / np.float32((151 / 315) ** 1.5))
