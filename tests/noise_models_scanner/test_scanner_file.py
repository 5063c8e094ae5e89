"""A fitted noise on disk: the same draws again, and no number of it altered."""

import pickle
from dataclasses import replace

import pytest
import torch
from simulated_head import SCANS

import noise_models
from noise_models.scanner import (
    ScannerNoise,
    load_scanner,
    save_scanner,
    show,
)
from noise_models.scanner.estimate import NAMES
from noise_models.scanner.evidence_file import PairedFile, paired_content
from noise_models.scanner.record import PairedEvidence


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_pickled_noise_draws_the_same(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    one, other = (m.draw(3, generator()) for m in (fitted, again))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_yaml_round_trip_draws_the_same(fitted, tmp_path):
    path = save_scanner(fitted, tmp_path / "scanner.yaml")
    again = noise_models.load(path, source="sharp", target="worse", dispersion=2.0)
    assert isinstance(again, ScannerNoise)
    chosen = replace(fitted, source="sharp", target="worse", dispersion=2.0)
    one, other = (m.draw(3, generator()) for m in (chosen, again))
    for key in one:
        assert torch.allclose(
            one[key].double(), other[key].double(), rtol=1e-5, atol=1e-7
        )
    for key in ("evidence", "seed", "versions", "inputs", "warnings"):
        assert getattr(again.record, key) == getattr(fitted.record, key)
    assert again.record.pairs.keys() == fitted.record.pairs.keys()


def test_the_command_travels_with_the_file(fitted, tmp_path):
    typed = "medvae fit-noise 'site \u00e4' B --seed 3"
    named = replace(fitted, record=replace(fitted.record, command=typed))
    path = save_scanner(named, tmp_path / "scanner.yaml")
    assert noise_models.load(path).record.command == typed
    assert show(noise_models.load(path))["command"] == typed
    path.write_text(path.read_text().replace("--seed 3", "--seed 4"))
    with pytest.raises(ValueError, match="changed after it was fitted"):
        noise_models.load(path)


def test_a_file_of_before_commands_were_noted_is_read(fitted, tmp_path):
    path = save_scanner(fitted, tmp_path / "scanner.yaml")
    assert "command:" not in path.read_text()
    assert noise_models.load(path).record.command == ""


def test_a_broken_file_is_refused_with_line_and_key(fitted, tmp_path):
    path = save_scanner(fitted, tmp_path / "scanner.yaml")
    text = path.read_text()
    line = next(k for k, row in enumerate(text.splitlines(), 1) if "subjects:" in row)
    path.write_text(text.replace(f"subjects: {SCANS}", "subjects: many", 1))
    with pytest.raises(
        ValueError, match=rf"scanner.yaml:{line}: sites.sharp.subjects: .*got 'many'"
    ):
        noise_models.load(path)
    path.write_text(text.replace("version: 2", "version: 9", 1))
    with pytest.raises(ValueError, match="version must be 2, got 9"):
        noise_models.load(path)
    path.write_text(text.replace("      log_sigma: -", "      log_sgma: -", 1))
    with pytest.raises(ValueError, match="log_sgma"):
        noise_models.load(path)


def test_a_file_that_was_changed_after_the_fit_is_refused(fitted, tmp_path):
    path = save_scanner(fitted, tmp_path / "scanner.yaml")
    text = path.read_text()
    assert "log_sigma: -" in text
    path.write_text(text.replace("log_sigma: -", "log_sigma: -1", 1))
    with pytest.raises(ValueError, match="changed after it was fitted"):
        noise_models.load(path)
    path.write_text(text + "# a remark\n")
    assert noise_models.load(path).labels == fitted.labels


def test_show_has_the_promised_keys(fitted):
    shown = show(fitted)
    assert set(shown) >= {"sites", "pairs", "goodness", "evidence"}
    site = shown["sites"]["sharp"]
    assert set(site) >= {
        "scans",
        "noise_sigma",
        "psf_fwhm_mm",
        "bias_rms",
        "tissue_contrast",
    }
    low, high = site["noise_sigma"]["ci95"]
    assert low < site["noise_sigma"]["median"] < high
    pair = shown["pairs"]["sharp->worse"]
    assert set(pair) == {"sigma_add", "psf_add_fwhm_mm", "clipped"}
    assert set(pair["clipped"]) == {"noise", "psf", "psf_axes"}
    assert set(pair["clipped"]["psf_axes"]) == set("xyz")


def test_what_is_no_fitted_file_says_how_to_make_one(fitted, tmp_path):
    path = save_scanner(fitted, tmp_path / "scanner.yaml")
    with pytest.raises(ValueError, match=r"no option 'dispersoin'.* 'dispersion'\?"):
        load_scanner(path, dispersoin=2.0)
    with pytest.raises(FileNotFoundError, match=r"gone\.yaml not found\. Make it with"):
        load_scanner(tmp_path / "gone.yaml")
    (tmp_path / "other.yaml").write_text("model: rician\n")
    with pytest.raises(ValueError, match=r"other\.yaml: format must be .*, got None"):
        load_scanner(tmp_path / "other.yaml")
    (tmp_path / "list.yaml").write_text("[1, 2]\n")
    with pytest.raises(ValueError, match=r"list\.yaml: format must be .* got \[1, 2\]"):
        load_scanner(tmp_path / "list.yaml")


def test_what_travelers_say_must_name_every_parameter():
    ends = ((-1.0, 1.0),) * len(NAMES)
    whole = paired_content(PairedEvidence(3, (0.5,) * len(NAMES), ends))
    assert PairedFile.model_validate(whole).people == 3
    for key in ("difference", "ci95"):
        table = {name: value for name, value in whole[key].items() if name != NAMES[4]}
        with pytest.raises(ValueError, match=f"{key} must list the parameters"):
            PairedFile.model_validate({**whole, key: table})
