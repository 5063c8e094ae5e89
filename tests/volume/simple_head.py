"""Heads to find, place and measure: simple enough that the truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import nibabel as nib
import numpy as np


@dataclass(frozen=True)
class Head:
    """Nested ellipsoids: scalp, skull, CSF, cortex, white matter; and a neck."""

    image: np.ndarray
    affine: np.ndarray
    inside: np.ndarray
    white_level: float

    def nifti(self) -> nib.Nifti1Image:
        return nib.Nifti1Image(self.image.astype(np.float32), self.affine)


@cache
def make_head(
    *,
    spacing_mm=2.0,
    shape=(104, 120, 120),
    centre_mm=(0.0, 0.0, 15.0),
    gm=0.7,
    csf=0.3,
    fat=1.8,
    bias=0.0,
    noise=0.02,
    neck_mm=90.0,
    level=437.0,
    zeroed=False,
    seed=0,
):
    rng = np.random.default_rng(seed)
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = -(np.array(shape) - 1) / 2 * spacing_mm
    world = np.indices(shape) * spacing_mm + affine[:3, 3, None, None, None]
    x, y, z = world - np.array(centre_mm)[:, None, None, None]

    def shell(outer_mm):
        a, b, c = np.array([75.0, 95.0, 85.0]) - outer_mm
        return (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 < 1

    folds = np.sin(x / 6) * np.sin(y / 6) * np.sin(z / 6)
    radius = (x / 53) ** 2 + (y / 73) ** 2 + (z / 63) ** 2
    image = np.zeros(shape)
    neck = (x**2 + (y + 10) ** 2 < 50**2) & (z < -40) & (z > -85 - neck_mm)
    head = shell(0) | neck
    image[neck] = 0.6
    image[shell(0)] = fat
    image[shell(7)] = 0.05
    image[shell(14)] = csf
    image[shell(17)] = gm
    white = shell(20) & (radius + 0.4 * folds < 0.8)
    image[white] = 1.0
    image[shell(17) & ((x / 20) ** 2 + (y / 30) ** 2 + (z / 12) ** 2 < 1)] = csf
    field = np.exp(bias * (0.8 * x / 70 - 0.9 * (y / 90) ** 2 + 0.7 * z / 80))
    white = white & (image == 1.0)
    image = image * field / np.median(field[white])
    parts = rng.normal(0, noise, (2, *shape))
    image = np.hypot(image + parts[0], parts[1])
    if zeroed:
        image[~head] = 0
    return Head(image * level, affine, head, level)
