"""Resampling between two voxel grids, with a kernel whose noise gain is known.

The output is a weighted sum of input voxels. The weights are a Gaussian, where
the output is coarser than the input, followed by a cubic spline. The Gaussian's
FWHM is one output voxel less one input voxel, in quadrature, so that scans with
different voxels arrive about equally sharp and nothing above the new Nyquist
frequency folds back. Along each input axis the weights depend only on
where between two voxels a point falls, so sum w^2 is a product of three numbers:
the noise gain is computed, not simulated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

FloatArray = npt.NDArray[np.floating[Any]]
Covered = npt.NDArray[np.bool_]
Shape = tuple[int, int, int]

FWHM_PER_SIGMA = float(2 * np.sqrt(2 * np.log(2)))
# A spline's weights fall for ever. Below this they change no float32, but grow so small
# (denormal) that a product of matrices takes ten times as long.
_LEAST_WEIGHT = 1e-12
_ALIGNED_VOXELS = 0.02  # an oblique angle that moves no voxel by more is none


def resample(
    data: npt.NDArray[Any], matrix: FloatArray, shape: Shape, *, antialias: bool = True
) -> npt.NDArray[np.float32]:
    """Sample ``data`` (X, Y, Z) on another grid; beyond its field of view it is 0.

    Args:
        data: The input array.
        matrix: Output voxel to input voxel, 4x4.
        shape: Size of the output.
        antialias: Smooth first along the axes where the output is coarser.

    Example:
        >>> halves = np.diag([2.0, 2.0, 2.0, 1.0])
        >>> halves[:3, 3] = 0.5
        >>> resample(np.ones((8, 8, 8)), halves, (4, 4, 4)).round(3).min()
        np.float32(1.0)
    """
    data = np.asarray(data, dtype=np.float32)
    if _is_aligned(matrix, shape):
        return _resample_aligned(data, matrix, shape, antialias)
    sigma = _antialias_sigma(matrix) if antialias else np.zeros(3)
    for axis in range(3):
        if sigma[axis] > 0:
            data = ndimage.correlate1d(
                data, _gaussian(sigma[axis]), axis=axis, mode="nearest"
            )
    out = ndimage.affine_transform(
        data, matrix[:3, :3], matrix[:3, 3], output_shape=shape, order=3, mode="nearest"
    )
    out[~_covered(matrix, shape, data.shape)] = 0
    return np.asarray(out, dtype=np.float32)


def noise_gain(matrix: FloatArray, shape: Shape, input_shape: tuple[int, ...]) -> float:
    """Root mean square over the output of sqrt(sum w^2), inside the input.

    White noise of std s in the input has this times s in the output of
    :func:`resample` (with ``antialias``).

    Example:
        >>> noise_gain(np.eye(4), (4, 4, 4), (4, 4, 4))
        1.0
    """
    steps = [max(1, n // 24) for n in shape]
    index = np.meshgrid(
        *(np.arange(s // 2, n, s) for n, s in zip(shape, steps, strict=True)),
        indexing="ij",
    )
    voxels = np.stack([i.ravel() for i in index], axis=1)
    points = voxels @ matrix[:3, :3].T + matrix[:3, 3]
    inside = ((points > -0.5) & (points < np.array(input_shape) - 0.5)).all(axis=1)
    points = points[inside] if inside.any() else points
    sigma = _antialias_sigma(matrix)
    power = np.ones(len(points))
    for axis in range(3):
        fraction = points[:, axis] - np.floor(points[:, axis] + 1e-9)
        power *= _kernel_power(float(sigma[axis]), fraction)
    return float(np.sqrt(power.mean()).round(12))


def _resample_aligned(
    data: npt.NDArray[np.float32], matrix: FloatArray, shape: Shape, antialias: bool
) -> npt.NDArray[np.float32]:
    sigma = _antialias_sigma(matrix) if antialias else np.zeros(3)
    order = np.argsort([n / m for n, m in zip(shape, data.shape, strict=True)])
    for axis in order:  # the axis that shrinks most goes first: less work
        weights = _axis_weights(
            float(matrix[axis, axis]),
            float(matrix[axis, 3]),
            (shape[axis], data.shape[axis]),
            float(sigma[axis]),
        )
        data = np.moveaxis(np.tensordot(weights, data, (1, axis)), 0, axis)
    return np.ascontiguousarray(data, dtype=np.float32)


def _axis_weights(
    scale: float, offset: float, sizes: tuple[int, int], sigma: float
) -> npt.NDArray[np.float32]:
    """Weights (output, input) along one axis: Gaussian, then cubic spline."""
    outputs, inputs = sizes
    weights = np.eye(inputs)
    if sigma > 0:
        weights = ndimage.correlate1d(weights, _gaussian(sigma), axis=0, mode="nearest")
    weights = ndimage.affine_transform(
        weights, [scale, 1], [offset, 0], output_shape=sizes, order=3, mode="nearest"
    )
    positions = scale * np.arange(outputs) + offset
    weights[(positions < -0.5) | (positions > inputs - 0.5)] = 0
    weights[np.abs(weights) < _LEAST_WEIGHT] = 0
    return np.asarray(weights, dtype=np.float32)


def _kernel_power(sigma: float, fraction: FloatArray) -> FloatArray:
    """Sum of squared weights along one axis at a place between two voxels."""
    middle = int(np.ceil(5 * sigma)) + 16
    table = _axis_weights(1 / 64, middle, (65, 2 * middle + 2), sigma)
    power = np.square(table, dtype=float).sum(axis=1)
    return np.asarray(np.interp(fraction, np.linspace(0, 1, 65), power))


def _antialias_sigma(matrix: FloatArray) -> FloatArray:
    """Std of the Gaussian along each input axis, in input voxels."""
    coarseness = np.square(matrix[:3, :3]).sum(axis=1)
    surplus = np.maximum(coarseness - 1, 0)
    return np.where(surplus > 0.02, np.sqrt(surplus) / FWHM_PER_SIGMA, 0.0)


def _gaussian(sigma: float) -> FloatArray:
    """The discrete Gaussian exp(-t) I_n(t), t = sigma^2: exact variance at any size.

    Lindeberg 1990, doi:10.1109/34.49051; a sampled Gaussian is too narrow below
    half a voxel.
    """
    reach = np.arange(-int(np.ceil(5 * sigma)) - 2, int(np.ceil(5 * sigma)) + 3)
    kernel = special.ive(np.abs(reach), sigma**2)
    return np.asarray(kernel / kernel.sum())


def _is_aligned(matrix: FloatArray, shape: Shape) -> bool:
    tilt = matrix[:3, :3] - np.diag(np.diag(matrix[:3, :3]))
    return bool(np.abs(tilt * np.array(shape)).max() < _ALIGNED_VOXELS)


def _covered(matrix: FloatArray, shape: Shape, input_shape: Shape) -> Covered:
    """Which output voxels have their centre inside the input's field of view."""
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    inside = np.ones(shape, dtype=bool)
    for row, size in zip(matrix[:3].astype(np.float32), input_shape, strict=True):
        place = row[0] * i + row[1] * j + row[2] * k + row[3]
        inside &= (place >= -0.5) & (place <= size - 0.5)
    return inside
