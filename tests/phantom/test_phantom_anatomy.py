"""Heads: tissues at their places, people that differ, age that can be read."""

import numpy as np
import pytest

from medvae.phantom import acquire, anatomy, scan_rng, scanner
from medvae.phantom.anatomy import draw_person
from medvae.phantom.tissues import TISSUES


def share(head, tissue, x, y, z):
    place = [
        int(np.argmin(np.abs(axis - mm)))
        for axis, mm in zip(head.axes_mm, (x, y, z), strict=True)
    ]
    return head.tissues[(TISSUES.index(tissue), *place)] / 255


@pytest.fixture(scope="module")
def head():
    return anatomy(0, "T01", age=40, spacing_mm=4.0)


def test_tissue_shares_never_exceed_a_voxel(head):
    assert head.tissues.sum(axis=0, dtype=int).max() <= 258  # seven roundings of 255


def test_a_ray_from_brain_to_air_meets_bone_then_fat(head):
    x, z = (int(np.argmin(np.abs(head.axes_mm[i]))) for i in (0, 2))
    ray = head.tissues[:, x, :, z].astype(float)
    places = {name: np.flatnonzero(ray[TISSUES.index(name)] > 30) for name in TISSUES}
    assert places["fat"].max() > places["bone"].max() > places["gm"].max()
    assert ray[:, -1].sum() == 0


def test_a_third_or_more_of_the_working_box_is_air(head):
    assert (head.tissues.sum(axis=0, dtype=int) == 0).mean() > 1 / 3


def test_brain_volumes_are_human(head):
    assert 450 < head.volume_ml("wm") < 800
    assert 800 < head.volume_ml("gm") < 1200
    assert 150 < head.volume_ml("csf") < 500


def test_same_seed_and_name_give_the_same_head_and_another_name_another():
    one, again, other = (anatomy(3, s, spacing_mm=6.0) for s in ("A", "A", "B"))
    assert np.array_equal(one.tissues, again.tissues)
    assert one.age == again.age == draw_person(3, "A")[0]
    assert not np.array_equal(one.tissues, other.tissues)


def test_shape_does_not_depend_on_resolution():
    coarse, fine = (anatomy(3, "A", age=30, spacing_mm=mm) for mm in (8.0, 4.0))
    for tissue in ("wm", "gm"):
        assert coarse.volume_ml(tissue) == pytest.approx(
            fine.volume_ml(tissue), rel=0.1
        )


def test_ageing_one_person_widens_csf_and_thins_grey_matter():
    young, old = (anatomy(0, "A", age=a, spacing_mm=4.0) for a in (20, 75))
    assert old.volume_ml("csf") > 1.3 * young.volume_ml("csf")
    assert old.volume_ml("gm") < 0.95 * young.volume_ml("gm")


def test_men_have_larger_heads_than_women_of_the_same_name():
    woman, man = (anatomy(0, "A", age=40, sex=s, spacing_mm=6.0) for s in "FM")
    assert man.volume_ml("wm") > 1.04 * woman.volume_ml("wm")


def test_an_impossible_sex_is_refused():
    with pytest.raises(ValueError, match="sex must be 'F' or 'M', got 'X'"):
        anatomy(0, "A", sex="X", spacing_mm=8.0)


def test_a_linear_reader_halves_the_age_error_of_the_mean():
    from sklearn.decomposition import PCA
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline

    machine = scanner("NYU").scaled(4.0)
    names = [f"NYU{i:02d}" for i in range(1, 41)]
    heads = [anatomy(0, name, spacing_mm=4.0) for name in names]
    ages = np.array([head.age for head in heads])
    scans = np.stack(
        [
            np.asarray(acquire(h, machine, scan_rng(0, n, "NYU")).image.dataobj).ravel()
            for n, h in zip(names, heads, strict=True)
        ]
    ).astype(float)
    scans /= np.quantile(scans, 0.9, axis=1, keepdims=True)
    read, guessed = np.empty(40), np.empty(40)
    for train, test in KFold(8, shuffle=True, random_state=0).split(scans):
        reader = make_pipeline(PCA(20, random_state=0), RidgeCV(np.logspace(-2, 6, 17)))
        read[test] = reader.fit(scans[train], ages[train]).predict(scans[test])
        guessed[test] = ages[train].mean()
    assert np.abs(read - ages).mean() <= 0.5 * np.abs(guessed - ages).mean()
