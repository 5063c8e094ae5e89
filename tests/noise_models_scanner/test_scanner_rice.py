import numpy as np
import pytest
import torch
from scipy import stats

from noise_models.scanner.rice import rice_mean, rice_moments, rice_variance


@pytest.mark.parametrize("snr", [0.0, 0.4, 1.7, 6.0, 25.0])
def test_moments_are_those_of_scipys_rice(snr):
    signal, sigma = torch.tensor([3 * snr]).double(), torch.tensor([3.0]).double()
    mean, variance = stats.rice(snr, scale=3).stats("mv")
    assert rice_mean(signal, sigma).item() == pytest.approx(mean, rel=1e-7)
    assert rice_variance(signal, sigma).item() == pytest.approx(variance, rel=1e-6)


def test_the_table_agrees_with_the_bessel_functions():
    signal = torch.linspace(0, 200, 40001).double()
    sigma = torch.full_like(signal, 2.0)
    mean, variance, _ = rice_moments(signal, sigma)
    assert (mean - rice_mean(signal, sigma)).abs().max() < 1e-4
    near = signal < 50
    assert (mean - rice_mean(signal, sigma))[near].abs().max() < 3e-5
    assert (variance / rice_variance(signal, sigma) - 1)[near].abs().max() < 3e-3


@pytest.mark.parametrize("coils", [2, 4, 8])
@pytest.mark.parametrize("snr", [0.0, 1.5, 5.0])
def test_moments_of_several_coils_are_those_of_simulated_ones(coils, snr):
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2 * coils, 200_000))
    noise[0] += snr
    magnitude = 3 * np.sqrt((noise**2).sum(0))
    signal, sigma = torch.tensor([3 * snr]).double(), torch.tensor([3.0]).double()
    mean, variance, third = rice_moments(signal, sigma, torch.tensor([coils]))
    assert mean.item() == pytest.approx(magnitude.mean(), rel=3e-3)
    assert variance.item() == pytest.approx(magnitude.var(), rel=2e-2)
    expected = ((magnitude - magnitude.mean()) ** 3).mean() / 27
    assert third.item() / 27 == pytest.approx(expected, abs=0.02)
