"""One row of the collection of bad inputs, and what every row must lead to."""

from __future__ import annotations

import logging
import re
import resource
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

# Verbs import these when they are called, and the first row would pay for it.
import medvae.comparison.run
import medvae.training.run  # noqa: F401
from medvae.cli import main

MORE_MEMORY = 2**29
"""Bytes that reading a bad input may take; the smallest lie here is far larger."""

MORE_SECONDS = 5.0  # of processor time

# What is required, with what was found, is a remedy in itself (style of the project).
REQUIRED = re.compile(r"\b(?:must|should)\b.*")
REMEDIES = re.compile(
    r"(?i)(?:^|[.;,?)] |: )(?:Add|Check|Choose|Convert|Copy|Correct|Decode|Did|Encode|Export|"
    r"Extract|Fetch|Fill|Finish|Fit|Free|Give|Install|Is it|Known|Leave|Look|"
    r"Lower|Make|Mend|Name|Put|Remove|Rename|Resample|Restore|Run|Save|Scale|Set|Train|Use|"
    r"Write)\b"
)


@dataclass(frozen=True)
class Bad:
    """An input that cannot be used.

    Args:
        name: Of the row.
        make: Writes it into a folder.
        words: Of the command line that reads it, with ``{here}`` for the folder.
        file: That the message must name.
        says: That the message must hold, a regular expression.
    """

    name: str
    make: Callable[[Path], object]
    words: tuple[str, ...]
    file: str
    says: str = ""


OURS = (
    "error: ",
    "warning: ",
    "Checking: ",
    "Corrupting: ",
    "Decoding: ",
    "Harmonizing: ",
    "Encoding: ",
    "Measuring: ",
)
"""What a line of standard error may begin with: nothing of any library's."""


def as_parameters(rows):
    """For pytest, which shows the name of the row."""
    names = [row.name for row in rows]
    assert len(set(names)) == len(names), "two rows have one name"
    return pytest.mark.parametrize("row", rows, ids=names)


def snapshot(folder):
    """Every path below a folder with its size and time of change."""
    return {
        path: (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if "cache" not in path.relative_to(folder).parts[:1]
    }


@contextmanager
def little_memory():
    """Refuse allocations of more than MORE_MEMORY beyond what is there."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    now = pages * resource.getpagesize()
    old = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + MORE_MEMORY, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)


def command(monkeypatch, words):
    """Run the command line in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["medvae", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def assert_refused(row, folder, monkeypatch, capsys, **places):
    """One line, the file's name, a remedy, exit 2, in bounds, nothing written."""
    row.make(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    # As on a terminal: other handlers would swallow what libraries log.
    for name in (None, "nibabel.global"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
    before = snapshot(folder)
    started = time.process_time()
    with little_memory():
        words = [word.format(here=folder, **places) for word in row.words]
        code = command(monkeypatch, words)
    spent = time.process_time() - started
    told = capsys.readouterr().err
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    assert code == 2, told
    assert all(line.startswith(OURS) for line in told.splitlines()), told
    assert len(errors) == 1, told
    assert row.file in errors[0]
    assert REMEDIES.search(errors[0]) or REQUIRED.search(errors[0]), errors[0]
    assert re.search(row.says, errors[0]), errors[0]
    assert len(errors[0]) < 600, errors[0]
    assert "Traceback" not in told
    assert spent < MORE_SECONDS
    assert snapshot(folder) == before
