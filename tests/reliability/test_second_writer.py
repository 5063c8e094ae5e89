"""Two commands do not write one folder: the second is told who the first is."""

import fcntl
import os
from pathlib import Path

import pytest
from bad_input import command
from scan_bytes import head, scan, written

from medvae.errors import UserError
from medvae.lock import sole_maker, sole_writer, turn
from medvae.phantom import make_phantom

PHANTOM = ("phantom", "--sites", "NYU", "--subjects", "1", "--travelers", "0")
COMMANDS = {
    "decode": ("decode", "{run}", "{codes}", "-o"),
    "harmonize": ("harmonize", "{run}", "{data}", "--to", "A", "-o"),
    "evaluate": ("evaluate", "{run}", "--data", "{data}", "-o"),
    "noise apply": ("noise", "apply", "rician", "{data}/A/sub-0_T1w.nii", "-o"),
    "export": ("export", "{run}", "--format", "huggingface", "-o"),
    "demo": ("demo",),
}


@pytest.fixture
def places(run_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for i in range(4):
        name = f"data/{'AB'[i % 2]}/sub-{i}_T1w.nii"
        written(scan(head() * (i + 1)), name)(tmp_path)
    found = {"run": run_folder, "data": tmp_path / "data", "codes": tmp_path / "codes"}
    words = ("encode", run_folder, found["data"], "-o", found["codes"])
    assert command(monkeypatch, words) == 0
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_in_use_is_left_alone(name, places, tmp_path, monkeypatch, capsys):
    words = [word.format(**places) for word in COMMANDS[name]]
    with sole_writer(tmp_path / "out"):
        assert command(monkeypatch, [*words, tmp_path / "out"]) == 2
        assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]
    assert "out: another medvae is writing it" in capsys.readouterr().err


def test_a_phantom_being_made_is_left_alone(tmp_path, monkeypatch, capsys):
    with sole_maker(tmp_path / "out"):
        assert command(monkeypatch, [*PHANTOM, tmp_path / "out"]) == 2
    assert "out: another medvae is writing it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_phantom_that_another_has_made_meanwhile_is_taken(tmp_path, monkeypatch):
    asked = {"sites": ["NYU"], "subjects": 1, "travelers": 0, "voxel_scale": 8.0}
    made = make_phantom(tmp_path / "out", **asked)
    answers = iter([False, True])  # before the lock, and with it
    monkeypatch.setattr("medvae.phantom.dataset.is_finished", lambda *_: next(answers))
    before = sorted(made.rglob("*"))
    assert make_phantom(tmp_path / "out", **asked) == made
    assert sorted(made.rglob("*")) == before


@pytest.fixture
def raced(monkeypatch):
    """Whoever holds a lock removes it between our opening and our locking it."""
    flock, races = fcntl.flock, []

    def removed_meanwhile(handle, how):
        if not races:
            races.append(Path(f"/proc/self/fd/{handle}").readlink())
            races[0].unlink()
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", removed_meanwhile)
    return races


@pytest.mark.parametrize(
    ("hold", "lock"),
    [
        (lambda root: sole_writer(root / "out"), "out/.lock"),
        (lambda root: turn(root / ".index.lock"), ".index.lock"),
    ],
)
def test_a_lock_that_was_removed_meanwhile_is_taken_again(hold, lock, raced, tmp_path):
    with hold(tmp_path):
        assert raced == [tmp_path / lock]
        assert (tmp_path / lock).is_file()
    assert not (tmp_path / lock).exists()


@pytest.mark.parametrize(
    ("hold", "lock"),
    [
        (lambda root: sole_writer(root), ".lock"),
        (lambda root: sole_maker(root / "out"), ".out.lock"),
        (lambda root: turn(root / ".index.lock"), ".index.lock"),
    ],
)
@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_a_lock_that_is_something_else_is_named_and_not_written_to(
    hold, lock, kind, tmp_path
):
    root, victim = tmp_path / "root", tmp_path / "victim"
    root.mkdir()
    victim.write_text("precious")
    make = {"link": lambda p: p.symlink_to(victim), "folder": Path.mkdir}
    make.get(kind, os.mkfifo)(root / lock)
    with pytest.raises(UserError, match=f"{lock}: not a lock of medvae. Remove it"):
        hold(root).__enter__()
    assert victim.read_text() == "precious"


def test_where_the_system_has_no_such_locks_folders_are_written_unheld(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("medvae.lock.sys.platform", "win32")
    with (
        sole_writer(tmp_path / "a"),
        sole_maker(tmp_path / "b"),
        turn(tmp_path / ".index.lock"),
    ):
        assert [path.name for path in tmp_path.rglob("*")] == ["a"]


@pytest.mark.parametrize("hold", [sole_writer, sole_maker])
@pytest.mark.parametrize("place", ["file/out", "file/in/out"])
def test_a_file_where_a_folder_is_to_be_is_told(hold, place, tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UserError, match="not a folder to write to"):
        hold(tmp_path / place).__enter__()
