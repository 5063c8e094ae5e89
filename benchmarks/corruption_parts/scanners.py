"""Two scanners that differ in all the fitted model knows, and heads for them."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from noise_models.scanner import ScannerNoise
from noise_models.scanner.estimate import BIAS, FIELD, NAMES
from noise_models.scanner.sites import Site


def fitted(spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> ScannerNoise:
    """From a sharp, clean scanner to a blurred and noisy one.

    Both shade, both have noise that varies over the head, and what is added is
    coloured: no shortcut of the model applies.
    """
    sharp = _site("sharp", 0.02, 0.6, spacing_mm)
    poor = _site("poor", 0.05, 1.4, spacing_mm)
    return ScannerNoise((sharp, poor), source="sharp", target="poor")


def _site(
    label: str, sigma: float, psf_mm2: float, spacing_mm: tuple[float, float, float]
) -> Site:
    rng = np.random.default_rng(len(label))
    mean = np.zeros(len(NAMES))
    mean[0], mean[1:4] = np.log(sigma), psf_mm2
    for part, size in ((BIAS, 0.15), (FIELD, 0.1)):
        drawn = rng.standard_normal(mean[part].shape)
        mean[part] = size * drawn / np.linalg.norm(drawn)
    spread = 0.01 * np.eye(len(NAMES))
    none = ((0.0, 0.0),) * len(NAMES)
    return Site(
        label,
        tuple(mean.tolist()),
        tuple(map(tuple, spread.tolist())),
        none,
        scans=10,
        subjects=10,
        spacing_mm=spacing_mm,
        evidence=(10, 0, 0),
        coils=1.0,
    )


def heads(size: int, count: int) -> Tensor:
    """Noisy spheres with folds inside and air around, (count, 1, size, size, size)."""
    rng = np.random.default_rng(0)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    made = []
    for _ in range(count):
        folds = ndimage.gaussian_filter(rng.standard_normal(radius.shape), size / 64)
        signal = (radius < 0.8) * np.where(folds > 0, 1.0, 0.7)
        noise = 0.02 * rng.standard_normal((2, *radius.shape))
        made.append(np.hypot(signal + noise[0], noise[1]).astype(np.float32))
    return torch.from_numpy(np.stack(made))[:, None]
