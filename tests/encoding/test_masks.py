"""A scan's mask bounds where its level is sought, in codes as in training."""

import nibabel as nib
import numpy as np
import pytest
from small_encoder import head_image, small_encoder

from medvae.cohort import Scan, read_cohort
from medvae.encoding import Encoder
from medvae.encoding.folder import Item, encode_folder
from medvae.encoding.harmonised import write_index
from medvae.encoding.images import harmonize_files
from medvae.encoding.latent_file import read_latent
from medvae.encoding.reading import scan_digest
from medvae.encoding.table import read_table
from medvae.errors import UserError
from medvae.files import digest
from medvae.volume import check_mask, prepare_scans

SHAPE = (30, 34, 32)


@pytest.fixture(scope="module")
def encoder():
    return small_encoder()


def mask_of_core(path, share=0.35, affine=None, shape=SHAPE):
    """The head's core, which is darker than the rest."""
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    centre = (np.array(shape) - 1) / 2
    radius = np.linalg.norm((places - centre) / (0.4 * np.array(shape)), axis=-1)
    affine = np.diag([5.0, 5, 5, 1]) if affine is None else affine
    nib.save(nib.Nifti1Image((radius < share).astype(np.uint8), affine), path)
    return path


def masked_scan(folder, name="a"):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.nii.gz"
    nib.save(head_image(shape=SHAPE), path)
    return Scan(path, name, mask=mask_of_core(folder / f"{name}_mask.nii.gz"))


@pytest.mark.parametrize("jobs", [0, 2])
def test_a_code_is_of_the_very_input_that_training_had(encoder, tmp_path, jobs):
    scans = [masked_scan(tmp_path / "scans", name) for name in "abc"]
    out = tmp_path / "out"
    items = [Item.of(scan) for scan in scans]
    assert encode_folder(encoder, items, out, batch_size=1, jobs=jobs) == []
    seen = prepare_scans(scans[:1], encoder.grid, tmp_path / "cache").prepared(0)
    latent = read_latent(out / "a_latent.nii.gz")
    without = encoder.encode(scans[0].path)
    assert latent.reference == seen.reference
    assert latent.reference < 0.9 * without.reference
    again = encoder.encode_again(latent, np.array(seen.image))
    np.testing.assert_allclose(latent.mean, again.mean, atol=1e-5)
    assert np.abs(latent.mean - without.mean).max() > 1e-3


def test_a_changed_mask_makes_the_code_anew_and_none_leaves_it(encoder, tmp_path):
    scan, out = masked_scan(tmp_path / "scans"), tmp_path / "out"
    target = out / "a_latent.nii.gz"
    bare, masked = Item(scan.path), Item.of(scan)
    encode_folder(encoder, [bare], out)
    assert read_latent(target).digest == digest(scan.path)  # as before masks counted
    levels = [read_latent(target).reference]
    encode_folder(encoder, [masked], out)
    levels.append(read_latent(target).reference)
    before = target.stat().st_mtime_ns
    encode_folder(encoder, [masked], out)
    assert target.stat().st_mtime_ns == before
    mask_of_core(scan.mask, share=0.9)
    encode_folder(encoder, [masked], out)
    levels.append(read_latent(target).reference)
    assert levels[1] < 0.9 * levels[0]
    assert levels[2] > levels[1]
    assert list(read_table(out)[0]["digest"]) == [scan_digest(scan.path, scan.mask)]


def test_a_moved_scan_is_the_same_with_a_mask_or_without(encoder, tmp_path):
    first, moved = (masked_scan(tmp_path / name) for name in ("first", "moved"))
    out = tmp_path / "out"
    encode_folder(encoder, [Item.of(first)], out)
    assert encode_folder(encoder, [Item.of(moved)], out) == []
    assert encode_folder(encoder, [Item(first.path)], out) == []
    nib.save(head_image(seed=7, shape=SHAPE), moved.path)
    with pytest.raises(UserError, match="Choose another folder"):
        encode_folder(encoder, [Item.of(moved)], out)


@pytest.mark.parametrize("jobs", [0, 2])
def test_a_mask_that_is_missing_or_misplaced_stops_no_other(encoder, tmp_path, jobs):
    folder = tmp_path / "scans"
    scans = [masked_scan(folder, name) for name in "abcd"]
    scans[0].mask.unlink()
    mask_of_core(scans[1].mask, affine=np.diag([4.0, 5, 5, 1]))
    mask_of_core(scans[2].mask, shape=(30, 34, 31))
    items = [Item.of(scan) for scan in scans]
    words = (
        "a_mask.nii.gz: file not found",
        "b_mask.nii.gz: mask affine differs from that of its scan b.nii.gz. Resample",
        "c_mask.nii.gz: mask shape (30, 34, 31), but its scan c.nii.gz has",
    )
    problems = encode_folder(encoder, items, tmp_path / "out", jobs=jobs)
    targets = [tmp_path / f"as_b_{scan.path.name}" for scan in scans]
    rows, unpainted = harmonize_files(encoder, items, targets, "B", jobs=jobs)
    for told in (problems, unpainted):
        assert len(told) == 3
        for problem, said in zip(told, words, strict=True):
            assert problem.startswith(f"{folder}/{said}")
    assert list(read_table(tmp_path / "out")[0].index) == ["d"]
    assert [row.original for row in rows] == [scans[3].path]


def test_an_image_is_painted_with_the_level_within_the_mask(untrained, tmp_path):
    encoder = Encoder(untrained(), model_digest="digest")
    scan, out = masked_scan(tmp_path / "scans"), tmp_path / "out.nii.gz"
    new = []

    def painted(item):
        _, problems = harmonize_files(
            *(encoder, [item], [out], "B"), each=lambda _, is_new: new.append(is_new)
        )
        assert not problems
        return nib.load(out).get_fdata()

    bare, masked = painted(Item(scan.path)), painted(Item.of(scan))
    assert np.abs(masked - bare).max() > 1
    painted(Item.of(scan))
    mask_of_core(scan.mask, share=0.9)
    assert np.abs(painted(Item.of(scan)) - masked).max() > 1
    assert new == [True, True, False, True]


def test_the_table_of_images_names_the_masks(encoder, tmp_path):
    scan, out = masked_scan(tmp_path / "scans"), tmp_path / "as_b"
    out.mkdir()
    items = [Item.of(scan)]
    rows, _ = harmonize_files(encoder, items, [out / "a.nii.gz"], "B")
    write_index(out, rows)
    (image,) = read_cohort(out / "index.tsv").scans
    assert image.mask is not None
    assert image.mask.samefile(scan.mask)
    assert not check_mask(image.mask, image.path)
