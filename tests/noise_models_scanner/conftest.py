"""Two simulated sites and the fit between them, made once."""

import pytest
import torch
from simulated_head import SCANS, SHARP, STEP, WORSE, scan

from noise_models.scanner import estimate_scan, fit


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
