"""The Encoder: deterministic codes, and images that come back where the scan was."""

import nibabel as nib
import numpy as np
import pytest
import torch

import medvae
from medvae.encoding import Encoder
from medvae.encoding.folder import (
    Item,
    encode_folder,
    find_latents,
    read_latent,
    stems,
)
from medvae.errors import UserError
from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.weights import save_model


def head_image(affine=None, shape=(40, 44, 42), seed=0):
    """A ball of tissue with a darker core, noise, air around it."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    centre = (np.array(shape) - 1) / 2
    radius = np.linalg.norm((places - centre) / (0.4 * np.array(shape)), axis=-1)
    data = 600.0 * (radius < 1) - 200.0 * (radius < 0.4) + 8 * rng.random(shape)
    affine = np.diag([5.0, 5, 5, 1]) if affine is None else affine
    return nib.Nifti1Image(data.astype(np.int16), affine)


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    config = NetworkConfig(
        grid_shape=(24, 24, 24),
        spacing_mm=(8.0, 8.0, 8.0),
        channels=(4, 8),
        latent_channels=2,
        sites=("A", "B"),
    )
    return Encoder(DenoisingVAE(config))


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


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_missing_gpu_is_named(tmp_path):
    with pytest.raises(UserError, match="no such device here"):
        Encoder.load(tmp_path, "cuda")


def folder_of(tmp_path, n=3):
    items = []
    for i in range(n):
        path = tmp_path / f"scan{i}.nii.gz"
        nib.save(head_image(seed=i), path)
        items.append(Item(path, f"s{i}", "A"))
    return items


def test_a_folder_of_codes_reads_back(encoder, tmp_path):
    items, out = folder_of(tmp_path), tmp_path / "out"
    assert encode_folder(encoder, "digest", items, out, batch_size=2) == []
    table = (out / "index.tsv").read_text().splitlines()
    vectors = np.load(out / "latents.npy", mmap_mode="r")
    assert vectors.dtype == np.float32
    assert len(table) == 4
    latent = read_latent(out / "scan1_latent.nii.gz")
    assert np.array_equal(latent.vector, vectors[1])
    assert np.allclose(latent.std, encoder.encode(items[1].path).std, atol=1e-5)


def test_finished_scans_are_skipped_until_scan_or_model_changes(encoder, tmp_path):
    items, out = folder_of(tmp_path), tmp_path / "out"
    encode_folder(encoder, "digest", items, out)
    target = out / "scan0_latent.nii.gz"
    before = target.stat().st_mtime_ns
    encode_folder(encoder, "digest", items, out)
    assert target.stat().st_mtime_ns == before
    encode_folder(encoder, "another model", items, out)
    assert target.stat().st_mtime_ns > before


def test_a_damaged_latent_is_made_again(encoder, tmp_path):
    items, out = folder_of(tmp_path, 1), tmp_path / "out"
    encode_folder(encoder, "digest", items, out)
    target = out / "scan0_latent.nii.gz"
    target.write_bytes(b"half")
    encode_folder(encoder, "digest", items, out)
    assert read_latent(target).name == "scan0"


def test_one_bad_scan_does_not_stop_the_others(encoder, tmp_path):
    items, out = folder_of(tmp_path), tmp_path / "out"
    items[1].path.write_bytes(b"no image")
    missing = Item(tmp_path / "gone.nii.gz")
    problems = encode_folder(encoder, "digest", [*items, missing], out)
    assert len(problems) == 2
    assert any("scan1.nii.gz" in text for text in problems)
    assert np.load(out / "latents.npy").shape[0] == 2


def test_a_latent_without_its_description_is_refused(encoder, tmp_path):
    encode_folder(encoder, "digest", folder_of(tmp_path, 1), tmp_path / "out")
    (tmp_path / "out" / "scan0_latent.json").unlink()
    with pytest.raises(UserError, match=r"scan0_latent\.json: cannot be read"):
        read_latent(tmp_path / "out" / "scan0_latent.nii.gz")


def test_a_latent_of_another_model_is_refused(encoder, tmp_path):
    encode_folder(encoder, "digest", folder_of(tmp_path, 1), tmp_path / "out")
    with pytest.raises(UserError, match="encoded by another model"):
        read_latent(tmp_path / "out" / "scan0_latent.nii.gz", "other")


def test_a_truncated_latent_is_named(encoder, tmp_path):
    encode_folder(encoder, "digest", folder_of(tmp_path, 1), tmp_path / "out")
    target = tmp_path / "out" / "scan0_latent.nii.gz"
    target.write_bytes(target.read_bytes()[:100])
    with pytest.raises(UserError, match=r"scan0_latent\.nii\.gz: does not fit"):
        read_latent(target)


def test_an_unconditional_decoder_refuses_a_site(scan):
    config = NetworkConfig(
        grid_shape=(24, 24, 24), spacing_mm=(8.0,) * 3, channels=(4, 8)
    )
    plain = Encoder(DenoisingVAE(config))
    with pytest.raises(UserError, match="trained without sites"):
        plain.decode(plain.encode(scan), site="A")


def test_what_is_no_latent_is_refused(tmp_path):
    plain = tmp_path / "scan.nii.gz"
    plain.touch()
    with pytest.raises(UserError, match="not a latent"):
        find_latents([plain])
    with pytest.raises(UserError, match="holds no"):
        find_latents([tmp_path])
    with pytest.raises(UserError, match="file not found"):
        find_latents([tmp_path / "x_latent.nii.gz"])


def test_a_scan_given_twice_is_refused(tmp_path):
    with pytest.raises(UserError, match="named twice"):
        stems([tmp_path / "a.nii", tmp_path / "a.nii"])
