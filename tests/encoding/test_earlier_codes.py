"""A folder that holds codes from earlier calls: none is lost, the table has all."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from small_encoder import head_image, small_encoder

from medvae.encoding import told
from medvae.encoding.folder import Item, encode_folder
from medvae.encoding.latent_file import read_latent
from medvae.encoding.names import find_latents
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


def test_a_scan_keeps_its_name_whoever_comes_with_it(encoder, tmp_path):
    items, out = named_alike(tmp_path, "A", "B"), tmp_path / "out"
    encode_folder(encoder, items[:1], out)
    for given in (items, items[1:], items[:1]):
        encode_folder(encoder, given, out)
        index = read_table(out)[0]
        assert {*index["path"].items()} == {
            ("scan0", str(items[0].path)),
            ("B_scan0", str(items[1].path)),
        }
    assert len(find_latents([out])) == 2


def test_a_new_scan_does_not_take_the_name_of_another(encoder, tmp_path):
    items, out = named_alike(tmp_path, "A", "B"), tmp_path / "out"
    encode_folder(encoder, items, out)
    copy = Item(tmp_path / "A_scan0.nii.gz")
    copy.path.write_bytes(items[0].path.read_bytes())
    with pytest.raises(UserError, match=r"A_scan0_latent\.nii\.gz: the code of .* too"):
        encode_folder(encoder, [items[0], copy], out)


def test_a_table_with_columns_of_another_s_is_not_written_over(encoder, tmp_path):
    items, out = folder_of(tmp_path, 2), tmp_path / "out"
    encode_folder(encoder, items[:1], out)
    header, row = (out / "index.tsv").read_text().splitlines()
    (out / "index.tsv").write_text(f"{header}\tdiagnosis\n{row}\tnone\n")
    before = every_file(out)
    with pytest.raises(UserError, match=r"index\.tsv: not written by medvae encode"):
        encode_folder(encoder, items[1:], out)
    assert every_file(out) == before


@pytest.mark.parametrize("label", ["NA", "nan", "n/a", 'a"b', "a\nb", "a\u2028b"])
def test_labels_come_back_as_they_were_given(encoder, tmp_path, label):
    items, out = folder_of(tmp_path, 1), tmp_path / "out"
    for _ in range(2):
        encode_folder(encoder, [replace(items[0], subject=label, site=label)], out)
        index = read_table(out)[0]
        assert (*index["subject"], *index["site"]) == (label, label)


@pytest.mark.parametrize("label", ["a\rb", "a\0b", "\ud800"])
def test_labels_that_do_not_come_back_are_refused(encoder, tmp_path, label):
    items, out = folder_of(tmp_path, 1), tmp_path / "out"
    with pytest.raises(UserError, match=r"scan0\.nii\.gz: no table can hold its"):
        encode_folder(encoder, [replace(items[0], site=label)], out)
    assert not out.exists()


def test_the_folder_is_read_once_before_and_once_after(encoder, tmp_path, monkeypatch):
    items, out = folder_of(tmp_path, 1), tmp_path / "out"
    encode_folder(encoder, items, out)
    reads, read = [], told.read_text
    monkeypatch.setattr(told, "read_text", lambda path: reads.append(1) or read(path))
    encode_folder(encoder, items, out)
    assert len(reads) == 2


DAMAGES = {
    "cut": (lambda table: table[:-9], "its last line is cut"),
    "cut in a row": (lambda table: table[:-90] + b"\n", "row 2 has . cells"),
    "another cell": (lambda table: table.replace(b"s0", b"s\t0"), "row 2 has 10 cells"),
    "an open quote": (lambda table: table.replace(b"s0", b'"s0'), "unexpected end"),
    "nothing": (lambda table: table.replace(b"s0", b"s\0"), "row 2 names a file"),
    "elsewhere": (lambda table: table.replace(b"scan0_l", b"../l"), "row 2 names a"),
    "not UTF-8": (lambda table: table.replace(b"s0", b"\xfc"), "not UTF-8 at byte"),
}


@pytest.mark.parametrize(("damage", "why"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_table_is_refused_and_made_anew_once_it_is_away(
    encoder, tmp_path, damage, why
):
    items, out = folder_of(tmp_path, 2), tmp_path / "out"
    encode_folder(encoder, items[:1], out)
    table = out / "index.tsv"
    table.write_bytes(damage(table.read_bytes()))
    before = every_file(out)
    with pytest.raises(UserError, match=rf"index\.tsv: damaged \({why}.*move it away"):
        encode_folder(encoder, items[1:], out)
    assert every_file(out) == before
    table.unlink()
    encode_folder(encoder, items[1:], out)
    assert list(read_table(out)[0]["subject"]) == ["s0", "s1"]


def test_coordinates_beside_another_table_go(encoder, tmp_path):
    items, out = folder_of(tmp_path, 2), tmp_path / "out"
    encode_folder(encoder, items[:1], out)
    (out / "axes.npy").write_bytes(b"of one scan")
    encode_folder(encoder, items[:1], out)
    assert (out / "axes.npy").exists()
    encode_folder(encoder, items, out)
    assert not (out / "axes.npy").exists()
