"""A head and a scanner written for these tests only, in plain numpy.

It shares nothing with the fitted model: ellipsoids and folded sheets for anatomy,
a spatial Gaussian filter for the PSF, a quadratic polynomial for the shading.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

SHAPE_MM = (184, 220, 200)


@dataclass(frozen=True)
class Scanner:
    sigma: float = 0.03
    blur_mm: tuple = (0.0, 0.0, 0.0)  # SD
    gm: float = 0.7
    csf: float = 0.3
    fat: float = 1.6
    shading: tuple = (0.0, 0.0, 0.0)  # log per 100 mm along x, y, z
    bowl: float = 0.0  # log at 100 mm from the centre
    gain: float = 400.0


STEP = (2.0, 2.0, 2.0)
SHARP = Scanner()
WORSE = Scanner(
    sigma=0.06,
    blur_mm=(0.8, 0.8, 1.6),
    gm=0.8,
    csf=0.4,
    fat=1.5,
    shading=(0.2, -0.1, 0.2),
    bowl=-0.2,
    gain=900.0,
)
SCANS = 7


def anatomy(seed, step=2.0):
    """Labels 0 air, 1 skull, 2 fat, 3 csf, 4 gm, 5 wm on (X, Y, Z), and positions."""
    rng = np.random.default_rng(seed)
    axes = [
        (np.arange(int(n / step)) - (int(n / step) - 1) / 2) * step for n in SHAPE_MM
    ]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    size = 1 + 0.03 * rng.standard_normal(3)

    def ball(a, b, c, up=0.0):
        r = (x / (a * size[0])) ** 2 + (y / (b * size[1])) ** 2
        return np.sqrt(r + ((z - up) / (c * size[2])) ** 2)

    field = rng.standard_normal([len(a) for a in axes])
    folds = ndimage.gaussian_filter(field, 5.0 / step)
    folds /= folds.std()
    fine = ndimage.gaussian_filter(rng.standard_normal(field.shape), 2.2 / step)
    fine /= fine.std()
    wiggle = 0.045 * folds + 0.03 * fine
    label = np.zeros(field.shape, np.int8)
    head = ball(78, 96, 90)
    neck = (np.abs(x) < 50) & (np.abs(y) < 55) & (z < -40) & (z > -95)
    label[(head < 1) | neck] = 2
    label[(ball(72, 90, 82, 3) < 1)] = 1
    brain = ball(66, 84, 64, 14)
    label[brain < 1] = 3
    label[brain + wiggle < 0.95] = 4
    label[brain + 2.2 * wiggle < 0.82] = 5
    label[(np.abs(folds) < 0.12) & (brain < 0.9) & (brain > 0.55)] = 4
    label[ball(16, 30, 14, 12) + wiggle < 1] = 3
    deep = np.sqrt(
        ((np.abs(x) - 26) / 9) ** 2 + ((y - 6) / 20) ** 2 + ((z - 12) / 14) ** 2
    )
    label[(deep + wiggle < 1) & (label != 3)] = 4
    return label, (x, y, z)


def log_shading(scanner, position):
    x, y, z = (p / 100 for p in position)
    a, b, c = scanner.shading
    return a * x + b * y + c * z + scanner.bowl * (x**2 + y**2 + z**2)


def scan(seed, scanner, step=2.0, subject=None):
    """One magnitude image in arbitrary units; ``subject`` picks the anatomy."""
    label, position = anatomy(seed if subject is None else subject, step)
    rng = np.random.default_rng([seed, 7])
    level = np.array(
        [0, 0.06, scanner.fat, scanner.csf, scanner.gm, 1.0], dtype=np.float32
    )
    x = ndimage.gaussian_filter(level[label], 0.35)
    x = ndimage.gaussian_filter(x, [s / step for s in scanner.blur_mm])
    x = x * np.exp(log_shading(scanner, position))
    noise = scanner.sigma * rng.standard_normal((2, *x.shape))
    return (scanner.gain * np.hypot(x + noise[0], noise[1])).astype(np.float32)
