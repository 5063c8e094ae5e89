"""Images that are there, whole and made of the same, stay; all others are made."""

import nibabel as nib
import numpy as np
import pytest
from small_encoder import head_image, small_encoder

from medvae.encoding.folder import Item, encode_folder
from medvae.encoding.images import decode_files, harmonize_files
from medvae.encoding.names import find_latents


@pytest.fixture
def encoder():
    return small_encoder()


@pytest.fixture
def items(tmp_path):
    found = [Item(tmp_path / f"scan{i}.nii", site="A") for i in range(3)]
    for i, item in enumerate(found):
        nib.save(head_image(seed=i, shape=(30, 34, 32)), item.path)
    return found


class Harmonising:
    """The same command again and again; what it makes anew, by number."""

    def __init__(self, encoder, items, out):
        self.encoder, self.items, self.out = encoder, items, out
        self.targets = [out / f"{i}.nii" for i in range(len(items))]

    def __call__(self, to="B", **options):
        made, self.rows = [], []

        def note(row, is_new):
            self.rows.append(row)
            if is_new:
                made.append(int(row.path.removesuffix(".nii")))

        options = {"batch_size": 2, "each": note} | options
        rows, problems = harmonize_files(
            self.encoder, self.items, self.targets, to, **options
        )
        assert rows == self.rows
        assert not problems
        return made

    def voxels(self):
        return [nib.load(path, mmap=False).get_fdata() for path in self.targets]


@pytest.fixture
def harmonise(encoder, items, tmp_path):
    return Harmonising(encoder, items, tmp_path / "out")


def test_what_is_finished_stays_and_ends_like_one_call(harmonise):
    assert harmonise() == [0, 1, 2]
    whole, rows = harmonise.voxels(), harmonise.rows
    assert harmonise() == []
    assert harmonise.rows == rows
    harmonise.targets[1].unlink()
    harmonise.targets[2].write_bytes(b"half")
    assert harmonise() == [1, 2]
    assert harmonise.rows == rows
    for one, other in zip(whole, harmonise.voxels(), strict=True):
        assert np.array_equal(one, other)


def test_another_wish_another_scan_or_another_run_is_made_anew(harmonise, items):
    harmonise()
    assert harmonise(to="A") == [0, 1, 2]
    assert harmonise(to="A", made_at="B") == [0, 1, 2]
    assert harmonise(to="A", detail=False) == [0, 1, 2]
    assert harmonise(to="A", detail=False, cover="scan") == [0, 1, 2]
    nib.save(head_image(seed=9, shape=(30, 34, 32)), items[1].path)
    assert harmonise(to="A", detail=False, cover="scan") == [1]
    harmonise.encoder.model_digest = "another"
    assert harmonise(to="A", detail=False, cover="scan") == [0, 1, 2]
    harmonise.encoder.model_digest = None  # of a model that came from no file
    harmonise()
    assert harmonise() == [0, 1, 2]


def test_decoded_images_stay_unless_code_or_site_changes(encoder, items, tmp_path):
    codes, out = tmp_path / "codes", tmp_path / "out"
    encode_folder(encoder, items, codes)

    def decode(site=None):
        made = []
        paths = find_latents([codes])
        targets = [out / f"{i}.nii" for i in range(len(paths))]

        def note(path, is_new):
            made.extend([path.name] * is_new)

        assert not decode_files(encoder, paths, targets, site, each=note)
        return made

    every = ["0.nii", "1.nii", "2.nii"]
    assert (decode(), decode()) == (every, [])
    assert (decode("A"), decode("A")) == (every, [])
    nib.save(head_image(seed=9, shape=(30, 34, 32)), items[1].path)
    encode_folder(encoder, items, codes)
    (out / "0.nii").write_bytes(b"half")
    assert "1.nii" in decode("A")
    assert nib.load(out / "0.nii").shape == (30, 34, 32)
