"""Processes that joblib keeps for the next call work where that call is made."""

import os
from pathlib import Path

import pytest
from joblib import delayed

from noise_models.workers import workers


@pytest.mark.parametrize("unordered", [False, True])
def test_workers_find_relative_paths_where_their_caller_is(
    tmp_path, monkeypatch, unordered
):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scan").write_text(name)
        monkeypatch.chdir(tmp_path / name)
        read = delayed(Path.read_text)
        found = workers(2, unordered=unordered)(read(Path("scan")) for _ in range(4))
        assert list(found) == [name] * 4


def test_workers_are_kept_while_their_caller_stays():
    first, again = (
        set(workers(2)(delayed(os.getpid)() for _ in range(8))) for _ in range(2)
    )
    assert first & again
