"""What was found in a cohort is remembered, and looked at again once it changes."""

import gc
import json

import nibabel as nib
import numpy as np
import pytest

from medvae.cohort import check, examined_cohort
from medvae.volume.checks import check_scan
from medvae.volume.plain import plain_geometry


def save(path, shape=(12, 12, 12), affine=None, dtype=np.int16):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.ones(shape, dtype)
    nib.save(nib.Nifti1Image(data, np.eye(4) if affine is None else affine), path)


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "data"
    for number, site in enumerate("AABB"):
        save(root / f"sub-{number}" / "anat" / f"sub-{number}_T1w.nii.gz")
        rows = (root / "participants.tsv").read_text() if number else "participant_id\t"
        rows = rows if number else rows + "site\tage\n"
        text = f"{rows}sub-{number}\t{site}\t{20 + number}\n"
        (root / "participants.tsv").write_text(text)
    return root


@pytest.fixture
def look(tree, tmp_path, monkeypatch):
    """Examine the tree; (what was found, how many scans were looked at)."""
    seen = []
    real = check.check_scan
    monkeypatch.setattr(
        check, "check_scan", lambda path, **kw: seen.append(path) or real(path, **kw)
    )

    def again():
        seen.clear()
        found = examined_cohort(tree, header_only=True, cache=tmp_path / "cache")
        return found, len(seen)

    return again


def test_a_second_look_opens_nothing_and_finds_the_same(look):
    first, opened = look()
    assert opened == 4
    again, opened = look()
    assert opened == 0
    assert again == first
    assert [scan.age for scan in again.cohort.scans] == [20, 21, 22, 23]


def test_a_new_scan_is_found(look, tree):
    look()
    save(tree / "sub-9" / "anat" / "sub-9_T1w.nii.gz")
    assert len(look()[0].cohort) == 5


def test_another_run_in_a_known_folder_is_found(look, tree):
    look()
    save(tree / "sub-1" / "anat" / "sub-1_run-2_T1w.nii.gz")
    assert len(look()[0].cohort) == 5


def test_a_changed_scan_is_examined_again(look, tree):
    assert not look()[0].cohort.problems
    save(tree / "sub-2" / "anat" / "sub-2_T1w.nii.gz", shape=(12, 12, 3))
    assert "thinner" in str(look()[0].cohort.problems)


def test_a_changed_table_is_read_again(look, tree):
    look()
    table = tree / "participants.tsv"
    table.write_text(table.read_text().replace("\tB\t", "\tNEW\t"))
    assert look()[0].cohort.sites == ("A", "NEW")


def test_a_removed_scan_is_gone(look, tree):
    look()
    (tree / "sub-3" / "anat" / "sub-3_T1w.nii.gz").unlink()
    assert len(look()[0].cohort) == 3


def test_a_damaged_index_is_made_again(look, tmp_path):
    first, _ = look()
    (kept,) = (tmp_path / "cache" / "cohorts").iterdir()
    kept.write_text(kept.read_text()[:100])
    again, opened = look()
    assert (again, opened) == (first, 4)


TILTED = np.eye(4)
TILTED[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]


@pytest.mark.parametrize(
    "options",
    [
        {"shape": (12, 12, 3)},
        {"shape": (12, 12, 12, 4)},
        {"affine": TILTED},
        {"affine": np.diag([1.0, 1.0, 4.0, 1.0])},
        {"affine": np.diag([20.0, 20.0, 20.0, 1.0])},
        {"affine": np.diag([0.05, 0.05, 0.05, 1.0])},
    ],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_what_is_wrong_with_a_header_is_never_taken_for_plain(
    tmp_path, options, suffix
):
    path = tmp_path / f"a{suffix}"
    save(path, **options)
    assert plain_geometry(path) is None
    assert check_scan(path, header_only=True)


def test_a_file_too_short_for_its_header_is_not_plain(tmp_path):
    path = tmp_path / "a.nii"
    save(path)
    assert plain_geometry(path) == ((12, 12, 12), (1, 1, 1))
    path.write_bytes(path.read_bytes()[:-1])
    assert plain_geometry(path) is None


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (-1, -1, 2)])
def test_flipped_axes_and_zipped_files_are_plain(tmp_path, suffix, signs):
    path = tmp_path / f"a{suffix}"
    save(path, affine=np.diag([*signs, 1.0]), dtype=np.float32)
    assert plain_geometry(path) == ((12, 12, 12), tuple(map(abs, signs)))
    assert check_scan(path, header_only=True) == []


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_of_garbage_is_left_as_it_was(look, was_on):
    look()
    try:
        (gc.enable if was_on else gc.disable)()
        look()
        assert gc.isenabled() is was_on
    finally:
        gc.enable()


def test_a_new_scan_behind_a_link_is_found(tmp_path):
    for site in ("A", "B"):
        save(tmp_path / "store" / site / "p1.nii")
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / site).symlink_to(tmp_path / "store" / site)
    options = {"header_only": True, "cache": tmp_path / "cache"}
    assert len(examined_cohort(tmp_path / "data", **options).cohort) == 2
    save(tmp_path / "store" / "A" / "new" / "p2.nii")
    assert len(examined_cohort(tmp_path / "data", **options).cohort) == 3


def test_a_sidecar_above_the_scans_of_a_table_is_read_again(tmp_path):
    save(tmp_path / "sub-1" / "anat" / "sub-1_T1w.nii.gz")
    (tmp_path / "table.csv").write_text("path\nsub-1/anat/sub-1_T1w.nii.gz\n")
    for maker in ("GE", "Siemens"):
        words = {"Manufacturer": maker, "ManufacturersModelName": "X"}
        (tmp_path / "T1w.json").write_text(json.dumps(words))
        words = tmp_path / "table.csv", "sidecar"
        found = examined_cohort(*words, header_only=True, cache=tmp_path / "cache")
        assert found.cohort.sites == (f"{maker}_X",)


def test_what_changed_while_it_was_looked_at_is_looked_at_again(tree, tmp_path):
    whole = (tree / "sub-0" / "anat" / "sub-0_T1w.nii.gz").read_bytes()
    (tree / "sub-0" / "anat" / "sub-0_T1w.nii.gz").write_bytes(whole[:60])

    def arrives(done, total, name):
        if done == total:
            (tree / "sub-0" / "anat" / "sub-0_T1w.nii.gz").write_bytes(whole)

    first = examined_cohort(tree, cache=tmp_path / "cache", progress=arrives)
    assert "sub-0_T1w" in str(first.cohort.problems)
    again = examined_cohort(tree, cache=tmp_path / "cache")
    assert "ended before" not in str(again.cohort.problems)
