"""Where scans of a site end on the grid, and volumes that are ended there."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from medvae.errors import UserError
from medvae.model.acquired_region import BEYOND_MM, ended, shown
from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.weights import load_model, save_model


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
