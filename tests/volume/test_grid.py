"""Heads of all sites lie alike on the training grid."""

import json

import numpy as np
import pytest
from simple_head import make_head

from medvae.volume import Grid, Placement, place_on_head

GRID = Grid((48, 56, 48), (4.0, 4.0, 4.0))


@pytest.fixture(scope="module")
def head():
    return make_head()


def centre(head, grid=GRID):
    place = place_on_head(head.affine, head.inside, grid)
    middle = (np.array(grid.shape) - 1) / 2
    return place.grid_affine[:3, :3] @ middle + place.grid_affine[:3, 3]


def test_the_length_of_the_neck_does_not_move_the_grid():
    short, long = (centre(make_head(neck_mm=n)) for n in (5.0, 90.0))
    assert short == pytest.approx(long, abs=0.5)


def test_the_grid_follows_the_head():
    shift = np.array([12.0, -10.0, 8.0])
    moved = centre(make_head(centre_mm=(12.0, -10.0, 23.0)))
    assert moved - centre(make_head()) == pytest.approx(shift, abs=2.0)


def test_the_voxel_size_does_not_move_the_grid():
    coarse = make_head(spacing_mm=4.0, shape=(52, 60, 60))
    assert centre(coarse) == pytest.approx(centre(make_head()), abs=2.5)


def test_the_centre_is_90_mm_below_the_vertex(head):
    assert centre(head) == pytest.approx((0, 0, 15 + 85 - 90), abs=2.5)


def test_a_low_grid_keeps_all_but_the_scalp_at_the_vertex(head):
    place = place_on_head(head.affine, head.inside, Grid((48, 56, 30), (4.0,) * 3))
    top = place.grid_affine[2, 3] + 29 * 4.0 + 2.0
    assert top == pytest.approx(100 - 10, abs=2.5)


def test_an_empty_foreground_is_refused():
    with pytest.raises(ValueError, match="foreground is empty"):
        place_on_head(np.eye(4), np.zeros((9, 9, 9), bool), GRID)


def test_a_placement_survives_json_to_the_last_bit(head):
    place = place_on_head(head.affine, head.inside, GRID)
    again = Placement.from_dict(json.loads(json.dumps(place.as_dict())))
    assert (again.matrix == place.matrix).all()
    assert again.grid == place.grid
    assert again.native_shape == place.native_shape


def test_a_grid_that_cannot_be_is_refused():
    with pytest.raises(
        ValueError, match=r"spacing_mm must be positive, got \(1, 0, 1\)"
    ):
        Grid((4, 4, 4), (1, 0, 1))
    with pytest.raises(ValueError, match="three positive sizes"):
        Grid((4, 0, 4), (1, 1, 1))


def test_an_array_of_another_shape_is_refused(head):
    place = place_on_head(head.affine, head.inside, GRID)
    with pytest.raises(ValueError, match=r"expected shape \(104, 120, 120\)"):
        place.to_grid(np.zeros((3, 3, 3)))
    with pytest.raises(ValueError, match=r"expected shape \(48, 56, 48\)"):
        place.to_native(np.zeros((3, 3, 3)))
