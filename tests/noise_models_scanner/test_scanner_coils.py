"""Several coils: their noise composes, and resampling gives it a known colour."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

import noise_models
from noise_models.scanner import ScannerNoise, save_scanner
from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.record import Record
from noise_models.scanner.resampling import noise_response, to_spacing
from noise_models.scanner.sites import summarise_site
from noise_models.scanner.transfer import Pair

SIZE = (48, 48, 48)


def magnitude(seed, level, sigma, coils):
    noise = sigma * np.random.default_rng(seed).standard_normal((2 * coils, *SIZE))
    noise[0] += level
    return np.sqrt((noise**2).sum(0)).astype(np.float32)


def fitted(sigmas, coils, blurs_mm2=(0.0, 0.0)):
    values = np.zeros(len(NAMES))
    sites = []
    for (label, sigma), blur in zip(sigmas.items(), blurs_mm2, strict=True):
        values[0], values[1:4] = np.log(sigma), blur
        scan = ScanEstimate(tuple(values), (1.0,) * 3, 1.0, "air", coils=coils)
        sites.append(replace(summarise_site(label, [scan] * 3)))
    return ScannerNoise(tuple(sites), source="A", target="B")


@pytest.mark.parametrize("coils", [1, 2, 4])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_noise_of_several_coils_composes(coils, level):
    noise = fitted({"A": 0.04, "B": 0.09}, float(coils))
    x = torch.tensor(magnitude(0, level, 0.04, coils))[None, None]
    rng = torch.Generator().manual_seed(0)
    found = noise(x, rng=rng, spacing_mm=(1.0, 1.0, 1.0)).numpy().ravel()
    truth = magnitude(1, level, 0.09, coils).ravel()
    assert found.mean() == pytest.approx(truth.mean(), rel=0.02)
    assert found.std() == pytest.approx(truth.std(), rel=0.03)
    assert stats.skew(found) == pytest.approx(stats.skew(truth), abs=0.08)


@pytest.mark.parametrize("grid", [1.4, 2.0])
def test_resampled_noise_has_the_colour_that_is_accounted_for(grid):
    white = np.random.default_rng(0).standard_normal((256, 40, 40)).astype(np.float32)
    y = to_spacing(white + 20, (1.0, 1.0, 1.0), (grid, 1.0, 1.0)) - 20
    y = y[8:-8]
    power = (np.abs(np.fft.rfft(y, axis=0)) ** 2).mean((1, 2)) / len(y)
    f = np.fft.rfftfreq(len(y), grid)
    expected = noise_response(1.0, grid, f)
    inner = slice(2, -1)
    assert power[inner] == pytest.approx(expected[inner], rel=0.15, abs=0.02)


# No whole ratio of voxel sizes: there every voxel of a scan has one place between its
# neighbours, and the gain is the mean over all places.
@pytest.mark.parametrize("grid", [(1.4, 1.4, 1.4), (1.9, 2.1, 1.0)])
@pytest.mark.parametrize("coils", [1, 4])
def test_air_on_another_grid_has_the_moments_of_resampled_magnitudes(grid, coils):
    noise = fitted({"A": 0.04, "B": 0.09}, float(coils))
    native = (1.0, 1.0, 1.0)
    a, b = (
        to_spacing(magnitude(seed, 0.0, sigma, coils), native, grid)
        for seed, sigma in ((2, 0.04), (3, 0.09))
    )
    rng = torch.Generator().manual_seed(0)
    found = noise(torch.tensor(a)[None, None], rng=rng, spacing_mm=grid)
    inner = np.s_[3:-3, 3:-3, 3:-3]
    found, b = found[0, 0].numpy()[inner], b[inner]
    assert found.mean() == pytest.approx(b.mean(), rel=0.02)
    assert found.std() == pytest.approx(b.std(), rel=0.05)
    assert stats.skew(found.ravel()) == pytest.approx(stats.skew(b.ravel()), abs=0.1)


def test_air_of_a_noisier_scanner_is_made_as_quiet_and_tissue_is_not():
    noise = fitted({"A": 0.09, "B": 0.03}, 1.0)
    grid, native = (1.4, 1.4, 1.4), (1.0, 1.0, 1.0)
    for level, is_reached in ((0.0, True), (1.0, False)):
        a, b = (
            to_spacing(magnitude(seed, level, sigma, 1), native, grid)
            for seed, sigma in ((2, 0.09), (3, 0.03))
        )
        rng = torch.Generator().manual_seed(0)
        found = noise(torch.tensor(a)[None, None], rng=rng, spacing_mm=grid)
        ratio = found[0, 0].numpy()[3:-3, 3:-3, 3:-3].std() / b[3:-3, 3:-3, 3:-3].std()
        assert ratio == pytest.approx(1.0 if is_reached else 3.0, rel=0.05)
        if is_reached:
            assert found.mean() == pytest.approx(float(b.mean()), rel=0.02)


def test_air_of_a_blurrier_and_cleaner_scanner_is_not_blurred():
    noise = fitted({"A": 0.09, "B": 0.03}, 1.0, (0.0, 0.6))
    grid, native = (1.4, 1.4, 1.4), (1.0, 1.0, 1.0)
    a, b = (
        to_spacing(magnitude(seed, 0.0, sigma, 1), native, grid)
        for seed, sigma in ((2, 0.09), (3, 0.03))
    )
    rng = torch.Generator().manual_seed(0)
    found = noise(torch.tensor(a)[None, None], rng=rng, spacing_mm=grid)[0, 0].numpy()

    def likeness(air):
        return np.corrcoef(air[3:-4].ravel(), air[4:-3].ravel())[0, 1]

    assert likeness(found) == pytest.approx(likeness(b), abs=0.15)
    skews = [stats.skew(air[3:-3, 3:-3, 3:-3].ravel()) for air in (found, b)]
    assert skews[0] == pytest.approx(skews[1], abs=0.08)


def test_measured_scans_take_their_own_deviation_along_and_labels_do_not():
    noise = fitted({"A": 0.04, "B": 0.09}, 1.0)
    spread = tuple(tuple(row) for row in np.eye(len(NAMES)) * 0.04)
    sites = tuple(replace(site, covariance=spread) for site in noise.sites)
    pairs = {"A->B": Pair(inherited=1.0)}
    noise = ScannerNoise(sites, source="A", target="B", record=Record(pairs=pairs))
    values = np.array(sites[0].mean)
    values[4] += 0.3  # logit csf/gm
    scan = ScanEstimate(tuple(values), (1.0,) * 3, 1.0, "air", site="A")
    rng = torch.Generator().manual_seed(0)
    measured = noise.draw(50, rng, source=[scan] * 50)["knots_out"][:, 1]
    labelled = noise.draw(50, rng)["knots_out"][:, 1]
    assert measured.std() < 1e-6
    assert measured[0] > labelled.mean()
    assert labelled.std() > 0.01


def calibrated(**more):
    noise = fitted({"A": 0.04, "B": 0.09, "C": 0.05}, 1.0, (0.0, 0.0, 0.0))
    offset = (0.1, *[0.0] * (len(NAMES) - 1))
    pairs = {
        "A->B": Pair(offset=offset, apodisation=2.0, grain=0.03),
        "C->B": Pair(offset=offset, apodisation=1.0, grain=0.01),
    }
    return replace(noise, target="B", record=Record(pairs=pairs), **more)


@pytest.mark.parametrize(
    ("source", "dispersion", "share"),
    [("A", 1.0, 1.0), ("C", 1.0, 1 / 3), (None, 1.0, 2 / 3), ("A", 0.5, 0.5)],
)
def test_all_that_calibration_found_goes_together(source, dispersion, share):
    noise = calibrated(source=source, dispersion=dispersion)
    params = noise.draw(2, torch.Generator().manual_seed(0))
    assert params["grain"].tolist() == pytest.approx([0.03 * share] * 2)
    wanted = {1 / 3: 1.0, 2 / 3: 1.5}.get(share, 2.0 * share)
    assert params["apodisation"].tolist() == pytest.approx([wanted] * 2)


def test_what_calibration_found_is_in_the_file(tmp_path):
    path = save_scanner(calibrated(), tmp_path / "scanner.yaml")
    pair = noise_models.load(path).record.pairs["A->B"]
    assert (pair.apodisation, pair.grain) == (2.0, 0.03)
    path.write_text(path.read_text().replace("grain: 0.03", "grain: 3.0"))
    with pytest.raises(ValueError, match="grain"):
        noise_models.load(path)
