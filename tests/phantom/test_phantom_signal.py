"""The sequences' equations against slow and obvious simulations."""

import numpy as np
import pytest

from medvae.phantom import scanner, site_names
from medvae.phantom.sampling import axis_operator, kernel_fwhm_mm
from medvae.phantom.signal import INVERSION_EFFICIENCY, mprage, spgr


def test_spoiled_gradient_echo_is_the_limit_of_pulse_after_pulse():
    t1, repetition, flip, along = 0.9, 0.0084, 0.3, 1.0
    for _ in range(5000):
        along = 1 - (1 - along * np.cos(flip)) * np.exp(-repetition / t1)
    formula = spgr(np.array(t1), repetition_s=repetition, flip_rad=flip)
    assert formula == pytest.approx(along * np.sin(flip), rel=1e-9)


def test_mprage_is_the_limit_of_cycle_after_cycle():
    t1, cycle, inversion, spacing, echoes, flip = 1.3, 2.3, 0.9, 0.008, 160, 0.16
    wait = inversion - echoes // 2 * spacing
    along = 1.0
    for _ in range(30):
        along *= -(2 * INVERSION_EFFICIENCY - 1)
        along = 1 - (1 - along) * np.exp(-wait / t1)
        for echo in range(echoes):
            if echo == echoes // 2:
                centre = along * np.sin(flip)
            along = 1 - (1 - along * np.cos(flip)) * np.exp(-spacing / t1)
        along = 1 - (1 - along) * np.exp(-(cycle - wait - echoes * spacing) / t1)
    formula = mprage(
        np.array(t1),
        repetition_s=cycle,
        inversion_s=inversion,
        echo_spacing_s=spacing,
        echoes=echoes,
        flip_rad=flip,
    )
    assert formula == pytest.approx(centre, rel=1e-9)


def test_contrasts_of_the_sites_spread_like_those_of_abide():
    grey = [scanner(site).contrast()["gm_over_wm"] for site in site_names()]
    csf = [scanner(site).contrast()["csf_over_wm"] for site in site_names()]
    assert 0.57 < min(grey) < 0.63
    assert 0.78 < max(grey) < 0.87
    assert max(csf) - min(csf) > 0.24


def test_truncated_kspace_keeps_a_wave_below_its_edge_and_drops_one_above():
    u = np.arange(-300.0, 300.0, 0.5)
    operator = axis_operator(
        u, np.arange(-20.0, 20.0), voxel_mm=2.0, blur_fwhm_mm=0.0, kspace_filter=0.0
    )
    passed, dropped = (operator @ np.cos(2 * np.pi * f * u) for f in (0.15, 0.35))
    expected = np.cos(2 * np.pi * 0.15 * np.arange(-20.0, 20.0))
    assert np.abs(passed - expected).max() < 0.03
    assert np.abs(dropped).max() < 0.03


def test_blur_attenuates_a_wave_as_a_gaussian_does():
    u, blur, f = np.arange(-300.0, 300.0, 0.5), 4.0, 0.1
    operator = axis_operator(
        u, np.array([0.0]), voxel_mm=1.0, blur_fwhm_mm=blur, kspace_filter=0.0
    )
    sigma = blur / np.sqrt(8 * np.log(2))
    expected = np.exp(-2 * (np.pi * f * sigma) ** 2)
    assert (operator @ np.cos(2 * np.pi * f * u))[0] == pytest.approx(
        expected, abs=0.01
    )


def test_filter_and_blur_widen_the_kernel():
    plain, filtered, blurred = (
        kernel_fwhm_mm(voxel_mm=1.0, blur_fwhm_mm=b, kspace_filter=f)
        for b, f in ((0.0, 0.0), (0.0, 0.6), (3.0, 0.0))
    )
    assert plain == pytest.approx(1.207, abs=0.01)
    assert filtered > 1.1 * plain
    assert blurred == pytest.approx(3.0, abs=0.2)
