"""The simulated head, as somebody lies down for it a second time."""

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation
from simulated_head import STEP, anatomy, log_shading


def moved_scan(subject, scanner, seed, degrees=(0, 0, 0), shift_mm=(0, 0, 0)):
    """A scan of a head that is turned and shifted; the shading stays with the coil."""
    label, position = anatomy(subject, STEP[0])
    rng = np.random.default_rng([seed, 11])
    level = np.array([0, 0.06, scanner.fat, scanner.csf, scanner.gm, 1.0])
    x = ndimage.gaussian_filter(level[label].astype(np.float32), 0.5)
    turn, centre = rotation(degrees), (np.array(x.shape) - 1) / 2
    offset = centre - turn.T @ (centre + np.array(shift_mm) / STEP[0])
    x = np.maximum(ndimage.affine_transform(x, turn.T, offset, order=2), 0)
    x = ndimage.gaussian_filter(x, [s / STEP[0] for s in scanner.blur_mm])
    x = x * np.exp(log_shading(scanner, position))
    noise = scanner.sigma * rng.standard_normal((2, *x.shape))
    return (scanner.gain * np.hypot(x + noise[0], noise[1])).astype(np.float32)


def rotation(degrees):
    return Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()


def true_place(points_mm, shape, degrees, shift_mm):
    """Where points (N, 3) of the head that lies still come to lie."""
    centre = (np.array(shape) - 1) / 2 * STEP[0]
    return (points_mm - centre) @ rotation(degrees).T + centre + np.array(shift_mm)


def gaussian_variance_mm2(blur_mm):
    """Variance of the blur that scipy really applies, sampled and cut as it is."""
    n = np.arange(-12, 13)
    width = blur_mm / STEP[0]
    weights = np.exp(-0.5 * (n / width) ** 2) * (np.abs(n) <= int(4 * width + 0.5))
    return (weights * n**2).sum() / weights.sum() * STEP[0] ** 2
