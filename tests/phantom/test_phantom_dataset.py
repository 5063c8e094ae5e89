"""The data set on disk: BIDS, deterministic, resumable, with its truth."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medvae.errors import UserError
from medvae.files import digest
from medvae.phantom import make_phantom

SITES = ("NYU", "UM_1", "KKI")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantom") / "data"
    return make_phantom(out, sites=SITES, subjects=1, travelers=1, voxel_scale=4.0)


def table(path):
    with path.open() as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def scans(root):
    return sorted(p for p in root.glob("sub-*/**/*.nii.gz"))


def test_official_validator_finds_no_error(root):
    validator = Path(sys.executable).with_name("bids-validator-deno")
    found = (
        str(validator) if validator.exists() else shutil.which("bids-validator-deno")
    )
    if found is None:
        pytest.skip("bids-validator-deno is not installed")
    done = subprocess.run(
        [found, "--json", str(root)], capture_output=True, text=True, check=False
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [i["code"] for i in issues if i["severity"] == "error"] == []
    assert done.returncode == 0


def test_site_labels_survive_file_names(root):
    people = {
        row["participant_id"]: row["site"] for row in table(root / "participants.tsv")
    }
    sessions = table(root / "sub-T01" / "sub-T01_sessions.tsv")
    assert people["sub-UM101"] == "UM_1"
    assert people["sub-T01"] == "n/a"
    assert {row["session_id"]: row["site"] for row in sessions}["ses-UM1"] == "UM_1"


def test_every_scan_has_protocol_and_truth(root):
    assert len(scans(root)) == 6
    for path in scans(root):
        name = path.relative_to(root).as_posix().replace(".nii.gz", ".json")
        protocol = json.loads((root / name).read_text())
        truth = json.loads((root / "derivatives/ground-truth" / name).read_text())
        assert protocol["StationName"] == truth["site"]
        assert protocol["RepetitionTime"] < 10
    listed = table(root / "derivatives/ground-truth/scans_truth.tsv")
    assert len(listed) == 6
    assert all((root / row["scan"]).exists() for row in listed)


def test_number_of_jobs_changes_no_byte(root, tmp_path):
    again = make_phantom(
        tmp_path / "again",
        sites=SITES,
        subjects=1,
        travelers=1,
        voxel_scale=4.0,
        jobs=2,
    )
    for path in (p for p in root.rglob("*") if p.is_file()):
        assert digest(path) == digest(again / path.relative_to(root)), path


def test_seed_changes_every_scan(root, tmp_path):
    other = make_phantom(
        tmp_path / "other",
        sites=["NYU"],
        subjects=1,
        travelers=0,
        voxel_scale=4.0,
        seed=1,
    )
    name = "sub-NYU01/anat/sub-NYU01_T1w.nii.gz"
    assert digest(other / name) != digest(root / name)


def test_a_subject_does_not_depend_on_who_else_is_scanned(root, tmp_path):
    alone = make_phantom(
        tmp_path / "alone", sites=["UM_1"], subjects=1, travelers=0, voxel_scale=4.0
    )
    name = "sub-UM101/anat/sub-UM101_T1w.nii.gz"
    assert digest(alone / name) == digest(root / name)


def in_world(path, points_mm):
    image = nib.load(path)
    places = nib.affines.apply_affine(np.linalg.inv(image.affine), points_mm)
    nearest = np.rint(places).astype(int)
    return np.asarray(image.dataobj)[tuple(nearest.T)].astype(float)


def test_travelers_bring_the_same_anatomy_to_every_site(root):
    grid = np.stack(np.meshgrid(*[np.arange(-50.0, 51, 4)] * 3), -1).reshape(-1, 3)
    points = grid[np.linalg.norm(grid, axis=1) < 55] + (0, -15, 20)
    traveler = [in_world(p, points) for p in scans(root) if "sub-T01" in p.name]
    others = [in_world(p, points) for p in scans(root) if "sub-T01" not in p.name]
    same = np.corrcoef(traveler)[np.triu_indices(3, 1)]
    different = np.corrcoef(others)[np.triu_indices(3, 1)]
    assert same.min() > different.max()


def test_sites_differ_in_what_a_classifier_would_see(root):
    def air_over_head(site):
        image = nib.as_closest_canonical(
            nib.load(next(root.glob(f"sub-T01/ses-{site}/anat/*.nii.gz")))
        )
        values = np.asarray(image.dataobj, dtype=float)
        return np.median(values[:, -3:, -8:]) / np.quantile(values, 0.9)

    assert air_over_head("NYU") > 1.5 * air_over_head("KKI")


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    wanted = {"sites": ["NYU"], "subjects": 3, "travelers": 0, "voxel_scale": 8.0}

    def stop(done, total, name):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_phantom(tmp_path / "out", progress=stop, **wanted)
    assert not (tmp_path / "out").exists()
    [partial] = tmp_path.glob(".out.partial-*")
    first = next(partial.rglob("sub-NYU01_T1w.nii.gz")).stat().st_ino
    out = make_phantom(tmp_path / "out", **wanted)
    assert next(out.rglob("sub-NYU01_T1w.nii.gz")).stat().st_ino == first
    assert not list(tmp_path.glob(".out.partial-*"))


def test_a_finished_phantom_is_left_alone_and_another_recipe_is_refused(root):
    before = {p: p.stat().st_mtime_ns for p in scans(root)}
    make_phantom(root, sites=SITES, subjects=1, travelers=1, voxel_scale=4.0)
    assert before == {p: p.stat().st_mtime_ns for p in scans(root)}
    with pytest.raises(UserError, match="holds a phantom with seed 0, but 5"):
        make_phantom(
            root, sites=SITES, subjects=1, travelers=1, voxel_scale=4.0, seed=5
        )


def test_a_recipe_that_says_more_is_that_of_the_same_phantom(tmp_path):
    recipe = {"sites": ["NYU"], "subjects": 1, "travelers": 0, "seed": 0}
    told = tmp_path / "derivatives" / "ground-truth" / "phantom.json"
    told.parent.mkdir(parents=True)
    told.write_text(json.dumps(recipe | {"voxel_scale": 4.0, "by": "a later medvae"}))
    words = {"sites": ["NYU"], "subjects": 1, "travelers": 0, "voxel_scale": 4.0}
    assert make_phantom(tmp_path, **words) == tmp_path


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="something that is not a phantom"):
        make_phantom(tmp_path, sites=["NYU"], subjects=1)
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"subjects": -1}, "subjects must be at least 0, got -1"),
        ({"travelers": -2}, "travelers must be at least 0, got -2"),
        ({"subjects": 0, "travelers": 0}, "must not both be 0"),
        ({"voxel_scale": 0.0}, "voxel_scale must be between 1 and 8, got 0"),
        ({"sites": ["NYU", "NYU"]}, "sites must be named once each, got NYU, NYU"),
        ({"sites": ["NYC"]}, "Did you mean 'NYU'"),
        ({"jobs": 0}, "jobs must be at least 1, got 0"),
    ],
)
def test_impossible_requests_are_named(tmp_path, wrong, message):
    with pytest.raises(UserError, match=message):
        make_phantom(tmp_path / "out", **wrong)
    assert not any(tmp_path.iterdir())


def test_the_phantom_never_loads_the_noise_models():
    names = "('noise_models', 'torch')"
    code = f"import sys, medvae.phantom; print(*(n in sys.modules for n in {names}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]
