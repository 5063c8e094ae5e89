"""The bar on a terminal."""

import io

import pytest
from rich.console import Console

from medvae.cli import console


@pytest.fixture
def terminal(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=shown, force_terminal=True))
    return shown


def test_a_bar_that_never_moved_leaves_no_trace(terminal):
    with console.progress_bar("Checking"):
        pass
    assert "Checking" not in terminal.getvalue()


def test_a_bar_that_moved_is_shown(terminal):
    with console.progress_bar("Checking") as progress:
        progress(1, 2, "a.nii.gz")
    assert "Checking" in terminal.getvalue()
    assert "a.nii.gz" in terminal.getvalue()
