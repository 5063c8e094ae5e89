"""Everything wrong with a scan is said before any work starts."""

import nibabel as nib
import numpy as np
import pytest
from simple_head import make_head

from medvae.errors import UserError
from medvae.volume import check_mask, check_scan, write_nifti
from medvae.volume.checks import refuse_bad
from medvae.volume.mask import read_mask


def said(path, **options):
    return [(p.severity, p.message) for p in check_scan(path, **options)]


@pytest.fixture(scope="module")
def small():
    return make_head(spacing_mm=4.0, shape=(52, 60, 60))


def test_a_good_head_has_no_problem(small, tmp_path):
    write_nifti(tmp_path / "a.nii.gz", small.image, small.affine)
    assert check_scan(tmp_path / "a.nii.gz") == []


def test_a_git_annex_link_is_told_from_a_broken_link(tmp_path):
    annex, broken = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    annex.symlink_to("../.git/annex/objects/xx/MD5E-s1.nii.gz")
    broken.symlink_to("gone.nii.gz")
    assert "git-annex link whose content is not here" in said(annex)[0][1]
    assert "datalad get a.nii.gz" in check_scan(annex)[0].remedy
    assert said(broken) == [("error", "a broken link to gone.nii.gz")]


def test_a_folder_called_like_a_scan_is_named(tmp_path):
    (tmp_path / "a.nii.gz").mkdir()
    assert said(tmp_path / "a.nii.gz") == [("error", "a directory, not a NIfTI file")]


def test_text_and_an_empty_file_are_not_nifti(tmp_path):
    (tmp_path / "a.nii").write_text("hello")
    (tmp_path / "b.nii.gz").touch()
    for name in ("a.nii", "b.nii.gz"):
        assert "not a readable NIfTI file" in said(tmp_path / name)[0][1]


def test_a_truncated_file_passes_the_header_and_fails_in_full(small, tmp_path):
    path = tmp_path / "a.nii.gz"
    write_nifti(path, small.image, small.affine)
    path.write_bytes(path.read_bytes()[:-2000])
    assert said(path, header_only=True) == []
    assert "cannot be read" in said(path)[0][1]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x.__setitem__((0, 0, 0), np.nan), "1 of 187200 voxels are NaN"),
        (lambda x: x.__setitem__(0, np.inf), "3600 of 187200 voxels are NaN"),
        (lambda x: x.fill(5), "every voxel is 5"),
        (lambda x: x.__imul__(-1), "no foreground stands out"),
    ],
)
def test_voxels_without_use_are_errors(small, tmp_path, spoil, message):
    data = small.image.copy()
    spoil(data)
    write_nifti(tmp_path / "a.nii", data, small.affine)
    (severity, text), *_ = said(tmp_path / "a.nii")
    assert severity == "error"
    assert message in text


def saved(path, affine, shape=(20, 20, 20)):
    image = nib.Nifti1Image(np.ones(shape, np.float32), None)
    image.header.set_sform(affine, code=1)
    nib.Nifti1Image(image.dataobj, None, image.header).to_filename(path)
    return path


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (np.diag([1, 1, np.nan, 1]), "the affine holds NaN"),
        (np.diag([1, 1, 0.0, 1]), "voxel size"),
        ([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "two axes are par"),
    ],
)
def test_an_affine_without_inverse_is_an_error(tmp_path, affine, message):
    path = saved(tmp_path / "a.nii", np.asarray(affine, float))
    assert message in said(path, header_only=True)[0][1]


def test_odd_geometry_is_a_warning(tmp_path):
    tilt = np.radians(20)
    oblique = np.eye(4)
    oblique[1:3, 1:3] = [
        [np.cos(tilt), -np.sin(tilt)],
        [np.sin(tilt), np.cos(tilt)],
    ]
    thick = np.diag([1, 1, 6.0, 1])
    metres = np.diag([0.001, 0.001, 0.001, 1])
    for affine, word in ((oblique, "oblique, 20"), (thick, "anis"), (metres, "size")):
        found = said(saved(tmp_path / "a.nii", affine), header_only=True)
        assert [severity for severity, _ in found] == ["warning"]
        assert word in found[0][1]


def test_a_localiser_is_an_error(tmp_path):
    path = saved(tmp_path / "a.nii", np.eye(4), (256, 256, 3))
    assert "thinner than 8 voxels" in said(path, header_only=True)[0][1]


def test_a_mask_must_lie_on_its_scan(tmp_path):
    scan = saved(tmp_path / "a.nii", np.eye(4))
    same = saved(tmp_path / "m.nii", np.eye(4))
    small = saved(tmp_path / "n.nii", np.eye(4), (9, 9, 9))
    moved = saved(tmp_path / "o.nii", np.diag([2.0, 1, 1, 1]))
    assert check_mask(same, scan) == []
    assert "mask shape (9, 9, 9)" in check_mask(small, scan)[0].message
    assert "affine differs" in check_mask(moved, scan)[0].message
    assert "not found" in check_mask(tmp_path / "no.nii", scan)[0].message


@pytest.mark.parametrize(
    ("level", "message"),
    [
        (np.nan, "8000 of 8000 voxels of the mask are NaN"),
        (0.0, "no voxel of the mask is above 0.5 (they are 0 to 0)"),
        (-1.0, "no voxel of the mask is above 0.5 (they are -1 to -1)"),
    ],
)
def test_a_mask_that_holds_nothing_is_named_itself(level, message, tmp_path):
    mask, scan = tmp_path / "a_mask.nii", saved(tmp_path / "a.nii", np.eye(4))
    write_nifti(mask, np.full((20, 20, 20), level), np.eye(4))
    (problem,) = check_mask(mask, scan)
    assert problem.path == mask
    assert problem.message.startswith(message)
    assert check_mask(mask, scan, header_only=True) == []
    with pytest.raises(UserError, match=r"a_mask\.nii: "):
        read_mask(mask)


def test_what_is_only_warned_of_is_not_refused(small, tmp_path):
    tilt = np.radians(20)
    oblique = small.affine.copy()
    oblique[1:3, 1:3] = small.affine[1, 1] * np.array(
        [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    )
    write_nifti(tmp_path / "a.nii", small.image, oblique, np.float32)
    assert [severity for severity, _ in said(tmp_path / "a.nii")] == ["warning"]
    refuse_bad(tmp_path / "a.nii")
    write_nifti(tmp_path / "b.nii", small.image * 0, small.affine, np.float32)
    with pytest.raises(UserError, match=r"b\.nii"):
        refuse_bad(tmp_path / "b.nii")


@pytest.mark.parametrize(
    ("less", "warned"), [(0.0, False), (0.005, False), (0.3, True)]
)
def test_air_below_zero_would_be_cut_off(small, tmp_path, less, warned):
    level = np.median(small.image[small.image > small.image.mean()])
    write_nifti(tmp_path / "a.nii", small.image - less * level, small.affine)
    found = [text for _, text in said(tmp_path / "a.nii")]
    assert any("below 0 is cut off" in text for text in found) == warned
