"""Codes, names and scans that nothing can be made of, each told by name."""

import json

import nibabel as nib
import numpy as np
import pytest
from small_encoder import head_image, small_encoder

from medvae import encoding
from medvae.encoding.folder import Item, encode_folder
from medvae.encoding.harmonised import Harmonised, told
from medvae.encoding.latent import Latent
from medvae.encoding.latent_file import read_latent, std_file
from medvae.encoding.names import check_outputs, find_latents
from medvae.errors import UserError
from medvae.files import digest
from medvae.volume import Grid


@pytest.fixture(scope="module")
def encoder():
    return small_encoder()


def test_the_package_names_its_classes_and_no_others():
    assert encoding.Latent is Latent
    assert encoding.Encoder.__name__ == "Encoder"
    with pytest.raises(AttributeError, match="has no attribute 'Codes'"):
        _ = encoding.Codes


def test_a_bad_scan_stops_the_encoder_by_its_path(encoder, tmp_path):
    (tmp_path / "bad.nii").write_bytes(b"not a scan")
    with pytest.raises(UserError, match=r"bad\.nii: not a readable NIfTI"):
        encoder.encode(tmp_path / "bad.nii")


def test_a_code_has_a_mean_and_a_std_alone(encoder):
    code = encoder.encode(head_image())
    assert code.to_nifti("std").shape == code.to_nifti().shape
    with pytest.raises(ValueError, match="part must be 'mean' or 'std', got 'median'"):
        code.to_nifti("median")


def test_a_vector_is_painted_on_the_grid_that_it_was_made_on_alone():
    maker = small_encoder(latent="vector")
    code = maker.encode(head_image())
    assert maker.decode(code, "A").shape == head_image().shape
    other = small_encoder(latent="vector", spacing_mm=(7.0, 7.0, 7.0))
    assert other.grid == Grid((24, 24, 24), (7.0, 7.0, 7.0))
    with pytest.raises(UserError, match="which this model cannot paint"):
        other.decode(code, "A")


def test_a_scan_that_cannot_be_encoded_is_a_problem_of_its_own(
    encoder, tmp_path, monkeypatch
):
    nib.save(head_image(), tmp_path / "a.nii")

    def refused(read):
        raise UserError(f"{read[0].name}: codes are not finite")

    monkeypatch.setattr(encoder, "encode_read", refused)
    items = [Item(tmp_path / "a.nii")]
    problems = encode_folder(encoder, items, tmp_path / "out", jobs=0)
    assert problems == ["a.nii: codes are not finite"]
    assert not list((tmp_path / "out").rglob("*_latent.nii.gz"))


def test_two_inputs_of_one_name_are_told_before_one_is_lost(tmp_path):
    inputs = [tmp_path / "A/x.nii", tmp_path / "B/x.nii"]
    with pytest.raises(UserError, match=r"x\.nii: two inputs have this name"):
        check_outputs(tmp_path / "out", [path.name for path in inputs], inputs)


def test_a_std_of_another_shape_than_its_mean_is_named(encoder, tmp_path):
    nib.save(head_image(), tmp_path / "a.nii")
    encode_folder(encoder, [Item(tmp_path / "a.nii")], tmp_path / "out", jobs=0)
    (path,) = find_latents([tmp_path / "out"])
    spread = nib.load(std_file(path))
    cut = np.asarray(spread.dataobj)[:-1]
    nib.save(nib.Nifti1Image(cut, spread.affine), std_file(path))
    (record,) = (tmp_path / "out").rglob("*_latent.json")
    content = json.loads(record.read_text())
    content["std_digest"] = digest(std_file(path))
    record.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"_latent\.nii\.gz: .*shape .*, its std"):
        read_latent(path)


def test_a_scan_of_another_site_that_came_out_alike_is_told_as_that(tmp_path):
    row = Harmonised("a.nii", tmp_path / "a.nii", "UM_1", "data", "NYU", changed=False)
    assert told([row], tmp_path)[1] == "unchanged: 1 painted alike."
