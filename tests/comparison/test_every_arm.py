"""Every kind of arm on a small phantom; a stand-in for the fit, which takes minutes."""

import json
import shutil

import numpy as np
import pytest
import yaml
from test_compare_end_to_end import run
from tiny_study import compare, no_bar

from medvae.comparison import stage as comparison_stage
from medvae.comparison.plan import Plan
from medvae.comparison.run import open_data, table_of
from medvae.errors import UserError
from noise_models.scanner import ScannerNoise, save_scanner
from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.sites import summarise_site

TRAIN = {
    "device": "cpu",
    "grid": {"shape": [16, 16, 16], "spacing_mm": [12.0, 12.0, 12.0]},
    "network": {"channels": [2, 4], "latent_channels": 1},
    "objective": {"corruptions": 1},
    "optimiser": {"epochs": 1, "learning_rate": 0.002},
}
ARMS = (
    {"name": "none", "noise": "none"},
    {"name": "gaussian", "noise": "gaussian"},
    {"name": "scanner", "noise": "scanner"},
    {"name": "combat", "baseline": "combat", "regime": "fitted"},
    {"name": "nyul", "baseline": "nyul"},
    {"name": "oracle", "noise": "oracle"},
    {"name": "along", "baseline": "axes", "of": "gaussian", "noise": "oracle"},
)
CONTENT = {
    "phantom": {
        "sites": ["NYU", "UM_1", "KKI"],
        "subjects": 5,
        "travelers": 2,
        "voxel_scale": 5.0,
    },
    "held_out": ["KKI"],
    "seeds": 1,
    "energy_scans": 2,
    "permutations": 5,
    "train": TRAIN,
    "arms": list(ARMS),
}


def stand_in(scans, path, **_):
    """Sites that differ in their noise alone."""
    sites = []
    for label, sigma in zip(scans.sites, (0.02, 0.08, 0.05), strict=False):
        values = np.zeros(len(NAMES))
        values[0] = np.log(sigma)
        one = ScanEstimate(tuple(values), (5.0,) * 3, 1.0, "air", coils=1.0)
        sites.append(summarise_site(label, [one] * 3))
    save_scanner(ScannerNoise(tuple(sites)), path)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("arms")
    plan = Plan.model_validate(CONTENT)
    cohort = open_data(plan, None, root, 1, no_bar)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison_stage, "fit_sites", stand_in)
        result = compare(plan, root / "out", cohort=cohort, cache=root / "cache")
    return plan, cohort, root, result


@pytest.mark.slow
def test_every_arm_is_judged_and_generic_noise_is_as_strong_as_the_fitted(study):
    plan, _, root, result = study
    content = json.loads(result.result.read_text())
    assert list(content["arms"]) == [arm.name for arm in plan.arms]
    energy = {arm: one["energy"] for arm, one in content["settings"].items()}
    assert energy["gaussian"]["0"] == pytest.approx(energy["scanner"]["0"], rel=0.02)
    assert energy["none"]["0"] == 0
    assert energy["nyul"]["0"] > 0
    assert energy["oracle"]["0"] > 0
    gap = content["gaps"]["scanner"]["each"]
    assert "leakage_at_equal_biology" in gap
    _, rows = table_of(content)
    assert [row[0] for row in rows] == [arm.name for arm in plan.arms]
    notes = (
        root / "out" / "arms" / "combat" / "seed-0" / "evaluation.json"
    ).read_text()
    assert "ComBat was fitted on training subjects' latents" in notes


@pytest.mark.slow
def test_arms_that_were_lost_are_made_again_by_two_processes_alike(study):
    plan, cohort, root, result = study
    before = result.content
    arms = root / "out" / "arms"
    weights = {
        name: (arms / name / "seed-0" / "run" / "model.safetensors")
        for name in ("none", "gaussian")
    }
    bytes_before = {name: path.read_bytes() for name, path in weights.items()}
    written = weights["none"].stat().st_mtime_ns
    for name in weights:  # both were killed: one when it was judged, one before
        (arms / name / "seed-0" / "done.json").unlink()
    shutil.rmtree(weights["gaussian"].parent)
    weights["gaussian"].parent.mkdir()
    (arms / "gaussian" / "seed-0" / "scores.json").unlink()
    again = compare(plan, root / "out", cohort=cohort, cache=root / "cache", jobs=2)
    assert weights["none"].stat().st_mtime_ns == written
    assert {name: path.read_bytes() for name, path in weights.items()} == bytes_before
    assert again.content["arms"] == before["arms"]
    assert again.content["gaps"] == before["gaps"]


@pytest.mark.slow
def test_a_finished_comparison_is_printed_at_once(study):
    _, cohort, root, result = study
    (root / "plan.yaml").write_text(yaml.safe_dump(CONTENT | {"phantom": None}))
    words = ("compare", "--data", cohort.root, "--config", root / "plan.yaml")
    places = ("-o", root / "out", "--cache", root / "cache", "--jobs", 1)
    printed = json.loads(run(*words, *places, "--json").stdout)
    assert printed["arms"] == json.loads(json.dumps(result.content["arms"]))


def test_arms_that_are_judged_on_other_grids_are_refused(study, tmp_path):
    _, cohort, root, _ = study
    finer = {"name": "finer", "overrides": {"grid.spacing_mm": [10.0, 10.0, 10.0]}}
    plan = Plan.model_validate(CONTENT | {"arms": [ARMS[0], finer]})
    with pytest.raises(UserError, match="all arms must share one grid"):
        compare(plan, tmp_path / "out", cohort=cohort, cache=root / "cache")
