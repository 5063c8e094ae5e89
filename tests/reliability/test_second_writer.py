"""Two commands do not write one folder: the second is told who the first is."""

import pytest
from bad_input import command
from scan_bytes import head, scan, written

from medvae.lock import sole_maker, sole_writer
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
    monkeypatch.setattr("medvae.phantom.dataset._is_finished", lambda *_: next(answers))
    before = sorted(made.rglob("*"))
    assert make_phantom(tmp_path / "out", **asked) == made
    assert sorted(made.rglob("*")) == before
