"""A folder that holds codes from earlier calls: none is lost, the table has all."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from small_encoder import head_image, small_encoder

from medvae.encoding.folder import Item, encode_folder
from medvae.encoding.latent_file import read_latent
from medvae.encoding.table import read_table
from medvae.errors import UserError


@pytest.fixture(scope="module")
def encoder():
    return small_encoder()


def folder_of(tmp_path, n):
    items = [Item(tmp_path / f"scan{i}.nii.gz", f"s{i}") for i in range(n)]
    for i, item in enumerate(items):
        nib.save(head_image(seed=i, shape=(30, 34, 32)), item.path)
    return items


def named_alike(tmp_path, *folders, name="scan0.nii.gz"):
    items = []
    for seed, folder in enumerate(folders):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        nib.save(head_image(seed=seed, shape=(30, 34, 32)), path)
        items.append(Item(path, f"{folder}1", folder))
    return items


def every_file(out):
    return {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_the_code_of_another_scan_of_the_same_name_is_not_written_over(
    encoder, tmp_path
):
    (first, second), out = named_alike(tmp_path, "A", "B"), tmp_path / "out"
    encode_folder(encoder, [first], out)
    before = every_file(out)
    with pytest.raises(UserError, match=r"A/scan0.*would be overwritten.*B/scan0"):
        encode_folder(encoder, [second], out)
    first.path.unlink()  # what is gone cannot be encoded again
    with pytest.raises(UserError, match=r"scan0_latent\.nii\.gz: the code of"):
        encode_folder(encoder, [second], out)
    assert every_file(out) == before


def test_a_path_is_that_of_the_call_that_was_given_it(encoder, tmp_path, monkeypatch):
    items, out = named_alike(tmp_path, "A", "B"), tmp_path / "out"
    here = Item(items[0].path.relative_to(tmp_path / "A"))
    monkeypatch.chdir(tmp_path / "A")
    encode_folder(encoder, [here], out)
    before = every_file(out)
    monkeypatch.chdir(tmp_path / "B")  # where another scan is called so
    with pytest.raises(UserError, match=r"A/scan0.*would be overwritten"):
        encode_folder(encoder, [here], out)
    assert every_file(out) == before
    assert list(read_table(out)[0]["path"]) == [str(items[0].path)]


def test_a_scan_that_was_moved_or_is_missing_is_no_other(encoder, tmp_path):
    (first,), out = named_alike(tmp_path, "A"), tmp_path / "out"
    encode_folder(encoder, [first], out)
    moved = Item(first.path.rename(tmp_path / first.path.name), "moved")
    assert encode_folder(encoder, [moved], out) == []
    assert list(read_table(out)[0]["subject"]) == ["moved"]
    (problem,) = encode_folder(encoder, [first], out)
    assert "file not found" in problem


def test_a_later_call_adds_its_scans_to_the_table(encoder, tmp_path):
    items, out = folder_of(tmp_path, 4), tmp_path / "out"
    encode_folder(encoder, items[:2], out)
    encode_folder(encoder, items[1:3], out)
    index, vectors = read_table(out)
    assert list(index.index) == ["scan0", "scan1", "scan2"]
    assert list(index["row"]) == [0, 1, 2]
    for name, vector in zip(index.index, vectors, strict=True):
        assert np.array_equal(read_latent(out / f"{name}_latent.nii.gz").vector, vector)
    (out / "scan0_latentstd.nii.gz").write_bytes(b"half")
    encode_folder(encoder, items[3:], out)
    assert list(read_table(out)[0].index) == ["scan1", "scan2", "scan3"]


def test_codes_of_other_scans_by_another_model_or_cover_are_not_lost(encoder, tmp_path):
    items, out = folder_of(tmp_path, 2), tmp_path / "out"
    encode_folder(encoder, items, out)
    before = every_file(out)
    other = small_encoder()
    other.model_digest = "another"
    with pytest.raises(
        UserError, match=r"scan1_latent\.nii\.gz: encoded by another mod"
    ):
        encode_folder(other, items[:1], out)
    with pytest.raises(UserError, match="encoded with cover head; one table cannot"):
        encode_folder(encoder, items[:1], out, cover="scan")
    assert every_file(out) == before
    encode_folder(other, items, out)
    assert set(read_table(out)[0]["model"]) == {"another"}


def test_labels_that_a_later_call_does_not_know_stay(encoder, tmp_path):
    items, out = folder_of(tmp_path, 2), tmp_path / "out"
    encode_folder(encoder, [replace(item, site="A") for item in items], out)
    nib.save(head_image(seed=5, shape=(30, 34, 32)), items[1].path)
    encode_folder(encoder, [Item(item.path, session="b") for item in items], out)
    index = read_table(out)[0]
    assert list(index["site"]) == ["A", ""]  # the second is another scan now
    assert list(index["subject"]) == ["s0", ""]
    assert list(index["session"]) == ["b", "b"]


def test_a_scan_under_a_longer_name_stands_in_the_table_once(encoder, tmp_path):
    items, out = named_alike(tmp_path, "A", "B"), tmp_path / "out"
    encode_folder(encoder, items[:1], out)
    encode_folder(encoder, items, out)
    assert list(read_table(out)[0].index) == ["A_scan0", "B_scan0"]


def test_a_table_with_columns_of_another_s_is_not_written_over(encoder, tmp_path):
    items, out = folder_of(tmp_path, 2), tmp_path / "out"
    encode_folder(encoder, items[:1], out)
    header, row = (out / "index.tsv").read_text().splitlines()
    (out / "index.tsv").write_text(f"{header}\tdiagnosis\n{row}\tnone\n")
    before = every_file(out)
    with pytest.raises(UserError, match=r"index\.tsv: not written by medvae encode"):
        encode_folder(encoder, items[1:], out)
    assert every_file(out) == before


@pytest.mark.parametrize("told", ["../out/scan0_latent.nii.gz", "a\0b", "a\tb"])
def test_a_table_that_no_call_wrote_is_made_anew(encoder, tmp_path, told):
    items, out = folder_of(tmp_path, 2), tmp_path / "out"
    encode_folder(encoder, items[:1], out)
    table, name = (out / "index.tsv").read_text(), str(items[0].path)
    name = "scan0_latent.nii.gz" if told.startswith("..") else name
    (out / "index.tsv").write_text(table.replace(name, told))
    encode_folder(encoder, items[1:], out)
    assert list(read_table(out)[0].index) == ["scan1"]


def test_coordinates_beside_another_table_go(encoder, tmp_path):
    items, out = folder_of(tmp_path, 2), tmp_path / "out"
    encode_folder(encoder, items[:1], out)
    (out / "axes.npy").write_bytes(b"of one scan")
    encode_folder(encoder, items[:1], out)
    assert (out / "axes.npy").exists()
    encode_folder(encoder, items, out)
    assert not (out / "axes.npy").exists()
