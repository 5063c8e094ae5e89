"""A phantom's head imaged again lies where it lay, and looks like the other scanner."""

from pathlib import Path

import numpy as np
import pytest

from medvae.cohort import Scan, read_cohort
from medvae.comparison.reimaged import machines_of, reimage_scans
from medvae.errors import UserError
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


def test_a_view_lies_on_its_scan_and_looks_like_the_other_site(made, tmp_path):
    root, cohort, store = made
    number = {(s.subject, s.site): i for i, s in enumerate(cohort.scans)}
    here, there = number["T01", "NYU"], number["T01", "UM_1"]
    views = reimage_scans(
        {here: cohort.scans[here]},
        store,
        read_recipe(root),
        SITES,
        tmp_path,
        wide=False,
    )
    (view,) = views.views(here)
    mask = store.mask(here) & store.mask(there)
    x, real = store.image(here), store.image(there)
    # The real scan at the other site was placed anew; the view was not.
    assert np.corrcoef(view[mask], x[mask])[0, 1] > 0.9
    assert z_scored_error(view, real, mask) < z_scored_error(x, real, mask)


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
