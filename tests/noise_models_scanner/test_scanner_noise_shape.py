"""Where noise is stronger, which frequencies it fills, and what is flagged."""

import numpy as np
import pytest
from scipy import fft, ndimage
from simulated_head import STEP, Scanner, anatomy, log_shading, scan

from noise_models.scanner import estimate_scan
from noise_models.scanner.estimate import FIELD, levels_of
from noise_models.scanner.head import find_head
from noise_models.scanner.noise_field import noise_field
from noise_models.scanner.noise_level import air_tiles, flat_tissue
from noise_models.scanner.noise_spectrum import (
    air_correlation,
    haar_gain,
    kspace_extent,
)
from noise_models.scanner.power_spectrum import head_spectrum
from noise_models.scanner.tissue import basis_rows, brain_mean_rows


def signal(seed, scanner):
    """The scan without noise, gain 1."""
    label, position = anatomy(seed)
    level = np.array([0, 0.06, scanner.fat, scanner.csf, scanner.gm, 1.0])
    blurred = ndimage.gaussian_filter(level[label].astype(np.float32), 0.35)
    return blurred * np.exp(log_shading(scanner, position))


def complex_noise(seed, shape, sigma):
    rng = np.random.default_rng(seed)
    return sigma * rng.standard_normal((2, *shape))


def zero_filled(seed, share, sigma=0.05):
    """Noise and signal of which only the low frequencies were acquired along x."""
    x = signal(seed, Scanner())
    real, imaginary = complex_noise(seed, x.shape, sigma)
    k = fft.fft(x + real + 1j * imaginary, axis=0)
    kept = np.abs(fft.fftfreq(x.shape[0])) <= share / 2
    k *= kept[:, None, None]
    return 400 * np.abs(fft.ifft(k, axis=0)).astype(
        np.float32
    ), sigma * kept.mean() ** 0.5


def field_of(x):
    head = find_head(x, STEP)
    flat, air = flat_tissue(x, head), air_tiles(x, head)
    return noise_field(flat, air, STEP, head.centre_voxels, x.shape), head


@pytest.mark.parametrize("is_zeroed", [False, True])
def test_a_noise_field_is_recovered_with_air_and_without(is_zeroed):
    clean = signal(20, Scanner())
    grid = [(np.arange(n) - (n - 1) / 2) * 2.0 for n in clean.shape]
    x, y, z = np.meshgrid(*grid, indexing="ij", sparse=True)
    bowl = 0.8 * np.exp(-(x**2 + y**2 + z**2) / (2 * 80**2)) + 0.4 * y / 100
    noise = complex_noise(20, clean.shape, 0.05) * np.exp(bowl)
    volume = 400 * np.hypot(clean + noise[0], noise[1])
    if is_zeroed:
        volume = np.where(ndimage.binary_dilation(clean > 0.2, iterations=2), volume, 0)
    found, head = field_of(volume)
    inside = np.argwhere(clean > 0.6)[::50]
    rows = basis_rows(inside, STEP, head.centre_voxels, volume.shape)[:, :9]
    fitted = (rows - brain_mean_rows()[:9]) @ np.array(found.coefficients)
    true = bowl[tuple(inside.T)]
    assert not found.is_flat
    assert np.corrcoef(fitted, true)[0, 1] > (0.65 if is_zeroed else 0.9)
    assert fitted.std() / true.std() == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize("sigma", [0.02, 0.06])
def test_flat_noise_has_no_field(sigma):
    found, _ = field_of(scan(21, Scanner(sigma=sigma)))
    assert found.is_flat
    assert np.abs(found.coefficients).max() < 0.05


@pytest.mark.parametrize("share", [0.6, 0.75])
def test_zero_filled_kspace_is_seen_along_its_axis_only(share):
    volume, sigma = zero_filled(22, share)
    extent = kspace_extent(
        head_spectrum(volume, STEP, find_head(volume, STEP).centre_voxels)
    )
    assert extent[0] == pytest.approx(share, abs=0.05)
    assert extent[1:] == (1.0, 1.0)
    found = estimate_scan(volume, STEP)
    assert "zero-filled k-space" in found.flags
    assert "resampled" not in found.flags
    assert found.sigma == pytest.approx(sigma, rel=0.06)


def test_zero_filled_noise_in_tissue_is_given_its_full_sigma():
    volume, sigma = zero_filled(23, 0.75)
    solid = ndimage.binary_dilation(signal(23, Scanner()) > 0.2, iterations=2)
    found = estimate_scan(np.where(solid, volume, 0), STEP)
    assert found.evidence == "tissue"
    # Of the texture more is left than of the noise: it counts for more than usual.
    assert found.sigma == pytest.approx(sigma, rel=0.15)
    assert found.sigma > 0.9 * sigma  # .84 of it without the gain of the details


@pytest.mark.parametrize("blur", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("sigma", [0.01, 0.05])
def test_a_blurred_scan_is_not_taken_for_zero_filled(sigma, blur):
    volume = scan(24, Scanner(sigma=sigma, blur_mm=(blur,) * 3))
    centre = find_head(volume, STEP).centre_voxels
    assert kspace_extent(head_spectrum(volume, STEP, centre)) == (1.0, 1.0, 1.0)


def test_haar_details_pass_what_theory_says():
    rng = np.random.default_rng(0)
    k = fft.fftn(rng.standard_normal((64, 64, 64)))
    kept = np.abs(fft.fftfreq(64)) <= 0.25
    x = fft.ifftn(k * kept[:, None, None]).real
    pairs = x[::2] - x[1::2]
    pairs = pairs[:, ::2] - pairs[:, 1::2]
    details = (pairs[:, :, ::2] - pairs[:, :, 1::2]) / np.sqrt(8)
    assert details.std() / x.std() == pytest.approx(
        haar_gain((kept.mean(), 1, 1)), rel=0.01
    )


def test_neighbours_in_air_share_the_noise_that_zero_filling_gives_them():
    volume, _ = zero_filled(25, 0.5)
    found = air_correlation(air_tiles(volume, find_head(volume, STEP)))
    assert found[0] == pytest.approx(np.sinc(0.5), abs=0.06)
    assert max(found[1:]) < 0.15


@pytest.mark.parametrize("coils", [1, 4])
def test_coils_are_counted_and_not_taken_for_resampling(coils):
    x = signal(26, Scanner())
    rng = np.random.default_rng(26)
    noise = 0.04 * rng.standard_normal((2 * coils, *x.shape))
    power = (x + noise[0]) ** 2 + (noise[1:] ** 2).sum(0)
    found = estimate_scan(400 * np.sqrt(power), STEP)
    assert found.coils == pytest.approx(coils, rel=0.05)
    assert ("several coils" in found.flags) == (coils > 1)
    assert "resampled" not in found.flags
    assert found.sigma == pytest.approx(0.04, rel=0.06)


def test_an_interpolated_scan_is_called_resampled():
    x = ndimage.shift(scan(27, Scanner(sigma=0.05)), 0.5, order=1, mode="nearest")
    assert "resampled" in estimate_scan(x, STEP).flags


def test_a_clean_scan_carries_no_flag():
    assert estimate_scan(scan(28, Scanner(sigma=0.04)), STEP).flags == ()


@pytest.mark.parametrize("fill", ["zeros in a noisy air", "air set to zero as well"])
def test_a_defaced_scan_is_flagged(fill):
    x = scan(29, Scanner(sigma=0.04))
    assert "defaced" not in estimate_scan(x, STEP).flags
    y = (np.arange(x.shape[1]) - (x.shape[1] - 1) / 2) * 2.0
    z = (np.arange(x.shape[2]) - (x.shape[2] - 1) / 2) * 2.0
    face = (y[:, None] > 40) & (z < -5)
    x = np.where(face, 0, x)
    if fill != "zeros in a noisy air":
        solid = ndimage.binary_dilation(signal(29, Scanner()) > 0.2, iterations=2)
        x = np.where(solid, x, 0)
    assert "defaced" in estimate_scan(x, STEP).flags


def test_a_clipped_scan_is_flagged():
    x = scan(30, Scanner())
    assert "clipped" not in estimate_scan(np.rint(x), STEP).flags
    cut = np.minimum(np.rint(x), np.percentile(x, 99.5))
    assert "clipped" in estimate_scan(cut, STEP).flags


def test_a_denoised_scan_is_flagged_and_not_measured_in_its_air():
    x = scan(31, Scanner(sigma=0.05))
    smooth = ndimage.gaussian_filter(x, 0.8)
    solid = ndimage.gaussian_filter((signal(31, Scanner()) > 0.2).astype(float), 2)
    found = estimate_scan(np.where(solid > 0.5, smooth, x), STEP)
    assert "denoised" in found.flags
    assert found.evidence == "tissue"


def test_a_field_travels_with_the_estimate():
    clean = signal(32, Scanner())
    y = (np.arange(clean.shape[1]) - (clean.shape[1] - 1) / 2) * 2.0
    noise = complex_noise(32, clean.shape, 0.05) * np.exp(0.6 * y / 100)[:, None]
    found = estimate_scan(400 * np.hypot(clean + noise[0], noise[1]), STEP)
    assert "noise varies over the head" in found.flags
    assert np.linalg.norm(found.vector[FIELD]) > 0.1
    assert levels_of(found.vector)[1] == pytest.approx(0.7, rel=0.05)
