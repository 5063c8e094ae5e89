"""The point-spread function against theory and an independent library."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from noise_models.blur import FWHM_PER_STD, Blur, psf_matrix


def blur(x, fwhm_mm, **keywords):
    params = {"fwhm_mm": torch.tensor([fwhm_mm] * x.shape[0], dtype=torch.float32)}
    return Blur().apply(x, params, torch.Generator(), **keywords)


def test_zero_width_is_exactly_no_blur():
    x = torch.rand(2, 1, 9, 10, 11)
    y = blur(x, (0.0, 0.0, 0.0))
    assert torch.equal(x, y)
    assert y is not x


def test_zero_width_of_one_volume_beside_a_blurred_one():
    x = torch.rand(2, 1, 16, 16)
    params = {"fwhm_mm": torch.tensor([[0.0, 0.0], [3.0, 3.0]])}
    y = Blur().apply(x, params, torch.Generator())
    assert torch.equal(x[0], y[0])
    assert y[1].std() < 0.5 * x[1].std()


@pytest.mark.parametrize("fwhm", [(6.0, 0.0, 0.0), (0.0, 6.0, 0.0), (0.0, 0.0, 6.0)])
def test_each_axis_has_its_own_width_in_mm(fwhm):
    point = torch.zeros(1, 1, 41, 41, 41)
    point[..., 20, 20, 20] = 1
    spacing = (1.0, 2.0, 1.5)
    y = blur(point, fwhm, spacing_mm=spacing)[0, 0].double()
    for axis in range(3):
        line = y.sum([a for a in range(3) if a != axis])
        variance = (line * ((torch.arange(41) - 20) * spacing[axis]) ** 2).sum()
        expected = (fwhm[axis] / FWHM_PER_STD) ** 2
        assert variance.item() == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("std", [0.2, 0.5, 2.0])
@pytest.mark.parametrize("cycles", [4, 16, 28])
def test_a_wave_is_damped_by_the_gaussian_transfer_even_below_a_voxel(std, cycles):
    frequency = cycles / 64 / 2
    wave = torch.cos(2 * math.pi * frequency * (torch.arange(64) + 0.5))
    x = wave.view(1, 1, 64, 1).expand(1, 1, 64, 4)
    y = blur(x, (std * FWHM_PER_STD, 0.0))
    gain = math.exp(-2 * (math.pi * std * frequency) ** 2)
    torch.testing.assert_close(y, gain * x, atol=2e-6, rtol=0)


def test_agrees_with_scipy_where_its_sampled_kernel_is_accurate():
    x = torch.rand(1, 1, 24, 20, 28)
    std = (1.5, 1.2, 2.0)
    y = blur(x, tuple(s * FWHM_PER_STD for s in std))[0, 0].numpy()
    slow = gaussian_filter(x[0, 0].numpy(), std, mode="reflect", truncate=8)
    np.testing.assert_allclose(y, slow, atol=1e-4)


def test_the_far_side_does_not_wrap_around():
    x = torch.zeros(1, 1, 32, 32)
    x[..., :4] = 1
    assert blur(x, (6.0, 6.0))[..., -4:].abs().max() < 1e-5


@given(a=st.floats(0, 6), b=st.floats(0, 6), size=st.integers(2, 40))
@settings(max_examples=40, deadline=None)
def test_widths_add_in_squares_and_the_mean_is_kept(a, b, size):
    x = torch.rand(1, 1, size, 3, generator=torch.Generator().manual_seed(size))
    twice = blur(blur(x, (a, 0.0)), (b, 0.0))
    torch.testing.assert_close(
        twice, blur(x, (math.hypot(a, b), 0.0)), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(twice.mean(), x.mean(), atol=1e-5, rtol=0)


def test_matrix_rows_sum_to_one():
    rows = psf_matrix(17, torch.tensor([0.1, 0.7, 3.0])).sum(2)
    torch.testing.assert_close(rows, torch.ones(3, 17))


def test_negative_width_is_refused():
    with pytest.raises(ValueError, match="at least 0 for each of 2 axes"):
        blur(torch.ones(1, 1, 4, 4), (-1.0, 0.0))


@pytest.mark.parametrize("spacing", [(1, 1), (1, 1, 0), (1, 1, float("inf"))])
def test_spacing_that_is_none_of_these_axes_is_refused(spacing):
    with pytest.raises(ValueError, match="3 positive numbers, one per spatial axis"):
        blur(torch.ones(1, 1, 4, 4, 4), (1.0, 1.0, 1.0), spacing_mm=spacing)
