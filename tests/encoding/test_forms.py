"""Any qform, any sform, any codes: images lie where their scan lies, for ITK too."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from small_encoder import Pooling, head_image

import noise_models
from medvae.encoding.folder import Item, encode_folder
from medvae.encoding.images import decode_files, harmonize_files, write_image
from medvae.encoding.names import find_latents
from medvae.noise.scan import corrupt_scan
from medvae.volume.forms import Forms
from medvae.volume.nifti import nifti_image

ENCODER = Pooling()
FIELDS = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"),
)


def moved(angles, shift):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * 5
    affine[:3, 3] = shift
    return affine


affines = st.builds(
    moved,
    st.tuples(*[st.floats(-40, 40)] * 3),
    st.tuples(*[st.floats(-200, 200)] * 3),
)
codes = st.integers(0, 4)


def scan_with(path, qform, sform, qcode, scode, kind=nib.Nifti1Image):
    image = kind(np.asarray(head_image(shape=(30, 34, 32)).dataobj), None)
    image.set_qform(qform, code=qcode)
    image.set_sform(sform, code=scode)
    nib.save(image, path)
    return path


def same_forms(path, scan):
    one, two = nib.load(path), nib.load(scan)
    for name in FIELDS:
        assert np.array_equal(one.header[name], two.header[name]), name
    assert np.array_equal(one.header["pixdim"][:4], two.header["pixdim"][:4])
    assert np.array_equal(one.affine, two.affine)


@settings(max_examples=12, deadline=None)
@given(affines, affines, codes, codes)
def test_decoded_harmonised_and_noisy_images_keep_qform_sform_and_codes(
    tmp_path_factory, qform, sform, qcode, scode
):
    out = tmp_path_factory.mktemp("forms")
    scan = scan_with(out / "scan.nii.gz", qform, sform, qcode, scode)
    items = [Item(scan)]
    assert encode_folder(ENCODER, items, out / "codes") == []
    decode_files(ENCODER, find_latents([out / "codes"]), [out / "decoded.nii.gz"])
    harmonize_files(ENCODER, items, [out / "harmonised.nii.gz"], "A")
    noise = noise_models.get("gaussian", sigma=0.1)
    write_image(corrupt_scan(noise, scan, seed=0)[1], out / "noisy.nii.gz")
    for name in ("decoded", "harmonised", "noisy"):
        same_forms(out / f"{name}.nii.gz", scan)


def test_the_forms_of_a_nifti_2_file_are_kept_to_float32(tmp_path):
    qform = moved((10, 20, 30), (1, 2, 3))
    scan = scan_with(tmp_path / "a.nii", qform, np.eye(4), 2, 0, kind=nib.Nifti2Image)
    write_image(ENCODER.decode(ENCODER.encode(scan)), tmp_path / "b.nii")
    back = nib.load(tmp_path / "b.nii")
    assert (back.header["qform_code"], back.header["sform_code"]) == (2, 0)
    assert back.affine == pytest.approx(nib.load(scan).affine, abs=1e-4)


def test_an_image_moved_in_memory_lies_where_it_was_moved_to():
    image = head_image()
    image.affine[:3, 3] += 40
    assert np.array_equal(
        ENCODER.decode(ENCODER.encode(image)).get_sform(), image.affine
    )


def test_forms_that_are_not_numbers_are_none_to_go_by():
    image = nib.Nifti1Image(np.zeros((3, 3, 3)), np.eye(4))
    assert Forms.of(image) is not None
    image.header["qoffset_x"] = np.nan
    assert Forms.of(image) is None


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"srow_x": [1.0, 0.0, 0.0]}, "srow_x must be 4 numbers"),
        ({"qoffset_y": [float("inf")]}, "qoffset_y must be 1 numbers"),
        ({"sform_code": [9.0]}, "sform_code must be 0 to 5, got 9"),
        ({"srow_x": [2.0, 0.0, 0.0, 0.0]}, "do not fit its affine"),
    ],
)
def test_kept_forms_that_were_altered_are_refused(change, match):
    fields = Forms.of(nib.Nifti1Image(np.zeros((3, 3, 3)), np.eye(4))).fields
    assert Forms.from_dict(fields, np.eye(4), (3, 3, 3)).fields == fields
    with pytest.raises(ValueError, match=match):
        Forms.from_dict({**fields, **change}, np.eye(4), (3, 3, 3))


def test_the_qform_of_a_turned_nifti_2_scan_is_kept_though_it_is_rounded(tmp_path):
    # Its double precision does not survive the NIfTI-1 header of what is written.
    turned = moved((90, 0, 0), (3, 4, 5))
    path = scan_with(tmp_path / "a.nii", turned, None, 1, 0, nib.Nifti2Image)
    scan = nib.load(path)
    image = nifti_image(np.ones(scan.shape), scan.affine, "f4", Forms.of(scan))
    nib.save(image, tmp_path / "b.nii")
    written = nib.load(tmp_path / "b.nii")
    codes = [int(written.header[name]) for name in ("qform_code", "sform_code")]
    assert codes == [1, 0]
    assert written.affine == pytest.approx(turned, abs=1e-5)
