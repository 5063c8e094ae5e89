"""The Encoder: deterministic codes, and images that come back where the scan was."""

import nibabel as nib
import numpy as np
import pytest
import torch
from small_encoder import head_image, small_encoder

import medvae
from medvae.encoding import Encoder
from medvae.errors import UserError
from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.weights import save_model


@pytest.fixture(scope="module")
def encoder():
    return small_encoder()


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "sub-01_T1w.nii.gz"
    nib.save(head_image(), path)
    return path


def test_path_image_and_list_give_the_same_code(encoder, scan):
    by_path = encoder.encode(scan).mean
    assert np.array_equal(by_path, encoder.encode(nib.load(scan)).mean)
    assert np.array_equal(by_path, encoder.encode(str(scan)).mean)
    together = encoder.encode([scan, scan, scan], batch_size=2)
    assert all(np.allclose(by_path, code.mean, atol=1e-5) for code in together)


def test_code_does_not_depend_on_gain_or_storage_order(encoder):
    image = head_image()
    flipped = image.as_reoriented([[0, -1], [2, 1], [1, 1]])
    louder = nib.Nifti1Image(np.asarray(image.dataobj) * 2.0, image.affine)
    code = encoder.encode(image).mean
    assert np.allclose(code, encoder.encode(flipped).mean, atol=1e-4)
    assert np.allclose(code, encoder.encode(louder).mean, atol=1e-4)


def test_vector_is_the_mean_in_one_row(encoder, scan):
    latent = encoder.encode(scan)
    assert np.array_equal(latent.vector, latent.mean.ravel())


def test_samples_have_the_posterior_s_moments(encoder, scan):
    latent, rng = encoder.encode(scan), np.random.default_rng(0)
    draws = np.stack([latent.sample(rng) for _ in range(4000)])
    assert np.abs((draws.mean(0) - latent.mean) / latent.std).max() < 0.1
    assert np.allclose(draws.std(0), latent.std, rtol=0.06)


@pytest.mark.parametrize("order", ["RAS", "LPS", "PSR", "SAL"])
def test_decoded_image_lies_on_the_scan_s_own_grid(encoder, order):
    ornt = nib.orientations.axcodes2ornt(tuple(order))
    image = head_image().as_reoriented(ornt)
    decoded = encoder.decode(encoder.encode(image), site="B")
    assert decoded.shape == image.shape
    assert np.array_equal(decoded.affine, image.affine)
    assert decoded.get_data_dtype() == np.float32


def test_latent_map_lies_where_the_head_is(encoder):
    affine = np.diag([5.0, 5, 5, 1])
    affine[:3, 3] = (30, -20, 10)
    latent = encoder.encode(head_image(affine))
    places = np.array(latent.mean.shape[1:])
    middle = latent.affine @ [*((places - 1) / 2), 1]
    grid = np.array(latent.placement.grid.shape)
    expected = latent.placement.grid_affine @ [*((grid - 1) / 2), 1]
    assert np.allclose(middle, expected)


def test_unknown_site_is_named(encoder, scan):
    with pytest.raises(UserError, match="'C' is not among the training sites: A, B"):
        encoder.decode(encoder.encode(scan), site="C")


def test_a_run_folder_loads_by_the_package_s_own_name(encoder, scan, tmp_path):
    save_model(encoder.vae, tmp_path)
    loaded = medvae.Encoder.load(tmp_path)
    assert np.array_equal(loaded.encode(scan).mean, encoder.encode(scan).mean)


def test_a_file_of_a_run_is_told_from_its_folder(encoder, tmp_path):
    save_model(encoder.vae, tmp_path)
    with pytest.raises(UserError, match=r"model\.safetensors: a file, not a run"):
        Encoder.load(tmp_path / "model.safetensors")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_missing_gpu_is_named(tmp_path):
    with pytest.raises(UserError, match="no such device here"):
        Encoder.load(tmp_path, "cuda")


def test_an_unconditional_decoder_refuses_a_site(scan):
    config = NetworkConfig(
        grid_shape=(24, 24, 24), spacing_mm=(8.0,) * 3, channels=(4, 8)
    )
    plain = Encoder(DenoisingVAE(config))
    with pytest.raises(UserError, match="trained without sites"):
        plain.decode(plain.encode(scan), site="A")
