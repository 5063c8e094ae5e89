"""What is read is what was written, in one orientation; the rest is refused."""

import gzip
import itertools
import struct

import nibabel as nib
import numpy as np
import pytest

from medvae.errors import UserError
from medvae.volume import Source, read_volume, write_nifti

ORIENTATIONS = [
    "".join(code)
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for code in itertools.product(*axes)
]


@pytest.fixture
def image():
    data = np.random.default_rng(0).normal(100, 9, (5, 6, 7)).astype(np.float32)
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[:3, 3] = -4, 5, 6
    return nib.Nifti1Image(data, affine)


@pytest.mark.parametrize("code", ORIENTATIONS)
def test_every_orientation_reads_as_the_same_ras_volume(image, code):
    start = nib.io_orientation(image.affine)
    turn = nib.orientations.ornt_transform(
        start, nib.orientations.axcodes2ornt(tuple(code))
    )
    turned = image.as_reoriented(turn)
    volume = read_volume(turned)
    assert "".join(volume.source.axcodes) == code
    assert (volume.data == image.get_fdata(dtype=np.float32)).all()
    assert volume.affine == pytest.approx(image.affine)
    assert (volume.source.restore(volume.data) == turned.get_fdata()).all()
    assert (volume.as_image(volume.data).affine == turned.affine).all()


def test_the_scale_factor_is_applied(image, tmp_path):
    stored = nib.Nifti1Image(np.full((4, 4, 4), 10, np.int16), np.eye(4))
    stored.header.set_slope_inter(0.5, 3)
    stored.to_filename(tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[112:120] = struct.pack("<ff", 0.5, 3.0)
    raw[352:] = np.full(64, 10, "<i2").tobytes()
    (tmp_path / "a.nii").write_bytes(raw)
    volume = read_volume(tmp_path / "a.nii")
    assert (volume.data == 8.0).all()
    assert volume.data.dtype == np.float32


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32"])
def test_the_type_on_disk_is_the_type_asked_for(tmp_path, dtype):
    data = np.arange(24.0).reshape(2, 3, 4) + 0.4
    write_nifti(tmp_path / "a.nii.gz", data, np.eye(4), dtype)
    volume = read_volume(tmp_path / "a.nii.gz")
    wanted = np.rint(data) if dtype != "float32" else data
    assert volume.source.dtype == dtype
    assert volume.data == pytest.approx(wanted, abs=1e-5)


def test_values_that_do_not_fit_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(ValueError, match=r"0.0 to 300.0 do not fit uint8"):
        write_nifti(tmp_path / "a.nii", np.array([[[0.0, 300.0]]]), np.eye(4), "uint8")
    assert list(tmp_path.iterdir()) == []


def test_the_same_array_gives_the_same_bytes(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_nifti(tmp_path / name, np.ones((8, 8, 8)), np.eye(4))
    one, two = (tmp_path / n for n in ("a.nii.gz", "b.nii.gz"))
    assert one.read_bytes() == two.read_bytes()


def test_a_source_survives_a_dict(image):
    source = read_volume(image).source
    again = Source.from_dict(source.as_dict())
    assert again.as_dict() == source.as_dict()


def test_a_trailing_axis_of_one_is_dropped_and_a_fourth_refused():
    assert read_volume(nib.Nifti1Image(np.ones((3, 3, 3, 1)), np.eye(4))).data.ndim == 3
    with pytest.raises(UserError, match=r"one 3-D image is required.*\(3, 3, 3, 2\)"):
        read_volume(nib.Nifti1Image(np.ones((3, 3, 3, 2)), np.eye(4)))


def test_complex_and_colour_are_refused():
    with pytest.raises(UserError, match="complex voxels, got complex64"):
        read_volume(nib.Nifti1Image(np.ones((3, 3, 3), np.complex64), np.eye(4)))
    colour = np.zeros((3, 3, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(UserError, match=r"colour \(RGB\)"):
        read_volume(nib.Nifti1Image(colour, np.eye(4)))


def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape((30000, 30000, 30000))
    raw = header.binaryblock + bytes(4)
    (tmp_path / "a.nii").write_bytes(raw)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(raw))
    for name in ("a.nii", "b.nii.gz"):
        with pytest.raises(UserError, match="promises 108000000000000 bytes"):
            read_volume(tmp_path / name)


def test_a_scan_over_the_limit_is_refused(monkeypatch, image):
    monkeypatch.setattr("medvae.volume.header.MAX_VOXELS", 100)
    with pytest.raises(UserError, match="over the limit of 100 voxels"):
        read_volume(image)


def test_a_truncated_gzip_is_named(tmp_path):
    noise = np.random.default_rng(0).normal(size=(20, 20, 20))
    write_nifti(tmp_path / "a.nii.gz", noise, np.eye(4))
    whole = (tmp_path / "a.nii.gz").read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"a\.nii\.gz: the voxels cannot be read"):
        read_volume(tmp_path / "a.nii.gz")


def test_an_image_in_memory_that_was_saved_is_read_from_memory(image, tmp_path):
    nib.save(image, tmp_path / "a.nii.gz")  # now it has a file name
    assert image.get_filename() is not None
    assert (read_volume(image).data == read_volume(tmp_path / "a.nii.gz").data).all()


def test_a_mask_is_stored_as_bytes(tmp_path):
    mask = np.arange(24).reshape(2, 3, 4) % 2 == 0
    write_nifti(tmp_path / "mask.nii", mask, np.eye(4), np.bool_)
    found = nib.load(tmp_path / "mask.nii")
    assert found.get_data_dtype() == np.uint8
    assert (np.asarray(found.dataobj) == mask).all()


def test_a_gzip_file_far_longer_than_its_header_promises_is_named(tmp_path):
    image = nib.Nifti1Image(np.ones((9, 9, 9), np.float32), np.eye(4))
    with gzip.open(tmp_path / "a.nii.gz", "wb", 1) as file:
        file.write(image.to_bytes() + bytes(2**24 + 2**21))
    with pytest.raises(
        UserError, match=r"a\.nii\.gz.*promises less than the file holds"
    ):
        read_volume(tmp_path / "a.nii.gz")
