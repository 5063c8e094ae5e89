"""Runs and encodings that were damaged are refused, each in one line."""

from dataclasses import replace
from functools import partial

import pytest
from bad_input import as_parameters, assert_refused
from bad_models import LATENTS, RUNS
from scan_bytes import scan, written

from medvae.encoding.encoder import Encoder
from medvae.encoding.folder import Item, encode_folder


@pytest.fixture(scope="module")
def codes(run_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("codes")
    written(scan(), "a.nii")(folder)
    encoder = Encoder.load(run_folder)
    assert not encode_folder(encoder, [Item(folder / "a.nii")], folder / "out")
    return folder / "out"


@as_parameters(RUNS)
def test_a_damaged_run_is_named(row, run_folder, tmp_path, monkeypatch, capsys):
    ready = replace(row, make=partial(row.make, source=run_folder))
    assert_refused(ready, tmp_path, monkeypatch, capsys)
    assert not (tmp_path / "unpickled").exists()


@as_parameters(LATENTS)
def test_a_damaged_encoding_is_named(
    row, run_folder, codes, tmp_path, monkeypatch, capsys
):
    ready = replace(row, make=partial(row.make, run_folder=run_folder, codes=codes))
    assert_refused(ready, tmp_path, monkeypatch, capsys, run=run_folder)
