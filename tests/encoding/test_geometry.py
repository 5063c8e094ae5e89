"""Any affine, any shape: what comes back lies where the scan lay."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.orientations import axcodes2ornt, inv_ornt_aff
from scipy import ndimage
from scipy.spatial.transform import Rotation
from small_encoder import Pooling

from medvae.encoding.latent_file import read_latent, write_latent

HEAD_MM = np.array([72.0, 92.0, 85.0])
ORDERS = ("RAS", "LPS", "LAS", "PIR", "SAL", "ARS")
ENCODER = Pooling(grid_shape=(24, 28, 24), spacing_mm=(8.0, 8.0, 8.0))


def intensity(world):
    """A head of known form at world positions (..., 3), mm: lopsided on purpose."""
    inside = (((world - (5, -3, 2)) / HEAD_MM) ** 2).sum(-1) < 1
    dark = (((world - (30, 25, 20)) / 25.0) ** 2).sum(-1) < 1
    return 900.0 * inside - 500.0 * (dark & inside)


@st.composite
def scans(draw):
    """A scan of the head: oblique, flipped, anisotropic, cropped or padded."""
    angles = [draw(st.floats(-25, 25)) for _ in range(3)]
    spacing = np.array([draw(st.floats(3.0, 6.0)) for _ in range(3)])
    cover = np.array([draw(st.floats(0.85, 1.5)) for _ in range(3)])
    centre = np.array([draw(st.floats(-15, 15)) for _ in range(3)])
    order = draw(st.sampled_from(ORDERS))
    shape = np.maximum(8, np.round(2 * HEAD_MM * cover / spacing)).astype(int)
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = centre - affine[:3, :3] @ ((shape - 1) / 2)
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    data = intensity(grid @ affine[:3, :3].T + affine[:3, 3])
    image = nib.Nifti1Image(data.astype(np.float32), affine)
    image.set_data_dtype(np.float32)
    turned = image.as_reoriented(axcodes2ornt(tuple(order)))
    assert np.allclose(turned.affine, affine @ inv_ornt_aff(axcodes2ornt(order), shape))
    return turned


def world_of(image):
    grid = np.stack(np.meshgrid(*map(np.arange, image.shape[:3]), indexing="ij"), -1)
    return grid @ image.affine[:3, :3].T + image.affine[:3, 3]


@settings(max_examples=20, deadline=None)
@given(scans())
def test_a_decoded_image_has_the_scan_s_grid_and_shows_the_head_there(image):
    decoded = ENCODER.decode(ENCODER.encode(image, cover="scan"))
    assert decoded.shape == image.shape
    assert np.array_equal(decoded.affine, image.affine)
    assert nib.aff2axcodes(decoded.affine) == nib.aff2axcodes(image.affine)
    assert decoded.get_data_dtype() == np.float32
    # What blocks of 32 mm can hold of the head, at the same places.
    sigma = 12.0 / np.linalg.norm(image.affine[:3, :3], axis=0)
    expected = ndimage.gaussian_filter(np.asarray(image.dataobj), sigma)
    painted = decoded.get_fdata()
    turned = [painted, *(np.flip(painted, axis) for axis in range(3))]
    agreement = [np.corrcoef(expected.ravel(), x.ravel())[0, 1] for x in turned]
    assert agreement[0] > 0.85  # the least of 60 random scans was .89
    assert agreement[0] > max(agreement[1:])


@settings(max_examples=20, deadline=None)
@given(scans(), st.sampled_from(["head", "scan"]))
def test_places_of_the_latent_map_lie_in_the_world_where_their_voxels_were(
    image, cover
):
    latent = ENCODER.encode(image, cover=cover)
    code = latent.to_nifti()
    values = np.asarray(code.dataobj)[..., 0] * latent.reference
    back = np.linalg.inv(image.affine)
    voxels = world_of(code) @ back[:3, :3].T + back[:3, 3]
    sizes = np.linalg.norm(image.affine[:3, :3], axis=0)
    blurred = ndimage.gaussian_filter(np.asarray(image.dataobj), 10.0 / sizes)
    there = ndimage.map_coordinates(blurred, np.moveaxis(voxels, -1, 0), order=1)
    inside = ((voxels > 2) & (voxels < np.array(image.shape) - 3)).all(-1)
    assert np.corrcoef(there[inside], values[inside])[0, 1] > 0.93


@settings(max_examples=15, deadline=None)
@given(scans())
def test_a_code_on_disk_decodes_to_the_same_image(image):
    import tempfile
    from pathlib import Path

    latent = ENCODER.encode(image)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a_latent.nii.gz"
        write_latent(path, latent, "a.nii")
        again = read_latent(path)
    first, second = ENCODER.decode(latent), ENCODER.decode(again)
    assert np.array_equal(first.affine, second.affine)
    assert np.array_equal(np.asarray(first.dataobj), np.asarray(second.dataobj))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_dtype_on_disk_is_float32_and_scale_factors_are_not_lost(dtype, tmp_path):
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = (-90, -110, -100)
    grid = np.stack(np.meshgrid(*map(np.arange, (46, 56, 50)), indexing="ij"), -1)
    data = intensity(grid * 4.0 + affine[:3, 3])
    image = nib.Nifti1Image(data.astype(np.float32), affine)
    image.set_data_dtype(dtype)  # uint8 makes nibabel use a slope
    nib.save(image, tmp_path / "scan.nii.gz")
    decoded = ENCODER.decode(ENCODER.encode(tmp_path / "scan.nii.gz"))
    assert decoded.get_data_dtype() == np.float32
    assert decoded.get_fdata().max() == pytest.approx(900, rel=0.1)
