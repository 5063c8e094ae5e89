"""Transmit and receive fields of a head coil, smooth and different at every site."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from medvae.phantom.scanners import Scanner

_CENTRE_MM = np.array([0.0, -20.0, 10.0])


def transmit_field(
    axes_mm: Sequence[np.ndarray], field_t: float, level: float
) -> np.ndarray:
    """Actual over nominal flip angle: bright centre, dark rim, more so at 3 T.

    At 3 T about 10 % above nominal in the middle of the brain and as much below at
    the cortex, as surveys of head transmission find (Ibrahim 2001,
    doi:10.1016/S0730-725X(01)00300-9); a third of that at 1.5 T.

    Example:
        >>> b1 = transmit_field([np.array([0.0, 70.0])] * 3, 3.0, 1.0)
        >>> bool(b1[0, 0, 0] > b1[1, 1, 1])
        True
    """
    depth = 0.10 * (field_t / 3.0) ** 1.6
    reach = sum(
        _along(((axis - centre) / 75.0) ** 2, i)
        for i, (axis, centre) in enumerate(zip(axes_mm, _CENTRE_MM, strict=True))
    )
    field: np.ndarray = level + depth * (2 * np.exp(-0.7 * np.asarray(reach)) - 1)
    return field.astype(np.float32)


def receive_field(
    axes_mm: Sequence[np.ndarray], scanner: Scanner, wobble: np.ndarray
) -> np.ndarray:
    """Sensitivity of the combined coil, 1 on average over the brain.

    Each coil of a ring falls off with the distance ``d`` to its centre as
    ``1 / (1 + (d / 110 mm)^2)``; the combination is the root of the sum of their
    squares. Its logarithm is scaled so that 90 % of the brain lies within the
    site's ``non_uniformity``, and every scan adds low-order terms of its own.

    Args:
        axes_mm: Voxel centres along right, front and up.
        scanner: Gives number and place of the coils, and the strength.
        wobble: ``(6,)`` standard normal, the scan's own part.

    Returns:
        Float32 array of the grid's shape.

    Example:
        >>> from medvae.phantom.scanners import scanner
        >>> axes = [np.linspace(-60.0, 60.0, 9)] * 3
        >>> field = receive_field(axes, scanner("NYU"), np.zeros(6))
        >>> bool(0.8 < field.mean() < 1.2)
        True
    """
    brain = [
        np.linspace(c - r, c + r, 9)
        for c, r in zip((0, -17, 5), (72, 90, 72), strict=True)
    ]
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, 9)] * 3, indexing="ij")
    inside = x**2 + y**2 + z**2 <= 1
    # The site's own pattern sets the strength, so that scans of a site vary in it.
    shape = _log_pattern(brain, scanner, np.zeros(6))[inside]
    low, high = np.quantile(shape, (0.05, 0.95))
    strength = scanner.non_uniformity / (high - low)
    coarse = [np.linspace(axis[0], axis[-1], 16) for axis in axes_mm]
    log_field = strength * (_log_pattern(coarse, scanner, wobble) - shape.mean())
    for i, (axis, knots) in enumerate(zip(axes_mm, coarse, strict=True)):
        weights = _linear(axis, knots)
        log_field = np.moveaxis(np.tensordot(weights, log_field, (1, i)), 0, i)
    field: np.ndarray = np.exp(log_field, dtype=np.float32)
    return field


def _log_pattern(
    axes_mm: Sequence[np.ndarray], scanner: Scanner, wobble: np.ndarray
) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(scanner.site.encode()))
    power: np.ndarray | float = 0.0
    count = max(scanner.coils, 4)  # one channel still has several loops
    for angle in np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.uniform(0, 6):
        ring = np.array([120 * np.cos(angle), 130 * np.sin(angle), 20.0])
        place = _CENTRE_MM + ring + rng.normal(scale=15.0, size=3)
        weight = np.exp(0.35 * rng.standard_normal())
        distance = sum(
            _along((axis - p) ** 2, i)
            for i, (axis, p) in enumerate(zip(axes_mm, place, strict=True))
        )
        power = power + (weight / (1 + np.asarray(distance) / 110.0**2)) ** 2
    u, v, w = (
        _along((axis - c) / 90.0, i)
        for i, (axis, c) in enumerate(zip(axes_mm, _CENTRE_MM, strict=True))
    )
    own = (u, v, w, u * u - w * w, v * v - w * w, u * v)
    log_pattern: np.ndarray = 0.5 * np.log(power)
    for amount, term in zip(wobble, own, strict=True):
        log_pattern = log_pattern + 0.03 * amount * term
    return log_pattern


def _along(values: np.ndarray, axis: int) -> np.ndarray:
    others = tuple(other for other in range(3) if other != axis)
    return np.expand_dims(np.asarray(values, dtype=np.float32), others)


def _linear(positions: np.ndarray, knots: np.ndarray) -> np.ndarray:
    step = knots[1] - knots[0]
    tent = 1 - np.abs(positions[:, None] - knots[None]) / step
    weights: np.ndarray = np.clip(tent, 0, 1)
    return weights.astype(np.float32)
