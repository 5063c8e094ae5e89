"""A call that was killed between two scans: no code is lost, none is made twice."""

import json
from dataclasses import replace
from pathlib import Path

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


def scans_at(tmp_path, site, n=3, name="scan"):
    items = []
    for i in range(n):
        path = tmp_path / site / f"{name}{i}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        nib.save(head_image(seed=ord(site) + i, shape=(30, 34, 32)), path)
        items.append(Item(path, f"{site}{i}", site))
    return items


class Killed(BaseException):
    """What no code of ours catches, like the signal; on disk the same is left."""


def encode_killed(encoder, items, out, after):
    def kill(done, total, name):
        if done == after:
            raise Killed

    with pytest.raises(Killed):
        encode_folder(encoder, items, out, batch_size=1, progress=kill)


def every_file(out):
    return {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@pytest.fixture
def killed(encoder, tmp_path):
    """Scans of which two were encoded before the end, and the folder."""
    items, out = scans_at(tmp_path, "A"), tmp_path / "out"
    encode_killed(encoder, items, out, after=2)
    assert not (out / "index.tsv").exists()
    return items, out


def test_the_same_call_goes_on_and_ends_like_one_left_alone(encoder, killed, tmp_path):
    items, out = killed
    codes = [out / f"scan{i}_latent.nii.gz" for i in range(2)]
    made = [code.stat().st_mtime_ns for code in codes]
    assert encode_folder(encoder, items, out, batch_size=1) == []
    assert [code.stat().st_mtime_ns for code in codes] == made
    encode_folder(encoder, items, tmp_path / "alone", batch_size=1)
    assert every_file(out) == every_file(tmp_path / "alone")


def test_a_call_with_other_scans_takes_the_codes_into_its_table(
    encoder, killed, tmp_path
):
    others, out = scans_at(tmp_path, "B", 1, "other"), killed[1]
    encode_folder(encoder, others, out)
    index, vectors = read_table(out)
    assert list(index["subject"]) == ["A0", "A1", "B0"]
    assert np.array_equal(read_latent(out / "scan1_latent.nii.gz").vector, vectors[1])


def test_its_codes_are_not_written_over(encoder, killed, tmp_path):
    out = killed[1]
    before = every_file(out)
    with pytest.raises(UserError, match=r"the code of .*A/scan0.*overwritten.*B/scan0"):
        encode_folder(encoder, scans_at(tmp_path, "B"), out)
    other = small_encoder()
    other.model_digest = "another"
    with pytest.raises(UserError, match="encoded by another model; one table cannot"):
        encode_folder(other, scans_at(tmp_path, "C", 1, "other"), out)
    assert every_file(out) == before


def test_labels_and_names_are_those_of_the_killed_call(encoder, tmp_path):
    (first,), (second,) = (scans_at(tmp_path, site, 1) for site in "AB")
    out = tmp_path / "out"
    encode_killed(encoder, [first, second], out, after=1)
    encode_folder(encoder, [replace(first, subject=None, site=None)], out)
    index = read_table(out)[0]
    assert [*index.index, *index["subject"], *index["site"]] == ["A_scan0", "A0", "A"]


@pytest.mark.parametrize(
    "row", [None, 3, [], {}, {"name": "../scan0"}, {"path": 1}, {"site": "\ud800"}]
)
def test_a_code_that_tells_no_row_is_passed_over(encoder, killed, tmp_path, row):
    out = killed[1]
    told = out / "scan0_latent.json"
    content = json.loads(told.read_text())
    content["row"] = content["row"] | row if isinstance(row, dict) and row else row
    told.write_text(json.dumps(content))
    encode_folder(encoder, scans_at(tmp_path, "B", 1, "other"), out)
    assert list(read_table(out)[0]["subject"]) == ["A1", "B0"]


def test_no_code_is_left_in_the_row_of_another_scan(encoder, tmp_path, monkeypatch):
    items, out = scans_at(tmp_path, "A", 2), tmp_path / "out"
    encode_folder(encoder, items, out)
    replace_file, replaced = Path.replace, []

    def die_between_matrix_and_table(partial, path):
        if path.parent == out and path.name in ("index.tsv", "latents.npy"):
            replaced.append(path.name)
            if len(replaced) == 2:
                raise KeyboardInterrupt
        return replace_file(partial, path)

    monkeypatch.setattr(Path, "replace", die_between_matrix_and_table)
    with pytest.raises(KeyboardInterrupt):
        encode_folder(encoder, items[::-1], out)
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"latents\.npy: not found.*medvae encode"):
        read_table(out)
    encode_folder(encoder, items[::-1], out)
    index, vectors = read_table(out)
    for name, vector in zip(index.index, vectors, strict=True):
        assert np.array_equal(read_latent(out / f"{name}_latent.nii.gz").vector, vector)
