"""How well one image repeats another, inside a mask.

All functions take the mask and a fixed intensity scale from the caller: two arms
judged with their own masks or their own peaks cannot be compared. Images are in
reference units (white matter or foreground reference = 1), any number of axes.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from monai.metrics.regression import compute_ssim_and_cs
from numpy.typing import NDArray

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]


def _inside(image: Image, target: Image, mask: Mask) -> tuple[Image, Image]:
    if not image.shape == target.shape == mask.shape:
        raise ValueError(
            "image, target and mask must have one shape, got "
            f"{image.shape}, {target.shape}, {mask.shape}"
        )
    if not mask.any():
        raise ValueError("the mask is empty: there is nothing to compare in it")
    where = mask.astype(bool)
    return image[where].astype(np.float64), target[where].astype(np.float64)


def mean_squared_error(image: Image, target: Image, mask: Mask) -> float:
    """Mean squared difference inside the mask, in reference units squared."""
    a, b = _inside(image, target, mask)
    return float(np.mean((a - b) ** 2))


def psnr(image: Image, target: Image, mask: Mask, *, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio in decibels, 10 log10(peak^2 / MSE).

    Args:
        image: What is judged.
        target: The truth, same shape.
        mask: Voxels that count.
        peak: Fixed for all scans and arms; 1 is the reference tissue, so the
            numbers read lower than with a peak taken from each image's maximum.

    Returns:
        Decibels; capped at 100 for identical images.

    Example:
        >>> truth = np.ones((4, 4, 4))
        >>> round(psnr(truth + 0.1, truth, truth > 0), 6)
        20.0
    """
    mse = mean_squared_error(image, target, mask)
    return min(100.0, 10 * math.log10(peak**2 / mse)) if mse > 0 else 100.0


def z_scored_error(image: Image, target: Image, mask: Mask) -> float:
    """Mean squared error in units of the target's variance inside the mask.

    Equal to the squared error after both images were z-scored with the target's
    mean and standard deviation. 0 is perfect, 1 is predicting the target's mean.

    Example:
        >>> truth = np.array([0.0, 1.0, 2.0])
        >>> z_scored_error(np.full(3, truth.mean()), truth, truth >= 0)
        1.0
    """
    variance = float(np.var(_inside(image, target, mask)[1]))
    if variance == 0:
        raise ValueError("the target is constant inside the mask: no variance to use")
    return mean_squared_error(image, target, mask) / variance


def ssim(
    image: Image,
    target: Image,
    mask: Mask,
    *,
    data_range: float = 1.0,
    window: int = 7,
) -> float:
    """Structural similarity (Wang 2004, doi:10.1109/TIP.2003.819861), by MONAI.

    The map of local similarities (Gaussian window, standard deviation 1.5 voxels) is
    averaged over masked voxels whose whole window lies in the image.

    Args:
        image: What is judged, 2-D or 3-D.
        target: The truth, same shape.
        mask: Voxels that count.
        data_range: Fixed for all scans and arms.
        window: Edge of the window in voxels, odd.

    Example:
        >>> truth = np.random.default_rng(0).random((12, 12, 12))
        >>> round(ssim(truth, truth, truth > -1), 6)
        1.0
    """
    _inside(image, target, mask)
    if min(image.shape) < window:
        raise ValueError(f"SSIM needs {window} voxels an axis, got {image.shape}")
    half = window // 2
    inner = mask[tuple(slice(half, n - half) for n in mask.shape)]
    if not inner.any():
        raise ValueError("no masked voxel has a whole SSIM window inside the image")
    around = [_span(inner, axis) for axis in range(inner.ndim)]
    box = tuple(slice(low, high + window - 1) for low, high in around)
    local, _ = compute_ssim_and_cs(
        *(torch.as_tensor(v[box].copy()).double()[None, None] for v in (image, target)),
        spatial_dims=image.ndim,
        kernel_size=[window] * image.ndim,
        kernel_sigma=[1.5] * image.ndim,
        data_range=data_range,
    )
    kept = inner[tuple(slice(low, high) for low, high in around)]
    return float(local[0, 0].numpy()[kept].mean())


def _span(mask: Mask, axis: int) -> tuple[int, int]:
    """First and last-plus-one index of the mask on an axis."""
    other = tuple(k for k in range(mask.ndim) if k != axis)
    hit = np.flatnonzero(mask.any(axis=other))
    return int(hit[0]), int(hit[-1]) + 1


def bits_per_voxel(
    image: Image, target: Image, likelihood: str, scale: float, kl_nats: float
) -> float:
    """Bits per voxel of the evidence lower bound, as the decoder's likelihood has it.

    (-log p(x|z) + KL(q(z|x) || p(z))) / (N ln 2) over the N voxels of the grid, with
    the log of the scale kept. A bound: the true code length is shorter. It is a
    density in reference units, so it may be negative, and it compares arms only on
    the same grid and the same targets.

    Args:
        image: What the decoder paints of one posterior sample.
        target: The scan.
        likelihood: gaussian or laplace.
        scale: Its width, in reference units: standard deviation, or b.
        kl_nats: KL of the posterior to the prior, in nats.

    Example:
        >>> x = np.zeros((4, 4))
        >>> round(bits_per_voxel(x, x, "gaussian", 1.0, 0.0), 4)   # log2 sqrt(2 pi)
        1.3257
        >>> bits_per_voxel(x, x, "laplace", 1.0, 0.0)   # log2 2
        1.0
    """
    if scale <= 0:
        raise ValueError(f"the decoder's scale must be > 0, got {scale}")
    error = image.astype(np.float64) - target.astype(np.float64)
    if likelihood == "gaussian":
        misfit = np.mean(error**2) / (2 * scale**2)
        nats = 0.5 * math.log(2 * math.pi * scale**2) + misfit
    elif likelihood == "laplace":
        nats = math.log(2 * scale) + np.mean(np.abs(error)) / scale
    else:
        raise ValueError(f"no likelihood {likelihood!r}; known: gaussian, laplace.")
    return float((nats + kl_nats / target.size) / math.log(2))
