"""From one scanner to another: noise, sharpness, shading and contrast arrive."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from simulated_head import STEP, WORSE

import noise_models
from noise_models.blur import Blur
from noise_models.rician import Rician
from noise_models.scanner import (
    estimate_scan,
    noise_gain,
)
from noise_models.scanner.estimate import BIAS, levels_of
from noise_models.scanner.resampling import to_spacing


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def as_batch(image, estimate):
    return torch.from_numpy(image / np.float32(estimate.reference))[None, None]


@pytest.fixture(scope="module")
def corrupted(images, fitted, own):
    """The first sharp scan as from the worse scanner, estimated again."""
    x = as_batch(images["sharp"][0][0], own)
    sites = tuple(_without_spread(site) for site in fitted.sites)
    y = replace(fitted, target="worse", sites=sites)(
        x, rng=generator(), spacing_mm=STEP, source=[own]
    )
    return y[0, 0].numpy(), estimate_scan(y[0, 0].numpy(), STEP)


def typical(fitted, site):
    return np.array(fitted.sites[fitted.labels.index(site)].mean)


def test_site_sigma_is_the_true_one(fitted):
    sharp, worse = (np.exp(typical(fitted, s)[0]) for s in ("sharp", "worse"))
    assert sharp == pytest.approx(0.03, rel=0.03)
    assert worse == pytest.approx(WORSE.sigma, rel=0.06)


def test_site_psf_difference_is_the_true_one(fitted):
    difference = (typical(fitted, "worse") - typical(fitted, "sharp"))[1:4]
    assert difference == pytest.approx(np.square(WORSE.blur_mm), abs=0.5)


def test_corrupted_scan_has_the_noise_of_the_target(corrupted, fitted):
    wanted = np.exp(typical(fitted, "worse")[0])
    assert corrupted[1].sigma == pytest.approx(wanted, rel=0.15)


def test_corrupted_scan_has_the_contrast_of_the_target(corrupted, fitted):
    csf, gm, _ = levels_of(typical(fitted, "worse"))
    assert gm == pytest.approx(WORSE.gm, rel=0.04)
    assert corrupted[1].gm_over_wm == pytest.approx(gm, rel=0.03)
    assert csf == pytest.approx(WORSE.csf, rel=0.06)
    assert corrupted[1].csf_over_wm == pytest.approx(csf, rel=0.10)


def test_corrupted_scan_has_the_shading_of_the_target(corrupted, fitted):
    wanted = typical(fitted, "worse")[BIAS]
    assert np.corrcoef(corrupted[1].vector[BIAS], wanted)[0, 1] > 0.9


def test_corrupted_scan_has_the_sharpness_of_the_target(corrupted, fitted, own):
    wanted = typical(fitted, "worse")[3] - own.vector[3]
    assert wanted > 2
    assert corrupted[1].vector[3] - own.vector[3] == pytest.approx(wanted, abs=0.8)


def test_corrupted_scan_keeps_the_unit_of_intensity(corrupted):
    assert corrupted[1].reference == pytest.approx(1.0, abs=0.05)


def test_corrupted_air_has_the_mean_of_the_targets_air(corrupted, images):
    image = images["worse"][0][0] / WORSE.gain
    corner = np.s_[:8, :8, 60:]
    assert corrupted[0][corner].mean() == pytest.approx(image[corner].mean(), rel=0.15)


def test_own_site_as_target_changes_little(images, fitted, own):
    x = as_batch(images["sharp"][0][0], own)
    same = replace(fitted, source="sharp", target="sharp", dispersion=0.0)
    params = same.draw(1, generator())
    pairs = [
        ("variance", "_mm2"),
        ("sigma", ""),
        ("coefficients", ""),
        ("spacing", "_mm"),
    ]
    site = replace(fitted, target="sharp").draw(1, generator(), source=["sharp"])
    for stem, unit in pairs:
        params[f"{stem}_target{unit}"] = site[f"{stem}_source{unit}"]
        params[f"{stem}_source{unit}"] = site[f"{stem}_source{unit}"]
    params["knots_in"] = params["knots_out"] = site["knots_in"]
    y = same.apply(x, params, generator(), spacing_mm=STEP)
    assert (y - x).abs().mean() < 0.01


def test_sharper_and_cleaner_targets_add_neither_blur_nor_noise(images, fitted):
    image = images["worse"][0][0]
    own = estimate_scan(image, STEP)
    x = as_batch(image, own)
    cleaner = replace(fitted, target="sharp")
    params = cleaner.draw(1, generator(), source=[own])
    params["knots_out"] = params["knots_in"]
    params["fat_ratio"] = torch.ones(1)
    params["coefficients_target"] = params["coefficients_source"]
    params["variance_target_mm2"] = params["variance_source_mm2"] - 0.5
    params["apodisation"] = torch.zeros(1)
    assert params["sigma_target"] < params["sigma_source"]
    y = cleaner.apply(x, params, generator(), spacing_mm=STEP)
    tissue = (
        ndimage.uniform_filter(x[0, 0].numpy(), 3) > 5 * params["sigma_source"].item()
    )
    assert (y - x).abs()[0, 0][tissue].max() < 0.02
    air = ndimage.binary_erosion(~tissue, iterations=4)
    left, wanted = y[0, 0][air].square().mean(), 2 * params["sigma_target"] ** 2
    assert left == pytest.approx(wanted.item(), rel=0.15)


SIGMA = 0.05
AIR = SIGMA * torch.randn(2, 1, 1, 48, 48, 48, generator=generator(1)).norm(dim=0)


def air_after(fitted, own, air, times, *, coils=1, added_mm2=0.0):
    """Inside of a volume of air, sent to a scanner of ``times`` its noise."""
    params = replace(fitted, target="worse").draw(1, generator(), source=[own])
    for name in params:
        if name.startswith("coefficients"):
            params[name] = torch.zeros_like(params[name])
    params["sigma_source"] = torch.tensor([SIGMA])
    params["sigma_target"] = torch.tensor([SIGMA * times])
    params["coils_target"] = torch.tensor([float(coils)])
    params["variance_target_mm2"] = params["variance_source_mm2"] + added_mm2
    y = fitted.apply(air, params, generator(2), spacing_mm=STEP)
    return y[..., 4:-4, 4:-4, 4:-4]


@pytest.mark.parametrize("added_mm2", [0.0, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("times", [0.3, 0.7, 1.0, 1.5])
def test_air_on_the_native_grid_is_noise_alone_however_blurred(
    fitted, own, times, added_mm2
):
    """Blur makes A's magnitudes even: kept as they are, they were no Rayleigh noise."""
    y = air_after(fitted, own, AIR, times, added_mm2=added_mm2)
    assert y.square().mean() == pytest.approx(2 * (times * SIGMA) ** 2, rel=0.05)
    assert y.mean() / y.std() == pytest.approx(1.913, rel=0.025)


def test_zeroed_air_on_the_native_grid_becomes_noise(fitted, own):
    y = air_after(fitted, own, torch.zeros_like(AIR), 1.0)
    assert y.square().mean() == pytest.approx(2 * SIGMA**2, rel=0.05)
    assert y.mean() / y.std() == pytest.approx(1.913, rel=0.05)


def test_air_of_one_coil_becomes_that_of_eight(fitted, own):
    y = air_after(fitted, own, AIR, 1.0, coils=8)
    eight = torch.randn(16, 10**5, generator=generator(3)).norm(dim=0)
    even = (eight.mean() / eight.std()).item()
    assert y.square().mean() == pytest.approx(16 * SIGMA**2, rel=0.05)
    assert y.mean() / y.std() == pytest.approx(even, rel=0.1)


def test_clipped_shares_are_one_sided(fitted):
    forth, back = (fitted.record.pairs[k] for k in ("sharp->worse", "worse->sharp"))
    assert forth.clipped_noise < 0.05
    assert back.clipped_noise > 0.95
    assert back.clipped_psf > forth.clipped_psf
    assert back.sigma_add == 0


def test_rician_of_rician_is_rician():
    x = torch.full((1, 1, 64, 64, 64), 0.4)
    first = {"sigma": torch.tensor([0.15])}
    second = {"sigma": torch.tensor([0.2])}
    twice = Rician().apply(Rician().apply(x, first, generator(1)), second, generator(2))
    once = Rician().apply(x, {"sigma": torch.tensor([0.25])}, generator(3))
    for power in (1, 2, 4):
        assert twice.pow(power).mean() == pytest.approx(
            once.pow(power).mean().item(), rel=0.01
        )


def test_composition_reaches_the_targets_variance_under_blur_and_contrast(fitted):
    noise = replace(fitted, source="sharp", target="worse")
    params = noise.draw(1, generator())
    flat = torch.full((1, 1, 48, 48, 48), 0.9)
    params["sigma_source"] = 0.8 * params["sigma_target"]
    params["variance_target_mm2"] = params["variance_source_mm2"] + 0.5
    own = {"sigma": params["sigma_source"]}
    x = Rician().apply(flat, own, generator(5))
    for key in ("coefficients_source", "coefficients_target"):
        params[key] = torch.zeros_like(params[key])
    y = noise.apply(x, params, generator(6), spacing_mm=STEP)
    inner = y[..., 8:-8, 8:-8, 8:-8]
    assert inner.std() == pytest.approx(params["sigma_target"].item(), rel=0.04)


@pytest.mark.parametrize("grid", [(2, 2, 2), (1.4, 1.7, 3.0), (1, 1, 1)])
def test_noise_gain_is_that_of_resampled_noise(grid):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((90, 90, 90)).astype(np.float32) + 50
    y = to_spacing(x, (1, 1, 1.2), grid)[6:-6, 6:-6, 6:-6]
    assert y.std() == pytest.approx(noise_gain((1, 1, 1.2), grid), rel=0.06)


def test_noise_gain_after_blur_is_that_of_blurred_noise():
    x = torch.randn((1, 1, 48, 48, 48), generator=generator())
    y = Blur().apply(x, {"fwhm_mm": torch.full((1, 3), 2.0)}, generator())
    expected = noise_gain((1, 1, 1), (1, 1, 1), (4 / 5.545,) * 3)
    inner = y[..., 6:-6, 6:-6, 6:-6]  # the mirror at the faces correlates noise
    assert inner.std() == pytest.approx(expected, rel=0.03)


def test_sigma_follows_the_training_grid(images, fitted, own):
    grid = (3.0, 3.0, 3.0)
    x = to_spacing(images["sharp"][0][0] / np.float32(own.reference), STEP, grid)
    real = to_spacing(images["worse"][0][0] / np.float32(WORSE.gain), STEP, grid)
    exact = replace(
        fitted, target="worse", sites=tuple(_without_spread(s) for s in fitted.sites)
    )
    y = exact(
        torch.from_numpy(x)[None, None], rng=generator(), spacing_mm=grid, source=[own]
    )[0, 0].numpy()
    corner = np.s_[:5, :5, 40:]
    assert y[corner].mean() == pytest.approx(real[corner].mean(), rel=0.1)
    assert y[corner].std() == pytest.approx(real[corner].std(), rel=0.25)


def _without_spread(site):
    size = len(site.mean)
    return replace(site, covariance=((0.0,) * size,) * size)


def test_same_seed_same_voxels_and_other_seed_other_voxels(images, fitted, own):
    x = as_batch(images["sharp"][0][0], own)
    kept = x.clone()
    runs = [
        fitted(x, rng=generator(seed), spacing_mm=STEP, source=["sharp"])
        for seed in (0, 0, 1)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert torch.equal(x, kept)


def test_volumes_are_never_sent_to_their_own_site(fitted, own):
    named = replace(own, site="worse")
    params = fitted.draw(40, generator(), source=["sharp"] * 20 + [named] * 20)
    assert set(params["target"][:20].tolist()) == {1}
    assert set(params["target"][20:].tolist()) == {0}


def test_a_batch_of_two_equals_its_volumes_alone(images, fitted, own):
    x = as_batch(images["sharp"][0][0][:, :, :2], own).repeat(2, 1, 1, 1, 1)
    params = fitted.draw(2, generator(), source=["sharp", "worse"])
    quiet = {**params, "sigma_target": torch.zeros(2)}
    both = fitted.apply(x, quiet, generator(), spacing_mm=STEP)
    for k in range(2):
        one = {key: value[k : k + 1] for key, value in quiet.items()}
        alone = fitted.apply(x[k : k + 1], one, generator(), spacing_mm=STEP)
        assert torch.allclose(both[k], alone[0], atol=1e-4)


def test_dispersion_scales_the_spread_of_targets(fitted):
    n = 4000

    def spread(factor):
        noise = replace(fitted, dispersion=factor)
        return noise.draw(n, generator())["sigma_target"].log().std().item()

    assert spread(2.0) == pytest.approx(2 * spread(1.0), rel=0.1)
    assert spread(0.0) == pytest.approx(0.0, abs=1e-6)


def test_unknown_sites_are_refused_with_the_known_ones(fitted):
    with pytest.raises(ValueError, match=r"'shrap' is not .*Did you mean 'sharp'"):
        replace(fitted, target="shrap")
    with pytest.raises(ValueError, match="source 'other' is not a fitted site"):
        fitted.draw(1, generator(), source=["other"])
    with pytest.raises(ValueError, match="has to be fitted"):
        noise_models.get("scanner")
    with pytest.raises(ValueError, match="dispersion must be at least 0, got -1"):
        replace(fitted, dispersion=-1)


def test_grain_spreads_resampled_noise_and_keeps_its_mean(fitted, images, own):
    grid = (3.0, 3.0, 3.0)
    x = to_spacing(images["sharp"][0][0] / np.float32(own.reference), STEP, grid)
    batch = torch.from_numpy(x)[None, None]
    model = replace(fitted, target="worse")
    params = model.draw(1, generator(), source=[own])
    grainy = params | {"grain": torch.full((1,), float(np.log(1.1)))}
    fine, coarse = (
        model.apply(batch, p, generator(), spacing_mm=grid)[0, 0, :4].flatten()
        for p in (params, grainy)  # the first planes hold air alone
    )
    assert coarse.mean().item() == pytest.approx(fine.mean().item(), rel=0.01)
    assert (coarse.std() / fine.std()).item() == pytest.approx(1.1, abs=0.02)
