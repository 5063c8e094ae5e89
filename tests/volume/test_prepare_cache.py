"""A prepared scan is the scan, in reference units; the cache makes it once."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from simple_head import make_head

from medvae.errors import UserError
from medvae.files import user_cache
from medvae.volume import Grid, prepare, prepare_scans, read_volume, write_nifti

GRID = Grid((24, 28, 24), (8.0, 8.0, 8.0))


@pytest.fixture(scope="module")
def head():
    return make_head()


@dataclass(frozen=True)
class File:
    path: Path
    mask: Path | None = None


@pytest.fixture(scope="module")
def small():
    return make_head(spacing_mm=4.0, shape=(52, 60, 60))


@pytest.fixture
def scans(small, tmp_path):
    files = []
    for i in range(3):
        path = tmp_path / f"scan{i}.nii.gz"
        write_nifti(path, small.image * (1 + i), small.affine)
        files.append(File(path))
    return files


def test_white_matter_becomes_one_and_the_gain_of_the_scanner_vanishes(small):
    ready = [prepare(read_volume(small.nifti()), GRID)]
    doubled = small.image * 2
    write = type(small)(doubled, small.affine, small.inside, 2 * small.white_level)
    ready.append(prepare(read_volume(write.nifti()), GRID))
    assert ready[0].reference == pytest.approx(small.white_level, rel=0.06)
    assert ready[1].image == pytest.approx(ready[0].image, rel=1e-4, abs=1e-5)
    assert ready[0].image.min() >= 0


def test_the_head_lands_in_the_middle_of_the_grid(small):
    mask = prepare(read_volume(small.nifti()), GRID).mask
    x, y, _ = (np.flatnonzero(mask.any(axis=a)) for a in ((1, 2), (0, 2), (0, 1)))
    assert (x[0] + x[-1]) / 2 == pytest.approx(11.5, abs=0.6)
    assert (y[0] + y[-1]) / 2 == pytest.approx(13.5, abs=0.6)


def test_noise_in_a_prepared_scan_follows_the_noise_gain(head):
    quiet, loud = (make_head(noise=s, seed=3, zeroed=True) for s in (1e-6, 0.04))
    grid = Grid((48, 56, 48), (3.0, 3.0, 3.0))
    clean = prepare(read_volume(quiet.nifti()), grid)
    noisy = clean.placement.to_grid(loud.image.astype(np.float32))
    still = clean.placement.to_grid(quiet.image.astype(np.float32))
    middle = clean.image > 0.9
    middle &= clean.image < 1.1
    spread = (noisy - still)[middle].std() / loud.white_level
    assert spread == pytest.approx(0.04 * clean.noise_gain, rel=0.05)


def test_a_users_mask_is_kept_and_does_not_move_the_grid(small):
    volume = read_volume(small.nifti())
    world_z = np.arange(60) * 4.0 + small.affine[2, 3]
    brain = small.inside & (world_z > 0)
    plain, masked = prepare(volume, GRID), prepare(volume, GRID, brain)
    assert (plain.placement.matrix == masked.placement.matrix).all()
    assert masked.mask.sum() == pytest.approx(brain.sum() / 8, rel=0.1)


def test_a_mask_that_does_not_fit_is_refused(small):
    volume = read_volume(small.nifti())
    with pytest.raises(UserError, match=r"its mask has \(2, 2, 2\)"):
        prepare(volume, GRID, np.ones((2, 2, 2)))
    with pytest.raises(UserError, match="its mask is empty"):
        prepare(volume, GRID, np.zeros(volume.data.shape))


def test_nan_and_darkness_are_refused(small):
    volume = read_volume(small.nifti())
    volume.data[0, 0, 0] = np.nan
    with pytest.raises(UserError, match="NaN or infinite"):
        prepare(volume, GRID)
    volume.data[:] = 0
    with pytest.raises(UserError, match="foreground is empty"):
        prepare(volume, GRID)


def test_the_cache_holds_what_prepare_gives(scans, tmp_path):
    cohort = prepare_scans(scans, GRID, tmp_path / "cache")
    direct = prepare(read_volume(scans[1].path), GRID)
    cached = cohort.prepared(1)
    assert len(cohort) == 3
    assert isinstance(cohort.image(1), np.memmap)
    assert (cached.image == direct.image).all()
    assert (cached.mask == direct.mask).all()
    assert cached.meta() == direct.meta()


def test_nothing_is_made_twice(scans, tmp_path, monkeypatch):
    first = prepare_scans(scans, GRID, tmp_path / "cache")
    monkeypatch.setattr("medvae.volume.cache.prepare", None)
    renamed = scans[0].path.rename(tmp_path / "other.nii.gz")
    again = prepare_scans([File(renamed), *scans[1:]], GRID, tmp_path / "cache")
    assert again.folders == first.folders


def test_a_changed_scan_or_grid_is_made_anew(small, scans, tmp_path):
    first = prepare_scans(scans[:1], GRID, tmp_path / "cache")
    finer = Grid(GRID.shape, (7.0, 7.0, 7.0))
    other = prepare_scans(scans[:1], finer, tmp_path / "cache")
    write_nifti(scans[0].path, small.image[::-1], small.affine)
    changed = prepare_scans(scans[:1], GRID, tmp_path / "cache")
    assert len({first.folders[0], other.folders[0], changed.folders[0]}) == 3


def test_a_stop_halfway_keeps_what_was_done(scans, tmp_path):
    good = scans[1].path.read_bytes()
    scans[1].path.write_bytes(b"broken")
    with pytest.raises(UserError, match=r"scan1\.nii\.gz: not a readable NIfTI"):
        prepare_scans(scans, GRID, tmp_path / "cache")
    assert [p.name[0] != "." for p in (tmp_path / "cache").iterdir()] == [True]
    scans[1].path.write_bytes(good)
    assert len(prepare_scans(scans, GRID, tmp_path / "cache")) == 3


def test_progress_counts_every_scan_once(scans, tmp_path):
    calls = []
    prepare_scans(scans, GRID, tmp_path / "c", progress=lambda *a: calls.append(a))
    assert calls == [(i + 1, 3, f"scan{i}.nii.gz") for i in range(3)]


def test_two_processes_give_the_scans_in_order(scans, tmp_path):
    one = prepare_scans(scans, GRID, tmp_path / "one")
    two = prepare_scans(scans, GRID, tmp_path / "two", jobs=2)
    assert [f.name for f in one.folders] == [f.name for f in two.folders]
    assert two.image(2) == pytest.approx(one.image(2), rel=1e-4, abs=1e-5)


def test_a_full_disk_leaves_no_half_entry(scans, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        prepare_scans(scans[:1], GRID, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def cut(file):
    file.write_bytes(file.read_bytes()[:500])


def empty(file):
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, empty, Path.unlink])
@pytest.mark.parametrize("name", ["image.npy", "mask.npy", "meta.json"])
def test_a_damaged_entry_is_made_anew(damage, name, scans, tmp_path):
    cache = tmp_path / "cache"
    first = prepare_scans(scans[:1], GRID, cache)
    whole = {p.name: p.read_bytes() for p in first.folders[0].iterdir()}
    damage(first.folders[0] / name)
    again = prepare_scans(scans[:1], GRID, cache)
    assert {p.name: p.read_bytes() for p in again.folders[0].iterdir()} == whole
    assert list(cache.iterdir()) == [*again.folders]


def test_an_entry_is_on_the_disk_before_it_has_its_name(scans, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("medvae.volume.cache.to_disk", lambda p: synced.append(p.name))
    prepare_scans(scans[:1], GRID, tmp_path / "cache")
    assert sorted(synced) == ["image.npy", "mask.npy", "meta.json"]


def test_what_killed_writers_left_is_swept_when_old(scans, tmp_path):
    old, new = tmp_path / "cache/.partial-old", tmp_path / "cache/.partial-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    prepare_scans(scans[:1], GRID, tmp_path / "cache")
    assert (old.exists(), new.exists()) == (False, True)


def test_a_cache_below_a_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match=r"file: not a folder.* Set XDG_CACHE_HOME"):
        user_cache()


def test_what_another_process_prepared_meanwhile_is_taken(scans, tmp_path, monkeypatch):
    cache, other = tmp_path / "cache", []

    def and_another_was_quicker(*given):
        if not other:
            other.append(1)
            other[:] = prepare_scans(scans[:1], GRID, cache).folders
            monkeypatch.setattr("medvae.volume.cache.os.replace", None)
        return prepare(*given)

    monkeypatch.setattr("medvae.volume.cache.prepare", and_another_was_quicker)
    assert prepare_scans(scans[:1], GRID, cache).folders == tuple(other)
    assert [path.name for path in cache.iterdir()] == [other[0].name]


def test_a_rename_that_another_process_was_quicker_with_is_no_failure(
    scans, tmp_path, monkeypatch
):
    cache, rename = tmp_path / "cache", os.replace

    def too_late(partial, folder):
        rename(partial, folder)
        raise OSError("Directory not empty")

    monkeypatch.setattr("medvae.volume.cache.os.replace", too_late)
    made = prepare_scans(scans[:1], GRID, cache)
    assert (made.image(0) == prepare(read_volume(scans[0].path), GRID).image).all()
    assert [path.name for path in cache.iterdir()] == [made.folders[0].name]
