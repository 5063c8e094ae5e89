"""What a fit keeps of its trial: deciles and spectra, in memory and on disk."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

import noise_models
from noise_models.scanner import Goodness, Record, save_scanner
from noise_models.scanner.artefact import content_digest
from noise_models.scanner.common_grid import Looks
from noise_models.scanner.features import FEATURES, SPECTRUM_PER_MM, radial_spectrum
from noise_models.scanner.marginals import feature_deciles, mean_spectra


@pytest.fixture(scope="module")
def kept():
    rng = np.random.default_rng(0)
    bands = len(SPECTRUM_PER_MM) - 1
    tables = [
        Looks(rng.normal(k, 1, (12, len(FEATURES))), rng.normal(k, 1, (12, bands)))
        for k in range(3)
    ]
    goodness = Goodness(
        0.9,
        0.6,
        0.5,
        "pass",
        (12, 12),
        features=dict.fromkeys(FEATURES, (0.2, 1.0)),
        quantiles=feature_deciles([table.features for table in tables]),
        spectra=mean_spectra(tables),
    )
    return tables, goodness


def test_deciles_are_those_of_the_features(kept):
    tables, goodness = kept
    for table, row in zip(tables, goodness.quantiles["head q95"], strict=True):
        values = np.sort(table.features[:, FEATURES.index("head q95")])
        assert row[0] == pytest.approx(values[0], abs=1e-4)
        assert row[-1] == pytest.approx(values[-1], abs=1e-4)
        assert row[5] == pytest.approx((values[5] + values[6]) / 2, abs=1e-4)


def test_spectra_are_means_over_scans(kept):
    tables, goodness = kept
    assert goodness.spectra.corrupted == pytest.approx(
        tables[1].spectra.sum(0) / 12, abs=1e-4
    )


def test_white_noise_has_a_flat_spectrum_of_its_variance():
    x = np.random.default_rng(0).normal(0, 0.1, (80, 80, 80)).astype(np.float32)
    found = radial_spectrum(x, (2.0, 2.0, 2.0), (39.5, 39.5, 39.5))
    assert found[5:] == pytest.approx(np.log(0.01), abs=0.1)


def test_blur_lowers_the_spectrum_as_a_gaussian_does():
    from scipy import ndimage

    x = np.random.default_rng(0).normal(size=(80, 80, 80))
    smooth = ndimage.gaussian_filter(x, 1.5, mode="wrap")
    spectra = [
        radial_spectrum(v.astype(np.float32), (2.0,) * 3, (39.5,) * 3)
        for v in (x, smooth)
    ]
    middles = (np.array(SPECTRUM_PER_MM)[1:] + np.array(SPECTRUM_PER_MM)[:-1]) / 2
    wanted = -4 * np.pi**2 * 3.0**2 * middles**2
    within = slice(5, 11)  # far above the window's leakage
    assert (spectra[1] - spectra[0])[within] == pytest.approx(wanted[within], abs=0.15)


def test_deciles_and_spectra_come_back_from_the_file(fitted, kept, tmp_path):
    noise = replace(fitted, record=Record(goodness={"sharp->worse": kept[1]}))
    path = save_scanner(noise, tmp_path / "scanner.yaml")
    back = noise_models.load(path).record.goodness["sharp->worse"]
    assert back.quantiles == kept[1].quantiles
    assert back.spectra == kept[1].spectra


def test_a_feature_takes_one_line_of_the_file(fitted, kept, tmp_path):
    noise = replace(fitted, record=Record(goodness={"sharp->worse": kept[1]}))
    text = save_scanner(noise, tmp_path / "scanner.yaml").read_text()
    (line,) = [row for row in text.splitlines() if row.startswith("      head q95: [[")]
    assert line.endswith("]]")


def test_files_of_earlier_fits_still_load(fitted, kept, tmp_path):
    noise = replace(fitted, record=Record(goodness={"sharp->worse": kept[1]}))
    path = save_scanner(noise, tmp_path / "scanner.yaml")
    content = yaml.safe_load(path.read_text())
    for key in ("quantiles", "spectra"):
        del content["goodness"]["sharp->worse"][key]
    content["digest"] = content_digest(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    back = noise_models.load(path).record.goodness["sharp->worse"]
    assert back.quantiles == {}
    assert back.spectra is None


def test_a_missing_decile_is_named_with_its_line(fitted, kept, tmp_path):
    short = {**kept[1].quantiles, "head q95": ((0.0,) * 10,) * 3}
    goodness = replace(kept[1], quantiles=short)
    noise = replace(fitted, record=Record(goodness={"sharp->worse": goodness}))
    path = save_scanner(noise, tmp_path / "scanner.yaml")
    with pytest.raises(ValueError, match=r"scanner.yaml:\d+: goodness.*head q95"):
        noise_models.load(path)


def test_spectra_of_unequal_length_are_refused(fitted, kept, tmp_path):
    goodness = replace(kept[1], spectra=replace(kept[1].spectra, a=(0.0,)))
    noise = replace(fitted, record=Record(goodness={"sharp->worse": goodness}))
    path = save_scanner(noise, tmp_path / "scanner.yaml")
    with pytest.raises(ValueError, match=r"spectra.*one length, got \[19, 1, 19, 19\]"):
        noise_models.load(path)
