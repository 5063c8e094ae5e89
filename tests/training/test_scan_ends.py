"""Where the scans of a site end on the training grid."""

import math

import pytest
import torch

from medvae.model.acquired_region import BEYOND_MM, ended, in_voxels
from medvae.training.scan_ends import typical_faces

STEP = (4.0, 4.0, 4.0)


def ball(shape=(24, 24, 24), radius=9.0, air=0.0):
    """A head in empty or in noisy air."""
    at = torch.stack(
        torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    )
    return torch.where(at.norm(dim=0) < radius, 1.0, air)


def test_a_volume_that_ends_through_the_head_has_a_face_there():
    x = ball()
    x[:, :, :8] = 0
    faces = typical_faces([x] * 3, STEP)
    # Plane 8 reaches from 7.5; the middle of the grid is at 11.5.
    assert faces[2].tolist() == [-16.0, BEYOND_MM]
    assert faces[:2].tolist() == [[-BEYOND_MM, BEYOND_MM]] * 2


def test_the_round_end_of_a_head_in_empty_air_is_no_face():
    faces = typical_faces([ball()] * 3, STEP)
    assert faces.tolist() == [[-BEYOND_MM, BEYOND_MM]] * 3


def test_a_volume_that_ends_in_noisy_air_has_a_face_there():
    x = ball(air=0.02)
    x[:2] = x[-3:] = 0
    assert typical_faces([x] * 3, STEP)[0].tolist() == [-40.0, 36.0]


def test_the_face_is_that_of_most_scans():
    short, usual = ball(), ball()
    short[:, :, :10], usual[:, :, :8] = 0, 0
    assert typical_faces([usual, short, usual], STEP)[2, 0] == -16.0


def test_of_two_scans_the_one_that_shows_more_has_its_way_at_either_end():
    short, whole = ball(), ball()
    short[:, :, :10] = short[:, :, 14:] = 0
    for pair in ([short, whole], [whole, short]):
        assert typical_faces(pair, STEP)[2].tolist() == [-BEYOND_MM, BEYOND_MM]


def test_what_was_found_ends_a_volume_at_the_same_plane():
    x = ball()
    x[:, :, :8] = 0
    faces = in_voxels(typical_faces([x], STEP), x.shape, STEP)
    whole = ball()[None, None]
    assert torch.equal(ended(whole, faces)[0, 0], x)


def tilted(x, degrees, at, axis=2, about=1):
    """What lies above a plane that meets the middle of a volume at a place, in voxels.

    The plane is level along every axis but ``about`` (0, 1 or 2).
    """
    places = torch.meshgrid(
        *(torch.arange(n) - (n - 1) / 2 for n in x.shape), indexing="ij"
    )
    height = places[axis] + (x.shape[axis] - 1) / 2 - at
    return x * (height >= math.tan(math.radians(degrees)) * places[about])


@pytest.mark.parametrize("degrees", [-20, -10, -3, 3, 7, 15, 25])
@pytest.mark.parametrize("air", [0.0, 0.02])
def test_a_tilted_end_is_found_where_it_meets_the_middle(degrees, air):
    x = tilted(ball((40, 48, 40), 17.0, air), degrees, 13.5)
    low, high = typical_faces([x] * 3, STEP)[2].tolist()
    assert low == pytest.approx((13.5 - 19.5) * 4, abs=1)  # a quarter of a voxel
    assert high == BEYOND_MM


def test_an_end_may_be_tilted_both_ways():
    x = ball((40, 48, 40), 17.0)
    x = tilted(tilted(x.flip(2), 6, 12.0, about=0), 0, 0.0).flip(2)
    assert typical_faces([x], STEP)[2, 1] == pytest.approx((19.5 - 12) * 4, abs=1)


def test_a_face_that_was_removed_is_no_end():
    x = tilted(ball((40, 48, 40), 17.0), 40, 12.0, axis=1, about=2)
    assert typical_faces([x], STEP).tolist() == [[-BEYOND_MM, BEYOND_MM]] * 3


def test_an_image_of_one_slice_ends_in_a_tilted_line():
    x = ball((40, 48, 40), 17.0)[20]
    x = tilted(x, 8, 15.25, axis=1, about=0)
    assert typical_faces([x], STEP[:2])[1, 0] == pytest.approx(-17, abs=1)


def test_an_empty_volume_ends_nowhere():
    assert typical_faces([torch.zeros(8, 8, 8)], STEP)[0, 0] == -BEYOND_MM


def test_the_same_faces_are_found_every_time():
    x = tilted(ball((40, 48, 40), 17.0), 9, 14.2)
    assert torch.equal(typical_faces([x], STEP), typical_faces([x], STEP))
