import numpy as np
import pytest
from scipy import ndimage
from simulated_head import Scanner, log_shading, scan

from noise_models.cosine import cosine_basis, cosine_field
from noise_models.scanner import estimate_scan
from noise_models.scanner.estimate import BIAS
from noise_models.scanner.head import find_head
from noise_models.scanner.mixture import Classes
from noise_models.scanner.noise_level import (
    air_noise,
    air_tiles,
    flat_tissue,
    koay_sigma,
    tissue_noise,
)
from noise_models.scanner.tissue import fluid_level

STEP = (2.0, 2.0, 2.0)


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.12])
def test_sigma_from_air_is_within_three_percent(sigma):
    x = scan(1, Scanner(sigma=sigma))
    found = air_noise(air_tiles(x, find_head(x, STEP)))
    assert found.is_rayleigh
    assert found.sigma / 400 == pytest.approx(sigma, rel=0.03)


@pytest.mark.parametrize("sigma", [0.03, 0.08])
def test_sigma_from_tissue_is_within_eight_percent(sigma):
    x = scan(2, Scanner(sigma=sigma))
    assert tissue_noise(flat_tissue(x, find_head(x, STEP))) / 400 == pytest.approx(
        sigma, rel=0.08
    )


def test_zeroed_air_falls_back_to_tissue_and_says_so():
    x = scan(3, Scanner(sigma=0.05))
    label = ndimage.binary_dilation(ndimage.gaussian_filter(x, 2) > 60)
    found = estimate_scan(np.where(label, x, 0), STEP)
    assert found.evidence == "tissue"
    assert "zeroed air" in found.flags
    assert found.sigma == pytest.approx(0.05, rel=0.10)


def test_interpolated_air_is_not_believed():
    x = scan(4, Scanner(sigma=0.05))
    half = ndimage.shift(x, 0.5, order=1, mode="nearest")
    found = air_noise(air_tiles(half, find_head(half, STEP)))
    assert found.ratio > 3
    assert not found.is_rayleigh


def test_rounding_to_integers_does_not_move_sigma():
    x = scan(5, Scanner(sigma=0.02, gain=100.0))  # sigma is two grey levels
    found = estimate_scan(np.round(x).astype(np.int16), STEP)
    assert found.evidence == "air"
    assert found.sigma == pytest.approx(0.02, rel=0.05)


def test_ghosts_in_a_third_of_the_air_do_not_move_sigma():
    x = scan(6, Scanner(sigma=0.04))
    ghost = 0.15 * np.roll(scan(6, Scanner(sigma=0.0)), 50, axis=1)
    ghost[:, :, :60] = 0
    found = air_noise(air_tiles(x + ghost, find_head(x, STEP)))
    assert found.sigma / 400 == pytest.approx(0.04, rel=0.05)


def test_koay_undoes_the_rician_bias_at_low_signal():
    rng = np.random.default_rng(0)
    n = rng.standard_normal((2, 400_000))
    m = np.hypot(2.0 + n[0], n[1])  # SNR 2
    assert m.std() < 0.95
    assert koay_sigma(m.mean(), m.std()) == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize("noise", [0.01, 0.05])
@pytest.mark.parametrize("sd_mm", [(1.2, 0, 0), (0, 0, 2.0), (1.0, 1.0, 1.0)])
def test_psf_difference_is_recovered_per_axis(sd_mm, noise):
    plain = estimate_scan(scan(7, Scanner(sigma=noise)), STEP)
    blurred = estimate_scan(scan(7, Scanner(sigma=noise, blur_mm=sd_mm)), STEP)
    difference = blurred.vector[1:4] - plain.vector[1:4]
    assert difference == pytest.approx(np.square(sd_mm), abs=0.6)


def test_psf_of_thick_slices_is_recovered_in_plane():
    plain, blurred = (
        scan(8, Scanner(sigma=0.02, blur_mm=b))[:, :, ::2]
        for b in ((0, 0, 0), (1.5, 0, 0))
    )
    spacing = (2.0, 2.0, 4.0)
    difference = (
        estimate_scan(blurred, spacing).vector[1:4]
        - estimate_scan(plain, spacing).vector[1:4]
    )
    assert difference[0] == pytest.approx(2.25, abs=0.7)
    assert abs(difference[1]) < 0.5


@pytest.mark.parametrize(("gm", "csf"), [(0.6, 0.25), (0.7, 0.3), (0.8, 0.4)])
def test_tissue_levels_are_recovered_under_shading(gm, csf):
    truth = Scanner(gm=gm, csf=csf, shading=(0.15, 0.1, -0.2), bowl=-0.2)
    found = estimate_scan(scan(9, truth), STEP)
    assert found.gm_over_wm == pytest.approx(gm, rel=0.03)
    assert found.csf_over_wm == pytest.approx(csf, rel=0.08)


def test_gain_changes_the_reference_and_nothing_else():
    x = scan(10, Scanner())
    one, other = estimate_scan(x, STEP), estimate_scan(x * np.float32(3.5), STEP)
    assert other.reference / one.reference == pytest.approx(3.5, rel=1e-4)
    assert other.vector == pytest.approx(one.vector, abs=2e-3)


@pytest.mark.parametrize("gain", [1e-14, 1e-12, 1e-6, 1e4, 1e9, 1e12])
def test_no_gain_is_too_small_or_too_large_for_the_estimate(gain):
    x = scan(10, Scanner()).astype(float)
    one, other = estimate_scan(x, STEP), estimate_scan(x * gain, STEP)
    assert other.reference / one.reference == pytest.approx(gain, rel=1e-6)
    assert other.vector == pytest.approx(one.vector, abs=1e-6)
    assert other.coils == pytest.approx(one.coils, rel=1e-6)
    assert (other.flags, other.evidence) == (one.flags, one.evidence)


def test_shading_is_recovered_over_the_brain():
    truth = Scanner(shading=(0.25, -0.15, 0.2), bowl=-0.25)
    x = scan(11, truth)
    found = estimate_scan(x, STEP)
    import torch

    centre = torch.tensor([found.centre_voxels])
    factors = cosine_basis(x.shape, STEP, centre, 240.0, 3)
    field = cosine_field(torch.tensor(found.vector[None, BIAS]), factors)[0].numpy()
    head = find_head(x, STEP)
    brain = np.repeat(np.repeat(np.repeat(head.brain, 2, 0), 2, 1), 2, 2)
    grid = [(np.arange(n) - (n - 1) / 2) * 2.0 for n in x.shape]
    position = np.meshgrid(*grid, indexing="ij", sparse=True)
    true = np.broadcast_to(log_shading(truth, position), x.shape)
    cut = tuple(slice(n) for n in np.minimum(brain.shape, x.shape))
    inside = brain[cut]
    pair = np.corrcoef(field[cut][inside], true[cut][inside])
    assert pair[0, 1] > 0.95
    assert field[cut][inside].std() / true[cut][inside].std() == pytest.approx(
        1, abs=0.2
    )


def test_a_skull_stripped_scan_is_flagged_and_keeps_its_contrast():
    from simulated_head import anatomy

    label, _ = anatomy(12)
    x = scan(12, Scanner(gm=0.7)) * (label >= 3)
    found = estimate_scan(x, STEP)
    assert "skull-stripped" in found.flags
    assert found.gm_over_wm == pytest.approx(0.7, rel=0.05)


def test_bad_volumes_are_named():
    hole = scan(13, Scanner())
    hole[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"b\.nii: voxels must be finite, got 1"):
        estimate_scan(hole, STEP, label="b.nii")
    with pytest.raises(ValueError, match=r"must be 3-D, got shape \(4, 4\)"):
        estimate_scan(np.zeros((4, 4)), STEP)


def test_voxels_that_blocks_do_not_divide_evenly_keep_masks_in_place():
    # Blocks of 4 mm are 3 voxels, of 2 mm 2 voxels: one is not a multiple of the other.
    x = scan(14, Scanner(gm=0.7, csf=0.3), step=1.3)
    found = estimate_scan(x, (1.3, 1.3, 1.3))
    assert found.gm_over_wm == pytest.approx(0.7, rel=0.03)
    assert found.csf_over_wm == pytest.approx(0.3, rel=0.08)


def test_fluid_of_narrow_ventricles_is_not_read_between_it_and_grey_matter():
    # No voxel holds fluid alone, and most are nearly grey: there is no mode.
    rng = np.random.default_rng(0)
    classes = Classes(np.array([0.4, 0.7, 1.0]), np.full(3, 0.05), np.full(5, 0.2))
    shared = np.sqrt(rng.uniform(0.1**2, 0.7**2, 3000)) + rng.normal(0, 0.02, 3000)
    narrow = fluid_level(shared, np.ones(3000), classes, 0.02)
    assert 0.1 < narrow < 0.2
    wide = np.r_[shared, rng.normal(0.2, 0.02, 1000)]
    found = fluid_level(wide, np.ones(4000), classes, 0.02)
    assert found == pytest.approx(0.2, abs=0.01)
