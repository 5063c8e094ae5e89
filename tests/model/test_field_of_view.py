"""Where scans of a site end on the grid, and volumes that are ended there."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from medvae.errors import UserError
from medvae.model.field_of_view import BEYOND_MM, ended, in_voxels, shown, typical_faces
from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.weights import load_model, save_model

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


def test_the_volume_that_was_given_stays():
    x = torch.ones(1, 1, 4, 4, 4)
    y = ended(x, torch.tensor([[0.5, 9.0]] * 3))
    assert x.min() == 1
    assert y.sum() == 27


def test_a_volume_that_ends_nowhere_is_not_copied():
    x = torch.ones(1, 1, 4, 4, 4)
    assert ended(x, torch.tensor([[-9.0, 9.0]] * 3)) is x


def test_dark_planes_between_bright_ones_are_shown():
    x = torch.ones(2, 6, 6)
    x[0, 2:4] = 0
    x[1, 4:] = 0
    assert shown(x)[0].all()
    assert shown(x)[1].sum() == 4 * 6


@pytest.fixture
def vae():
    return DenoisingVAE(
        NetworkConfig(
            grid_shape=(8, 8, 8), channels=(4,), latent_channels=2, sites=("A", "B")
        )
    )


def test_a_model_keeps_its_faces_and_an_older_one_ends_no_scan(vae, tmp_path):
    vae.field_of_view[1, 2, 0] = -16.0
    save_model(vae, tmp_path)
    assert torch.equal(load_model(tmp_path).field_of_view, vae.field_of_view)
    older = load_file(tmp_path / "model.safetensors")
    del older["field_of_view"]
    save_file(older, tmp_path / "model.safetensors")
    faces = load_model(tmp_path).field_of_view
    assert faces.tolist() == [[[-BEYOND_MM, BEYOND_MM]] * 3] * 2


def test_faces_the_wrong_way_round_are_refused(vae, tmp_path):
    vae.field_of_view[1, 2] = torch.tensor([16.0, -16.0])
    save_model(vae, tmp_path)
    with pytest.raises(UserError, match="lower face of each axis first"):
        load_model(tmp_path)
