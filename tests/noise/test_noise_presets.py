"""Reading corruptions from YAML."""

import os
import sys
import types

import pytest

import noise_models
from noise_models import presets
from noise_models.plain_yaml import MAX_TEXT, plain_text
from noise_models.rician import Rician


def write(folder, text, name="noise.yaml"):
    path = folder / name
    path.write_text(text)
    return path


def test_options_are_read_and_lists_become_ranges(tmp_path):
    path = write(tmp_path, "model: rician\nsigma: [0.1, 0.2]\n")
    assert noise_models.load(path) == Rician(sigma=(0.1, 0.2))


def test_argument_overrides_the_file(tmp_path):
    path = write(tmp_path, "model: rician\nsigma: [0.1, 0.2]\n")
    assert noise_models.load(path, sigma=0.3) == Rician(sigma=0.3)


def test_chain_keeps_order_and_options(tmp_path):
    text = "model: chain\nsteps:\n- {model: blur, fwhm_mm: 2}\n- rician\n"
    chain = noise_models.load(write(tmp_path, text))
    assert [step.name for step in chain.steps] == ["blur", "rician"]
    assert chain.steps[0].fwhm_mm == 2


def test_every_preset_in_the_repository_builds():
    names = [path.stem for path in presets.PRESETS.glob("*.yaml")]
    assert len(names) >= 15
    for name in names:
        assert isinstance(noise_models.load(name), noise_models.NoiseModel)


def test_wheel_without_presets_gives_the_same_model(monkeypatch, tmp_path):
    with_preset = noise_models.load("ghosting")
    monkeypatch.setattr(presets, "PRESETS", tmp_path)
    assert noise_models.load("ghosting") == with_preset


def test_misspelt_key_names_file_and_nearest(tmp_path):
    path = write(tmp_path, "model: rician\nsgima: 0.1\n")
    with pytest.raises(ValueError, match=r"noise\.yaml: rician has no .*'sigma'\?"):
        noise_models.load(path)


def test_misspelt_key_of_a_chain_is_refused(tmp_path):
    path = write(tmp_path, "model: chain\nstep: []\n")
    with pytest.raises(ValueError, match=r"no option 'step'.*'steps'\?"):
        noise_models.load(path)


def test_chain_without_steps_is_refused(tmp_path):
    path = write(tmp_path, "model: chain\nsteps: []\n")
    with pytest.raises(ValueError, match="steps must be a list of noises"):
        noise_models.load(path)


def test_bad_range_names_the_file(tmp_path):
    path = write(tmp_path, "model: rician\nsigma: [0.2, 0.1]\n")
    rule = (
        r"noise\.yaml: rician: sigma must satisfy 0 < low <= high, got \(0\.2, 0\.1\)"
    )
    with pytest.raises(ValueError, match=rule):
        noise_models.load(path)


def test_missing_file_says_what_there_is(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"gone\.yaml not found.*fit-noise.*rician"
    ):
        noise_models.load(tmp_path / "gone.yaml")


def test_unknown_name_suggests_a_preset():
    with pytest.raises(ValueError, match="Did you mean 'thick_slice_clinic'"):
        noise_models.load("thick_slice_clinik")


def test_file_without_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="needs the key 'model'"):
        noise_models.load(write(tmp_path, "sigma: 0.1\n"))


@pytest.mark.parametrize("text", ["[1, 2]", "just words", ""])
def test_file_that_is_no_mapping_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match=r"noise\.yaml: must be a mapping"):
        noise_models.load(write(tmp_path, text))


def test_broken_yaml_is_one_line_with_the_file(tmp_path):
    with pytest.raises(ValueError, match=r"noise\.yaml: not valid YAML") as caught:
        noise_models.load(write(tmp_path, "model: [rician\n"))
    assert "\n" not in str(caught.value)


def test_yaml_cannot_run_code(tmp_path):
    text = "model: !!python/object/apply:os.getcwd []\n"
    with pytest.raises(ValueError, match="not valid YAML"):
        noise_models.load(write(tmp_path, text))


def test_fitted_file_goes_to_the_scanner_with_its_options(tmp_path, monkeypatch):
    scanner = types.ModuleType("noise_models.scanner")
    scanner.load_scanner = lambda path, **options: (path, options)
    monkeypatch.setitem(sys.modules, "noise_models.scanner", scanner)
    path = write(tmp_path, "format: medvae-scanner-noise\nversion: 2\n", "scanner.yaml")
    assert noise_models.load(path, source="A") == (path, {"source": "A"})


def test_a_pipe_and_a_file_too_long_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"pipe: not a regular file"):
        plain_text(tmp_path / "pipe")
    with (tmp_path / "long.yaml").open("wb") as file:
        file.truncate(4 * MAX_TEXT + 1)
    with pytest.raises(ValueError, match=r"long\.yaml: 67108865 bytes are too many"):
        plain_text(tmp_path / "long.yaml")
    with pytest.raises(IsADirectoryError):
        plain_text(tmp_path)


def test_a_misspelt_file_is_told_the_one_beside_it(tmp_path):
    (tmp_path / "scanner.yaml").write_text("model: none\n")
    with pytest.raises(FileNotFoundError, match=r"Did you mean '.*/scanner\.yaml'\?"):
        noise_models.load(tmp_path / "scaner.yaml")
    with pytest.raises(FileNotFoundError) as told:
        noise_models.load(tmp_path / "elsewhere.yaml")
    assert "Did you mean" not in str(told.value)
