"""Filters that scanners lay on raw data can be imitated: a Gaussian, and the fall."""

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from noise_models.scanner.spectrum import spectra

EDGE = np.arange(64) / 64  # share of the way to the edge of k-space


def hann(share):
    """Raised cosine over the last ``share`` of the way to the edge."""
    phase = np.clip((EDGE - 1 + share) / share, 0, 1)
    return (1 + np.cos(np.pi * phase)) / 2


def fermi(half, width):
    return 1 / (1 + np.exp((EDGE - half) / width))


def imitated(settings):
    variance, fall = settings
    one = torch.ones(1, 1)
    made = spectra(
        torch.tensor([[variance]]),
        one,
        one,
        EDGE.shape,
        (1.0,),
        apodisation=torch.tensor([fall]),
    )
    return made.transfer[0][0].numpy()


@pytest.mark.parametrize(
    "wanted",
    [hann(1.0), hann(0.6), hann(0.4), fermi(0.85, 0.08)],
    ids=["hann", "outer 60 %", "outer 40 %", "fermi"],
)
def test_a_filter_is_met_within_16_thousandths_of_the_signal(wanted):
    found = least_squares(lambda s: imitated(s) - wanted, [0.05, 1.0], diff_step=1e-3)
    assert np.sqrt(np.mean(found.fun**2)) < 0.016
    gaussian = least_squares(
        lambda s: imitated([s[0], 0.0]) - wanted, [0.05], diff_step=1e-3
    )
    assert np.sqrt(np.mean(gaussian.fun**2)) > 0.03  # alone, it does not
