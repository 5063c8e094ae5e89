"""Scans: noise, contrast, fields, geometry and stored values as promised."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from medvae.errors import UserError
from medvae.phantom import Day, acquire, anatomy, scanner, site_names
from medvae.phantom.fields import receive_field
from medvae.phantom.tissues import TISSUES

STILL = Day(
    rotation_deg=(0.0, 0.0, 0.0),
    shift_mm=(0.0, 0.0, 0.0),
    noise=0.02,
    gain=1000.0,
    wobble=np.zeros(6),
    transmit=1.0,
)


@pytest.fixture(scope="module")
def head():
    return anatomy(0, "T01", age=40, spacing_mm=4.0)


def in_ras(scan):
    return nib.as_closest_canonical(scan.image)


def values(scan):
    return np.asarray(in_ras(scan).dataobj, dtype=float)


def air(scan):
    """A slab in front of and above the face, where nothing lies."""
    image = values(scan)
    return image[:, -max(2, image.shape[1] // 16) :, -image.shape[2] // 4 :].ravel()


def test_every_site_scans_and_stores_its_own_axis_order(head):
    for site in site_names():
        machine = scanner(site).scaled(4.0)
        scan = acquire(head, machine, np.random.default_rng(0))
        assert "".join(nib.aff2axcodes(scan.image.affine)) == machine.storage
        assert scan.image.get_data_dtype() == np.int16
        sizes = in_ras(scan).header.get_zooms()
        assert sizes == pytest.approx(machine.voxel_mm, rel=1e-4)
        assert values(scan).shape == machine.matrix


def test_storage_order_moves_voxels_not_anatomy(head):
    machine = scanner("NYU").scaled(4.0)
    one, other = (
        in_ras(acquire(head, replace(machine, storage=order), np.random.default_rng(0)))
        for order in ("PSR", "LAS")
    )
    assert np.array_equal(one.get_fdata(), other.get_fdata())
    assert np.allclose(one.affine, other.affine)


def test_air_holds_rayleigh_noise_of_the_true_sigma(head):
    scan = acquire(
        head, scanner("NYU").scaled(3.0), np.random.default_rng(0), day=STILL
    )
    corner = air(scan)
    assert corner.mean() == pytest.approx(1000 * 0.02 * np.sqrt(np.pi / 2), rel=0.03)
    assert corner.mean() / corner.std() == pytest.approx(1.913, rel=0.05)


def test_eight_coils_fill_air_with_noncentral_chi_noise(head):
    machine = scanner("SDSU").scaled(3.0)
    corner = air(acquire(head, machine, np.random.default_rng(0), day=STILL))
    assert machine.coils == 8
    assert (corner**2).mean() == pytest.approx(2 * 8 * 20.0**2, rel=0.03)
    assert (corner**2).mean() ** 2 / (corner**2).var() == pytest.approx(8, rel=0.12)


def test_one_gamma_draw_is_distributed_like_simulating_every_coil():
    from medvae.phantom.acquire import _noisy

    rng, n, coils = np.random.default_rng(0), 200_000, 4
    weights = np.array([0.1, 0.5, 0.3, 0.8])
    weights /= np.linalg.norm(weights)
    noise = rng.normal(scale=0.3, size=(2, coils, n))
    slow = np.sqrt(((weights[:, None] + noise[0]) ** 2 + noise[1] ** 2).sum(axis=0))
    quick = _noisy(np.ones(n, dtype=np.float32), 0.3, coils, rng)
    quantiles = np.linspace(0.01, 0.99, 21)
    assert np.quantile(quick, quantiles) == pytest.approx(
        np.quantile(slow, quantiles), abs=0.01
    )


@pytest.mark.parametrize("site", ["KKI", "UM_1", "NYU"])
def test_grey_over_white_in_the_image_is_the_signal_equation(head, site):
    from medvae.phantom.acquire import _object_signal

    machine = scanner(site)
    signal = _object_signal(head, machine, STILL) / head.texture
    pure = {t: head.tissues[TISSUES.index(t)] >= 253 for t in ("gm", "wm")}
    ratio = np.median(signal[pure["gm"]]) / np.median(signal[pure["wm"]])
    expected = machine.contrast(head.constitution)["gm_over_wm"]
    assert ratio == pytest.approx(expected, abs=0.03)  # the transmit field's doing


def test_receive_field_spreads_as_the_site_promises():
    axes = [np.linspace(c - r, c + r, 25) for c, r in ((0, 72), (-17, 90), (5, 72))]
    unit = np.meshgrid(*[np.linspace(-1, 1, 25)] * 3, indexing="ij")
    inside = sum(u**2 for u in unit) <= 1
    for site in ("KKI", "STANFORD"):
        log_field = np.log(receive_field(axes, scanner(site), np.zeros(6))[inside])
        low, high = np.quantile(log_field, (0.05, 0.95))
        assert high - low == pytest.approx(scanner(site).non_uniformity, rel=0.1)


def test_the_truth_lists_what_a_fit_should_find(head):
    truth = acquire(head, scanner("NYU").scaled(4.0), np.random.default_rng(0)).truth
    assert truth["noise_sigma"] == pytest.approx(scanner("NYU").noise, rel=0.4)
    assert set(truth["psf_fwhm_mm"]) == set("xyz")
    assert set(truth["tissue_contrast"]) == {"gm_over_wm", "csf_over_wm"}
    assert truth["bias_rms"] > 0


def test_turning_the_head_turns_the_image(head):
    machine = scanner("NYU").scaled(4.0)
    quarter = replace(STILL, rotation_deg=(90.0, 0.0, 0.0), noise=0.0)
    upright = values(
        acquire(head, machine, np.random.default_rng(0), day=replace(STILL, noise=0.0))
    )
    turned = values(acquire(head, machine, np.random.default_rng(0), day=quarter))
    nose = [np.argwhere(v > 300)[:, 1:].max(axis=0) for v in (upright, turned)]
    assert nose[1][1] > nose[0][1]  # looking up, the nose is higher than the crown


def test_shifting_the_head_shifts_the_image_by_as_many_voxels(head):
    machine = replace(scanner("KKI").scaled(4.0), non_uniformity=1e-6)
    still, moved = (
        values(acquire(head, machine, np.random.default_rng(0), day=day))
        for day in (
            replace(STILL, noise=0.0),
            replace(STILL, noise=0.0, shift_mm=(0.0, 0.0, 8.0)),
        )
    )
    assert np.corrcoef(still[..., :-2].ravel(), moved[..., 2:].ravel())[0, 1] > 0.99


def test_an_unknown_site_is_named_with_the_nearest():
    with pytest.raises(UserError, match=r"'UM1'.*Did you mean 'UM_1'"):
        scanner("UM1")
