"""Settings and presets go into the wheel, and are found by their names."""

import runpy
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import medvae.settings
from medvae.cli.app import app
from medvae.comparison.plan import load_plan
from medvae.demo import DemoSize, demo_config
from medvae.errors import UserError
from medvae.training.config import load_config
from noise_models.presets import PRESETS

ROOT = Path(__file__).parents[1]


def test_a_wheel_has_every_file_of_settings_where_it_looks_for_it(tmp_path):
    runpy.run_path(str(ROOT / "setup.py"))["ship"](tmp_path)
    for source, place in (("configs", "medvae"), ("configs/noise", "noise_models")):
        files = {f.name: f.read_text() for f in (ROOT / source).glob("*.yaml")}
        copies = (tmp_path / place / "configs").iterdir()
        assert {f.name: f.read_text() for f in copies} == files
    assert (tmp_path / "noise_models/configs/thick_slice_clinic.yaml").is_file()
    places = [folder.relative_to(ROOT) for folder in medvae.settings.CONFIGS]
    assert places == [Path("medvae/configs"), Path("configs")]
    assert PRESETS in (ROOT / "noise_models/configs", ROOT / "configs/noise")


def test_settings_that_come_with_medvae_are_found_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = load_plan(Path("compare-small"))
    assert small == load_plan(ROOT / "configs/compare-small.yaml")
    monkeypatch.setattr(medvae.settings, "CONFIGS", (tmp_path,))
    (tmp_path / "compare-small.yaml").write_text("seeds: 7\n")
    assert load_plan(Path("compare-small")).seeds == 7
    with pytest.raises(UserError, match="compare-smal: no such file"):
        load_plan(Path("compare-smal"))


def test_the_small_training_is_the_one_whose_cost_the_demo_tells():
    keys = ("grid", "network", "objective", "optimiser", "augmentation")
    small = load_config(Path("train-small")).model_dump(include={*keys})
    assert small == demo_config("none", 0, DemoSize()).model_dump(include={*keys})
    full = load_config(Path("train")).model_dump(include={*keys})
    assert small["grid"] != full["grid"]


def test_settings_of_a_training_are_told_from_a_comparison_s(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({"optimiser": {"epochs": 1}, "grid": {}}))
    with pytest.raises(
        UserError, match=r"small.yaml: settings of one training; .*arms"
    ):
        load_plan(path)
    path.write_text("sedes: 1\n")
    with pytest.raises(UserError, match=r"unknown key 'sedes'\. Did you mean 'seeds'"):
        load_plan(path)


def test_a_comparison_of_nothing_says_so_on_a_dry_run_too():
    with pytest.raises(UserError, match=r"no data: name it with --data.*compare-small"):
        CliRunner().invoke(app, ["compare", "--dry-run"], catch_exceptions=False)
