import sys
from dataclasses import replace

import numpy as np
import pytest
from moved_head import moved_scan, true_place
from simulated_head import SHARP, STEP, WORSE

from noise_models.scanner.paired.registration import (
    Rigid,
    correlation_ratio,
    pulled,
    register,
)

DEGREES, SHIFT_MM = (6.0, -4.0, 9.0), (4.0, -6.0, 5.0)
EVEN = replace(WORSE, shading=(0, 0, 0), bowl=0.0)  # another contrast, blur and noise


@pytest.fixture(scope="module")
def still():
    return moved_scan(0, SHARP, seed=1)


@pytest.fixture(scope="module")
def there():
    return moved_scan(0, EVEN, 2, DEGREES, SHIFT_MM)


@pytest.fixture(scope="module")
def found(still, there):
    return register(still, STEP, there, STEP)


@pytest.fixture(scope="module")
def points(still):
    centre = (np.array(still.shape) - 1) / 2 * STEP[0]
    return centre + 35 * np.random.default_rng(0).normal(size=(200, 3))


def test_another_contrast_of_the_turned_head_is_found_to_a_tenth_of_a_voxel(
    found, points, still
):
    truth = true_place(points, still.shape, DEGREES, SHIFT_MM)
    error = np.linalg.norm(found.points(points) - truth, axis=1)
    assert error.mean() < 0.2
    assert found.problem == ""


def test_the_way_back_undoes_the_way_there(found, points):
    assert found.inverse().points(found.points(points)) == pytest.approx(points)


def test_the_pulled_scan_lies_over_the_first(found, still, there):
    over = pulled(there, STEP, found, still.shape, STEP)
    middle = np.s_[25:-25, 25:-25, 45:-25]
    before = correlation_ratio(still[middle].ravel(), there[middle].ravel())
    after = correlation_ratio(still[middle].ravel(), over[middle].ravel())
    assert after > before + 0.2


def test_same_scans_same_motion(found, still, there):
    assert register(still, STEP, there, STEP) == found


def test_two_people_under_one_label_are_noticed(still):
    other = moved_scan(50, SHARP, 3, (2, 1, 0), (1, 1, 1))
    found = register(still, STEP, other, STEP)
    assert "correlation ratio" in found.problem


def test_a_head_on_its_side_is_no_match():
    turned = ((1, 0, 0), (0, 0, -1), (0, 1, 0))
    assert Rigid(turned, (0, 0, 0), 0.99).problem == "turned by 90 degrees"


def test_missing_simpleitk_names_the_extra(still, monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(ImportError, match=r"medvae-denoise\[itk\]"):
        register(still, STEP, still, STEP)
