"""A scan that memory does not do for is named, and stops no other."""

import os
import signal
from multiprocessing import parent_process
from pathlib import PosixPath

import nibabel as nib
import numpy as np
import pytest
from small_encoder import head_image, small_encoder

from medvae.encoding import reading
from medvae.encoding.folder import Item, encode_folder
from medvae.encoding.table import read_table


class Deadly(PosixPath):
    """A scan that has the process that looks at it killed."""

    def is_file(self, **_):
        if parent_process():  # not that of the tests
            os.kill(os.getpid(), signal.SIGKILL)
        return super().is_file()


@pytest.fixture
def encoder():
    return small_encoder()


def scans(folder, n):
    paths = [folder / f"scan{i}.nii" for i in range(n)]
    for i, path in enumerate(paths):
        nib.save(head_image(seed=i, shape=(30, 34, 32)), path)
    return paths


def test_a_reader_that_is_killed_costs_one_scan(encoder, tmp_path):
    paths = scans(tmp_path, 7)
    paths[1] = Deadly(paths[1])
    problems = encode_folder(
        encoder, [Item(p) for p in paths], tmp_path / "out", jobs=1, batch_size=2
    )
    assert len(problems) == 1
    assert "scan1.nii: the process that read it was killed" in problems[0]
    assert "fewer --jobs" in problems[0]
    names = [f"scan{i}" for i in (0, 2, 3, 4, 5, 6)]
    assert list(read_table(tmp_path / "out")[0].index) == names


def test_a_scan_that_does_not_fit_into_memory_is_named(encoder, tmp_path, monkeypatch):
    paths = scans(tmp_path, 3)
    read = reading.read_volume

    def short(path):
        if path == paths[0]:
            np.empty(2**55)
        return read(path)

    monkeypatch.setattr(reading, "read_volume", short)
    problems = encode_folder(encoder, [Item(p) for p in paths], tmp_path / "out")
    assert len(problems) == 1
    assert f"{paths[0]}: out of memory. Run" in problems[0]
    assert list(read_table(tmp_path / "out")[0].index) == ["scan1", "scan2"]


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you")],
)
def test_a_batch_that_does_not_fit_is_encoded_one_by_one(
    encoder, tmp_path, monkeypatch, error
):
    encode = encoder.encode_read

    def short(read):
        if len(read) > 1 or read[0].name == "scan1.nii":
            raise error
        return encode(read)

    monkeypatch.setattr(encoder, "encode_read", short)
    items = [Item(p) for p in scans(tmp_path, 3)]
    problems = encode_folder(encoder, items, tmp_path / "out")
    assert len(problems) == 1
    assert "scan1.nii: out of memory" in problems[0]
    assert list(read_table(tmp_path / "out")[0].index) == ["scan0", "scan2"]


def test_a_mistake_of_ours_is_no_scan_s_problem(encoder, tmp_path, monkeypatch):
    def mistaken(_):
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(encoder, "encode_read", mistaken)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        encode_folder(encoder, [Item(p) for p in scans(tmp_path, 1)], tmp_path / "out")
