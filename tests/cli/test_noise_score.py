"""How far scans lie outside a site: what is said of good scans, and of bad ones."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cohort"))
sys.path.insert(0, str(Path(__file__).parents[1] / "adapters"))
sys.path.insert(0, str(Path(__file__).parent))
import odd_fits
import small_tree
from fitted_noise import fitted_noise
from odd_fits import of_travelers, run

from medvae.errors import UserError
from noise_models.scanner import save_scanner
from noise_models.scanner.estimate import NAMES, ScanEstimate

tree, fit = small_tree.tree, odd_fits.fit


def scored(path, monkeypatch, *more, scans=("a.nii", "b.nii", "c.nii"), values=None):
    """Score three scans, each between the two sites in its noise, or as given."""
    far = np.zeros(len(NAMES))
    far[0] = np.log(0.06)
    one = ScanEstimate(tuple(values or far), (1.0,) * 3, 1.0, "air", coils=1.0)
    monkeypatch.setattr("noise_models.scanner.estimate_cached", lambda *_: one)
    monkeypatch.setattr("medvae.noise.scored.refuse_bad", lambda path: None)
    return run("noise", "score", path, *scans, *more)


def test_what_a_fit_adjusted_is_not_held_against_a_scan(tmp_path, monkeypatch):
    path = save_scanner(of_travelers(), tmp_path / "scanner.yaml")
    told = " ".join(scored(path, monkeypatch).output.split())
    assert "not compared, since the fit was adjusted or paired: " in told
    content = json.loads(scored(path, monkeypatch, "--json").stdout)
    assert len(content["scans"]) == 3
    assert content["not_compared"]
    unpaired = replace(of_travelers().record, paired={})
    alone = save_scanner(replace(of_travelers(), record=unpaired), tmp_path / "b.yaml")
    fewer = json.loads(scored(alone, monkeypatch, "--json").stdout)["not_compared"]
    assert set(fewer) < set(content["not_compared"])


def test_three_scans_of_one_site_tell_of_its_drift(fit, monkeypatch):
    told = " ".join(scored(fit, monkeypatch, "--site", "A").output.split())
    assert "together: " in told
    assert "noise moved by a factor of " in told
    assert "over 3 scans of 3 people" in told
    assert "together: " not in scored(fit, monkeypatch).output


def test_scans_of_one_person_tell_of_no_drift(fit, monkeypatch):
    scans = [f"sub-01_ses-{k}_T1w.nii" for k in range(3)]
    told = scored(fit, monkeypatch, "--site", "A", scans=scans).output
    assert "together: " not in told
    assert "no drift is tested: 3 scans of 1 person" in " ".join(told.split())


def test_scans_like_their_site_s_are_not_said_to_have_moved(fit, monkeypatch):
    mean = fitted_noise().sites[0].mean
    told = scored(fit, monkeypatch, "--site", "A", values=mean).output
    assert "together: no common drift from A seen (p = 1.00" in " ".join(told.split())
    assert "moved" not in told


BAD = ("bad.nii", "slice.nii")


@pytest.fixture
def partly_bad(monkeypatch):
    """One file is no image and another cannot be measured: five scans, three good."""
    mean = fitted_noise().sites[0].mean
    one = ScanEstimate(tuple(mean), (1.0,) * 3, 1.0, "air", coils=1.0)

    def estimate(path, label):
        if path.name == "slice.nii":
            raise ValueError(f"{label}: too thin. Remove the scan.")
        return one

    def refuse(path):
        if path.name == "bad.nii":
            raise UserError(f"{path}: not readable. Export it again.")

    monkeypatch.setattr("noise_models.scanner.estimate_cached", estimate)
    monkeypatch.setattr("medvae.noise.scored.refuse_bad", refuse)
    return ("a.nii", BAD[0], "b.nii", BAD[1], "c.nii", "--site", "A", "--jobs", 1)


def test_a_bad_scan_is_named_after_the_scores_of_the_good(fit, partly_bad):
    done = run("noise", "score", fit, *partly_bad)
    assert done.exit_code == 2
    told = " ".join(done.stdout.split())
    assert all(f"{name}.nii " in told for name in "abc")
    assert not any(name in told for name in BAD)
    assert "over 3 scans of 3 people" in told
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert [line.split(":")[1].strip() for line in errors] == [*BAD]


def test_scores_in_json_name_the_bad_scans(fit, partly_bad):
    done = run("noise", "score", fit, *partly_bad, "--json")
    assert done.exit_code == 2
    content = json.loads(done.stdout)
    assert [row["path"] for row in content["scans"]] == ["a.nii", "b.nii", "c.nii"]
    assert [line.split(":")[0] for line in content["failed"]] == [*BAD]
    assert content["drift"]["scans"] == 3


def test_no_table_is_shown_where_every_scan_is_bad(fit, partly_bad):
    done = run("noise", "score", fit, *BAD)
    assert done.exit_code == 2
    assert "likeliest" not in done.output


def test_scans_are_scored_by_the_folder(fit, tree, monkeypatch):
    root = tree(dict.fromkeys(["new/a.nii", "new/b.nii", "new/c.nii"], ""))
    words = (root / "new", root / "d.nii", "--json")
    content = json.loads(scored(fit, monkeypatch, scans=words).stdout)
    names = [Path(row["path"]).name for row in content["scans"]]
    assert names == ["a.nii", "b.nii", "c.nii", "d.nii"]
