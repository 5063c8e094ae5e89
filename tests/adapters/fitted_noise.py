"""A fitted noise without a fit: of two sites that differ in their noise alone."""

import numpy as np

from noise_models.scanner import ScannerNoise
from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.sites import summarise_site


def fitted_noise():
    """Scans of A are made as noisy as those of B; those of B stay what they are."""
    sites = []
    for label, sigma in (("A", 0.03), ("B", 0.10)):
        values = np.zeros(len(NAMES))
        values[0] = np.log(sigma)
        scan = ScanEstimate(tuple(values), (1.0,) * 3, 1.0, "air", coils=1.0)
        sites.append(summarise_site(label, [scan] * 3))
    return ScannerNoise(tuple(sites), target="B")


def change(noise, x):
    """Standard deviation of what a corruption did to an image."""
    return float((noise - x).std())
