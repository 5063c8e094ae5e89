"""Whatever a scan is given as, it is the same scan; what is none is refused by name."""

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import EnsureChannelFirst, LoadImage
from small_encoder import head_image, small_encoder

from medvae.errors import UserError

AFFINE = np.diag([-5.0, 5, 5, 1])


@pytest.fixture(scope="module")
def encoder():
    return small_encoder()


@pytest.fixture(scope="module")
def head():
    return np.asarray(head_image().dataobj).astype(np.float32)


def test_arrays_tensors_and_pairs_give_the_code_of_the_image(encoder, head, tmp_path):
    image = nib.Nifti1Image(head, AFFINE)
    nib.save(image, tmp_path / "a.nii")
    want = encoder.encode(image)
    loaded = LoadImage(image_only=True)(tmp_path / "a.nii")
    tensor = torch.from_numpy(head)
    alike = [
        encoder.encode(head, affine=AFFINE),
        encoder.encode((head, AFFINE.tolist())),
        encoder.encode(tensor[None], affine=torch.from_numpy(AFFINE)),
        encoder.encode(loaded),
        encoder.encode(EnsureChannelFirst()(loaded)),
        *encoder.encode([(head, AFFINE), image, MetaTensor(tensor, affine=AFFINE)]),
        *encoder.encode([head, tensor], affine=AFFINE),
        *encoder.encode((tmp_path / "a.nii", str(tmp_path / "a.nii"))),
    ]
    for latent in alike:
        assert np.allclose(latent.mean, want.mean, atol=1e-5)
        assert np.allclose(latent.source.affine, AFFINE)


@pytest.mark.parametrize(
    ("scan", "affine", "words"),
    [
        ("a.nii", np.eye(4), "an affine for a file or image"),
        (head_image(), np.eye(4), "an affine for a file or image"),
        (["a.nii"], np.eye(4), "an affine for a file or image"),
        (MetaTensor(torch.ones(9, 9, 9)), np.eye(4), "that has its own"),
        ((np.ones((9, 9, 9)), np.eye(4)), np.eye(4), "that has its own"),
        (np.ones((9, 9, 9)), None, "says nothing of voxel size"),
        (np.ones((9, 9, 9)), np.zeros((4, 4)), "last row must be"),
        (np.ones((9, 9, 9)), np.diag([1, 1, 0, 1]), "voxel size 1 x 1 x 0 mm"),
        (np.ones((9, 9, 9)), np.full((4, 4), np.nan), "NaN or infinity"),
        (np.ones((9, 9, 9)), np.eye(3), "must be 4 x 4"),
        (np.ones((9, 9, 9), complex), np.eye(4), "an array of complex128"),
        (np.full((9, 9, 9), "a"), np.eye(4), "an array of <U1"),
        (7, None, "cannot encode a int"),
        ([None], None, "cannot encode a NoneType"),
        ({"image": "a.nii"}, None, "cannot encode a dict"),
    ],
)
def test_what_is_no_scan_is_refused_by_name(encoder, scan, affine, words):
    with pytest.raises(UserError, match=words):
        encoder.encode(scan, affine=affine)


def test_a_tensor_in_another_space_is_refused(encoder):
    tensor = MetaTensor(torch.ones(9, 9, 9), meta={"space": "LPS"})
    with pytest.raises(UserError, match="a MetaTensor in LPS"):
        encoder.encode(tensor)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_of_none_is_refused(encoder, batch_size):
    with pytest.raises(ValueError, match=f"at least 1, got {batch_size}"):
        encoder.encode([head_image()], batch_size=batch_size)
    with pytest.raises(ValueError, match=f"at least 1, got {batch_size}"):
        encoder.encode(head_image(), batch_size=batch_size)


def test_an_unknown_cover_is_refused(encoder):
    with pytest.raises(ValueError, match="must be 'head' or 'scan', got 'brain'"):
        encoder.encode(head_image(), cover="brain")
