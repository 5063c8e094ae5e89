"""A DICOM series is read as the NIfTI it was made from."""

import locale
import sys

import nibabel as nib
import numpy as np
import pytest

pytest.importorskip("dcm2niix", reason="the extra 'dicom' is not installed")
sitk = pytest.importorskip("SimpleITK", reason="the extra 'itk' is not installed")

from medvae.encoding.encoder import Encoder  # noqa: E402
from medvae.encoding.folder import Item, encode_folder  # noqa: E402
from medvae.encoding.table import read_table  # noqa: E402
from medvae.errors import UserError  # noqa: E402
from medvae.model.network import DenoisingVAE, NetworkConfig  # noqa: E402
from medvae.model.weights import save_model  # noqa: E402
from medvae.volume import read_volume  # noqa: E402
from medvae.volume.dicom import holds_dicom  # noqa: E402


def write_series(folder, data, spacing, direction, number=1):
    """Classic single-slice MR files, written by SimpleITK.

    It leaves the process in the locale C, where later tests would read ASCII alone.
    """
    before = locale.setlocale(locale.LC_ALL)
    try:
        _write_series(folder, data, spacing, direction, number)
    finally:
        locale.setlocale(locale.LC_ALL, before)


def _write_series(folder, data, spacing, direction, number):
    folder.mkdir(exist_ok=True)
    image = sitk.GetImageFromArray(data.transpose(2, 1, 0).astype(np.int16))
    image.SetSpacing(spacing)
    image.SetDirection(direction.ravel().tolist())
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    x, y = ([f"{v:.8f}" for v in direction[:, i]] for i in (0, 1))
    for k in range(image.GetDepth()):
        plane = image[:, :, k]
        place = image.TransformIndexToPhysicalPoint((0, 0, k))
        tags = {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.4",
            "0008|0018": f"1.2.3.{number}.{k + 1}",
            "0008|0020": "20260101",  # else SimpleITK writes now, slice by slice
            "0008|0030": "120000",
            "0008|0060": "MR",
            "0008|0070": "Nobody",
            "0010|0010": "PHANTOM",
            "0018|0050": str(spacing[2]),
            "0020|000d": "1.2.3",
            "0020|000e": f"1.2.3.{number}",
            "0020|0011": str(number),
            "0020|0013": str(k + 1),
            "0020|0032": "\\".join(f"{v:.6f}" for v in place),
            "0020|0037": "\\".join([*x, *y]),
            "0028|0030": f"{spacing[1]}\\{spacing[0]}",
        }
        for key, value in tags.items():
            plane.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{number}-{k:03d}.dcm"))
        writer.Execute(plane)


@pytest.fixture
def data():
    return np.random.default_rng(0).integers(0, 900, (14, 12, 10))


def test_a_series_has_the_voxels_and_the_affine_it_was_written_with(tmp_path, data):
    turn = np.deg2rad(12)
    direction = np.array(  # oblique, in DICOM's LPS
        [
            [1, 0, 0],
            [0, np.cos(turn), -np.sin(turn)],
            [0, np.sin(turn), np.cos(turn)],
        ]
    )
    spacing = (1.5, 1.25, 3.0)
    write_series(tmp_path / "series", data, spacing, direction)
    assert holds_dicom(tmp_path / "series")
    volume = read_volume(tmp_path / "series")
    affine = np.diag([-1.0, -1, 1, 1]) @ np.block(
        [[direction * spacing, np.zeros((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]]
    )
    expected = read_volume(nib.Nifti1Image(data.astype(np.float32), affine))
    assert np.array_equal(volume.data, expected.data)
    assert np.allclose(volume.affine, expected.affine, atol=1e-3)


def test_two_series_in_a_folder_are_named(tmp_path, data):
    for number in (1, 2):
        write_series(tmp_path / "both", data, (1, 1, 1), np.eye(3), number)
    with pytest.raises(UserError, match="holds several series"):
        read_volume(tmp_path / "both")


def test_a_folder_of_something_else_is_no_series(tmp_path):
    (tmp_path / "note.txt").write_text("no image here")
    assert not holds_dicom(tmp_path)
    with pytest.raises(UserError, match="a directory, not a NIfTI file"):
        read_volume(tmp_path)


def test_a_broken_series_is_named(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 200)
    with pytest.raises(UserError, match="dcm2niix made no image"):
        read_volume(tmp_path)


def test_without_the_converter_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 200)
    monkeypatch.setitem(sys.modules, "dcm2niix", None)
    remedy = r"need the extra 'dicom': pip install 'medvae-denoise\[dicom\]'\.$"
    with pytest.raises(UserError, match=remedy):
        read_volume(tmp_path)


def test_a_series_is_encoded_and_found_again_until_it_changes(tmp_path):
    series, out = tmp_path / "series", tmp_path / "out"
    ball = np.linalg.norm(np.indices((24, 24, 24)) - 11.5, axis=0) < 9
    write_series(series, ball * 100, (8, 8, 8), np.eye(3))
    config = NetworkConfig(
        grid_shape=(16, 16, 16),
        spacing_mm=(12.0,) * 3,
        channels=(2,),
        latent_channels=1,
    )
    save_model(DenoisingVAE(config), tmp_path / "run")
    encoder = Encoder.load(tmp_path / "run")

    def encoded():
        assert encode_folder(encoder, [Item(series)], out) == []
        index, codes = read_table(out)
        assert len(codes) == 1
        return index["digest"].iloc[0], (out / index["file"].iloc[0]).stat().st_mtime_ns

    first = encoded()
    assert encoded() == first
    (series / "note.txt").write_text("of another visit")
    assert encoded()[0] != first[0]
