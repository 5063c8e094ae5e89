"""Two simulated sites and the fit between them, made once."""

import pytest
import torch
from simulated_head import Scanner, scan

from noise_models.scanner import estimate_scan, fit

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


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def images():
    """Site to scans; nobody is scanned twice."""
    return {
        "sharp": [(scan(s, SHARP), STEP) for s in range(SCANS)],
        "worse": [(scan(100 + s, WORSE), STEP) for s in range(SCANS)],
    }


@pytest.fixture(scope="session")
def fitted(images):
    return fit(images, seed=0, goodness=False)


@pytest.fixture(scope="session")
def own(images):
    """Estimate of the first scan of the sharp site."""
    return estimate_scan(*images["sharp"][0])
