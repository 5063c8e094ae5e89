"""Full disks, second writers, kills, lost workers: nothing is lost, and it is told."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import joblib
import numpy as np
import pytest
import torch
from bad_input import command
from scan_bytes import head, scan, written

from medvae.cli import main
from medvae.cli.advice import advice
from medvae.errors import UserError
from medvae.files import digest, write_text
from medvae.lock import LOCK, sole_writer
from medvae.training.checkpoints import WholeCheckpoints


def test_a_second_writer_is_told_who_the_first_is(tmp_path):
    with (
        sole_writer(tmp_path / "run"),
        pytest.raises(UserError, match=rf"another medvae .*process {os.getpid()} on"),
        sole_writer(tmp_path / "run"),
    ):
        pass
    with sole_writer(tmp_path / "run"):  # the first has ended
        pass


def hold_for_ever(folder, ready):
    child = os.fork()
    if child == 0:
        with sole_writer(folder):
            (folder / ".partial-1-a.txt").write_text("half")
            (folder / ".partial-x").mkdir()
            (folder / ".partial-x" / "image.npy").write_text("half")
            ready.touch()
            time.sleep(60)
    return child


def test_a_killed_writer_holds_nothing_and_leaves_nothing_half(tmp_path):
    folder, ready = tmp_path / "run", tmp_path / "ready"
    child = hold_for_ever(folder, ready)
    while not ready.exists():
        time.sleep(0.01)
    with pytest.raises(UserError, match="another medvae"), sole_writer(folder):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    half = {".partial-1-a.txt", ".partial-x"}
    assert {p.name for p in folder.iterdir()} == {LOCK, *half}
    with sole_writer(folder):
        assert {p.name for p in folder.iterdir()} == {LOCK}
    assert not folder.exists() or not list(folder.iterdir())


def test_a_writer_of_a_folder_leaves_those_of_folders_in_it_alone(tmp_path):
    partial = tmp_path / "runs" / "one" / "maps" / ".partial-1-a.txt"
    with sole_writer(tmp_path / "runs" / "one"):
        partial.parent.mkdir()
        partial.write_text("half")
        with sole_writer(tmp_path):
            assert partial.exists()
    with sole_writer(tmp_path):  # nobody writes there any more
        assert not partial.exists()


@pytest.fixture
def scans(tmp_path):
    for i in range(6):
        written(scan(head() * (i + 1)), f"data/A/sub-{i}_T1w.nii")(tmp_path)
    return tmp_path / "data"


def encode(monkeypatch, run, scans, out, *more):
    return command(monkeypatch, ["encode", run, scans, "-o", out, *more])


def test_two_processes_do_not_encode_into_one_folder(
    run_folder, scans, tmp_path, monkeypatch, capsys
):
    with sole_writer(tmp_path / "out"):
        assert encode(monkeypatch, run_folder, scans, tmp_path / "out") == 2
    assert "another medvae is writing it" in capsys.readouterr().err
    assert encode(monkeypatch, run_folder, scans, tmp_path / "out") == 0


def contents(folder):
    """Of every file, but for the command that names the folder."""
    files = (p for p in folder.rglob("*") if p.is_file())
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}
    for name in [n for n in found if n.endswith("provenance.json")]:
        found[name] = json.loads(found[name]) | {"command": None}
    return found


def test_codes_are_the_same_bits_after_any_interruption(
    run_folder, scans, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    assert encode(monkeypatch, run_folder, scans, out) == 0
    whole = contents(out)
    for lost in ("sub-1*_latent.json", "sub-4*_latent.nii.gz", "latents.npy"):
        next(out.rglob(lost)).unlink()
        assert encode(monkeypatch, run_folder, scans, out) == 0
        assert contents(out) == whole


@pytest.mark.parametrize("now", [0.0, 4e9])
def test_codes_and_images_do_not_depend_on_the_clock(
    now, run_folder, scans, tmp_path, monkeypatch
):
    def made(out):
        corrupt = ["noise", "apply", "rician", next(scans.rglob("*.nii"))]
        assert encode(monkeypatch, run_folder, scans, out / "codes") == 0
        assert command(monkeypatch, [*corrupt, "-o", out / "noisy"]) == 0
        return contents(out)

    today = made(tmp_path / "today")
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(time, "time_ns", lambda: int(now * 1e9))
    assert made(tmp_path / "another") == today


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB; a function that makes it larger or read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", place)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system is not allowed here")
    yield place, lambda how: mount("-o", f"remount,{how}", place)
    subprocess.run(["umount", "-l", place], check=True)


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True)


def test_a_full_disk_is_told_and_the_rest_is_done_when_there_is_room(
    run_folder, scans, tmp_path, small_disk, monkeypatch, capsys
):
    place, change = small_disk
    (place / "ballast").write_bytes(bytes(50_000))
    assert encode(monkeypatch, run_folder, scans, place / "out") == 2
    errors = [t for t in capsys.readouterr().err.splitlines() if "error: " in t]
    assert len(errors) == 1
    assert "No space left on device. Free some space" in errors[0]
    assert not list((place / "out").glob(".partial*"))
    change("size=4m")
    assert encode(monkeypatch, run_folder, scans, place / "out") == 0
    assert encode(monkeypatch, run_folder, scans, tmp_path / "elsewhere") == 0
    assert contents(place / "out") == contents(tmp_path / "elsewhere")


def test_a_read_only_place_is_told(run_folder, scans, small_disk, monkeypatch, capsys):
    place, change = small_disk
    change("ro")
    assert encode(monkeypatch, run_folder, scans, place / "out") == 2
    told = capsys.readouterr().err
    assert "Read-only file system. Choose" in told or "not a folder to write to" in told
    assert "Traceback" not in told


def test_a_full_disk_leaves_the_old_file(small_disk):
    place, _ = small_disk
    write_text(place / "a.txt", "old")
    with pytest.raises(OSError, match="No space left"):
        write_text(place / "a.txt", "x" * 100_000)
    assert (place / "a.txt").read_text() == "old"
    assert [p.name for p in place.iterdir()] == ["a.txt"]


def test_a_disk_that_fills_under_a_checkpoint_is_told(small_disk):
    place, _ = small_disk
    with pytest.raises(OSError, match="No space left") as full:
        WholeCheckpoints().save_checkpoint({"w": torch.zeros(10**5)}, place / "a.ckpt")
    assert advice(full.value).startswith(f"{place / 'a.ckpt'}: No space left")
    assert not list(place.iterdir())


def test_a_lost_worker_is_told_with_advice():
    with pytest.raises(Exception, match=r"worker|process") as lost:
        joblib.Parallel(n_jobs=2)(joblib.delayed(os._exit)(9) for _ in range(2))
    assert "Use fewer --jobs" in advice(lost.value)


@pytest.mark.parametrize(
    "ask",
    [lambda: np.empty((2**45,)), lambda: torch.empty(2**45)],
    ids=["numpy", "torch"],
)
def test_a_lack_of_memory_is_told_with_advice(ask):
    with pytest.raises((MemoryError, RuntimeError)) as lack:
        ask()
    assert "smaller optimiser.batch_size" in advice(lack.value)


def test_a_mistake_of_ours_keeps_its_traceback():
    assert advice(KeyError("x")) is None
    assert advice(OSError(errno.ENOENT, "No such file", "x")) is None
    assert advice(RuntimeError("shape mismatch")) is None


LONG = ("optimiser.epochs=50", "optimiser.batch_size=2", "device=cpu")
SMALL = (
    "grid.shape=[16,16,16]",
    "grid.spacing_mm=[12,12,12]",
    "network.channels=[2,4]",
)


def in_a_child(words, stop=None):
    """Exit code of a command in a forked process; SIGINT once ``stop`` is true."""
    child = os.fork()
    if child == 0:
        code = 70
        # Ignored where the tests were begun in a shell's background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            sys.argv = ["medvae", *map(str, words)]
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.stderr.flush()
            os._exit(code)
    while stop is not None and not stop():
        time.sleep(0.005)
    if stop is not None:
        os.kill(child, signal.SIGINT)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_training_goes_on_after_ctrl_c_and_ends_like_one_left_alone(
    scans, tmp_path, capfd
):
    words = ["train", "--noise", "rician", "--data", scans, "--jobs", "1"]
    words += [word for one in (*LONG, *SMALL) for word in ("--set", one)]
    whole, run = tmp_path / "whole", tmp_path / "run"
    metrics = run / "metrics.jsonl"
    assert in_a_child([*words, "-o", whole]) == 0

    def an_epoch_is_done():
        return metrics.exists() and bool(metrics.read_text())

    assert in_a_child([*words, "-o", run], an_epoch_is_done) == 130
    told = capfd.readouterr().err
    assert "Go on from the last epoch with: medvae train" in told
    assert "Traceback" not in told
    assert len(metrics.read_text().splitlines()) < 50
    assert in_a_child([*words, "-o", run, "--resume"]) == 0
    assert digest(run / "model.safetensors") == digest(whole / "model.safetensors")


def test_an_interruption_says_how_to_go_on(monkeypatch, capsys, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("medvae.cohort.reader.read_cohort", interrupted)
    assert command(monkeypatch, ["cohort", tmp_path]) == 130
    assert "start again with: medvae cohort" in capsys.readouterr().err
