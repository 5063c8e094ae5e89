"""A phantom's head imaged again lies where it lay, and looks like the other scanner."""

from pathlib import Path

import numpy as np
import pytest

from medvae.cohort import Scan, read_cohort
from medvae.comparison import reimaged
from medvae.comparison.reimaged import machines_of, reimage_scans
from medvae.errors import UserError
from medvae.evaluation.alignment import estimate_motion
from medvae.evaluation.reconstruction import z_scored_error
from medvae.phantom import make_phantom
from medvae.phantom.reimage import random_scanner, read_recipe
from medvae.phantom.scanners import scanner
from medvae.volume import Grid, prepare_scans

SITES = ("NYU", "UM_1")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom") / "data"
    make_phantom(root, sites=SITES, subjects=1, travelers=1, voxel_scale=4.0)
    cohort = read_cohort(root)
    store = prepare_scans(
        cohort.scans, Grid((24, 28, 24), (8.0, 8.0, 8.0)), root.parent / "cache"
    )
    return root, cohort, store


def views_of(made, tmp_path, site="NYU"):
    root, cohort, store = made
    number = {(s.subject, s.site): i for i, s in enumerate(cohort.scans)}
    here = number["T01", site]
    scans = {here: cohort.scans[here]}
    found = reimage_scans(scans, store, read_recipe(root), SITES, tmp_path, wide=False)
    return number, here, found.views(here)


def test_a_head_imaged_again_by_its_own_scanner_lies_where_it_lay(
    made, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        reimaged, "machines_of", lambda *_, **__: {"again": scanner("NYU")}
    )
    store = made[2]
    _, here, (view,) = views_of(made, tmp_path)
    x, mask = np.array(store.image(here)), np.array(store.mask(here))
    moved = estimate_motion(np.array(view), x, mask, (8.0, 8.0, 8.0))
    assert np.abs(moved.shift_mm).max() < 0.4
    assert np.abs(moved.turn_degrees).max() < 0.4
    # A day of its own: other noise and shading, not the same picture.
    assert 0.001 < z_scored_error(view, x, mask) < 0.2


@pytest.mark.parametrize(("site", "other"), [("NYU", "UM_1"), ("UM_1", "NYU")])
def test_a_view_looks_like_the_other_site_s_scan(made, tmp_path, site, other):
    store = made[2]
    number, here, (view,) = views_of(made, tmp_path, site)
    there = number["T01", other]
    mask = np.array(store.mask(here)) & np.array(store.mask(there))
    real = store.image(there)
    # The traveler lay otherwise there, so some error is left.
    left = z_scored_error(view, real, mask)
    assert left < 0.5 * z_scored_error(store.image(here), real, mask)


def test_views_are_made_once(made, tmp_path):
    root, cohort, store = made
    scans = {0: cohort.scans[0]}
    options = (scans, store, read_recipe(root), SITES, tmp_path)
    first = reimage_scans(*options, wide=True).paths[0]
    written = [path.stat().st_mtime_ns for path in first]
    again = reimage_scans(*options, wide=True).paths[0]
    assert [path.stat().st_mtime_ns for path in again] == written
    assert len(first) == 2


def test_random_scanners_scatter_about_the_training_sites_alone():
    rng = np.random.default_rng(0)
    drawn = [random_scanner(SITES, rng) for _ in range(300)]
    assert {machine.site for machine in drawn} == set(SITES)
    ratio = [np.log(m.noise / scanner(m.site).noise) for m in drawn]
    assert np.std(ratio) == pytest.approx(0.5, abs=0.06)
    assert all(len(m.voxel_mm) == 3 and min(m.matrix) >= 8 for m in drawn)


def test_a_subject_s_own_scanner_is_no_corruption():
    scan = Scan(Path("a.nii"), "NYU01", "NYU")
    assert list(machines_of(scan, SITES, 0, wide=False)) == ["UM_1"]


def test_only_a_phantom_has_true_scanners(tmp_path):
    with pytest.raises(UserError, match="only a phantom knows its true scanners"):
        read_recipe(tmp_path)


def test_a_view_that_was_lost_is_made_again_alone_and_alike(made, tmp_path):
    root, cohort, store = made
    options = ({0: cohort.scans[0]}, store, read_recipe(root), SITES, tmp_path)
    lost, kept = reimage_scans(*options, wide=True).paths[0]
    before, written = lost.read_bytes(), kept.stat().st_mtime_ns
    lost.unlink()
    reimage_scans(*options, wide=True)
    assert lost.read_bytes() == before
    assert kept.stat().st_mtime_ns == written
