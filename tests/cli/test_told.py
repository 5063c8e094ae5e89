"""What is refused before any work, and what is said after it, with a tiny model."""

import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_run import run

from medvae.cli.encoding import _then
from medvae.cohort import read_cohort
from medvae.encoding.axes import PersonAxes
from medvae.errors import UserError
from medvae.evaluation import Estimate, Evaluation
from medvae.evaluation import run as evaluation
from medvae.problem import Problem


def following(output):
    """Words of the command that stands behind 'Next:'."""
    return shlex.split(re.search(r"Next: (.*)", output)[1])


def test_harmonised_images_codes_and_their_table_follow_by_the_printed_hints(
    world, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    told = run(
        *("harmonize", world / "runs/scanner", world / "scans", "--to", "B"),
        *("-o", "as b", "--jobs", 0),
    )
    words = following(told.stdout)
    assert words[0] == "medvae"
    told = run(*words[1:], "--jobs", 0)
    coded = (tmp_path / "as b-codes/index.tsv").read_text().splitlines()[1:]
    assert [line.split("\t")[4] for line in coded] == ["A", "B", "C"]
    program, *options = following(told.stdout)
    assert program == "python"
    asked = [sys.executable, *options]
    done = subprocess.run(asked, input="", capture_output=True, text=True, check=True)
    assert "(3, 128)" in done.stdout
    assert "c1_latent.nii.gz" in done.stdout
    quiet = ("--quiet", *words[1:], "--jobs", 0)
    assert run(*quiet).output == ""
    assert _then(Path("r"), Path("none")).startswith("medvae decode r none")
    again = ("harmonize", world / "runs/scanner", "as b/index.tsv", "--to", "A")
    with pytest.raises(UserError, match="painted as B by medvae already"):
        run(*again, "-o", "back", "--jobs", 0)


def test_nothing_comes_next_where_nothing_was_encoded(world, tmp_path):
    done = run("encode", world / "runs/scanner", "no.nii", "-o", tmp_path / "o")
    assert done.exit_code == 2
    assert "Next:" not in done.output


def test_codes_take_their_site_from_where_it_is_said_to_be(world, tmp_path):
    options = ("-o", tmp_path, "--jobs", 0, "--site-from", r"filename:^(\w)1")
    run("encode", world / "runs/scanner", world / "scans", *options)
    rows = (tmp_path / "index.tsv").read_text().splitlines()[1:]
    assert {row.split("\t")[4] for row in rows} == {"a", "b", "c"}
    scan = world / "scans/A/a1.nii.gz"
    with pytest.raises(UserError, match="changes nothing for single scans"):
        run("encode", world / "runs/scanner", scan, *options)


@pytest.mark.parametrize("verb", [("encode",), ("harmonize", "--to", "B")])
@pytest.mark.parametrize(
    ("place", "without"), [("sidecar:Stationname", 3), (r"filename:^([ac])1", 1)]
)
def test_a_place_without_the_site_of_every_scan_is_refused(
    world, tmp_path, verb, place, without
):
    words = (verb[0], world / "runs/scanner", world / "scans", *verb[1:])
    first = "A/a1" if without == 3 else "B/b1"
    for more in ((), ("--dry-run",)):
        with pytest.raises(UserError) as refused:
            run(*words, "-o", tmp_path / "out", "--site-from", place, *more)
        assert str(refused.value) == (
            f"{world}/scans/{first}.nii.gz: --site-from {place} finds no site for it, "
            f"the first of {without} scan{'s' * (without > 1)} without one. Correct "
            "the option, or leave it out."
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", [("encode",), ("harmonize", "--to", "B")])
def test_what_a_cohort_leaves_out_is_said_and_stops_nothing(
    world, tmp_path, monkeypatch, verb
):
    left_out = Problem(tmp_path / "x.nii", "belongs to no site", "Move it.", "error")

    def read(*asked):
        return replace(read_cohort(*asked), problems=(left_out,))

    monkeypatch.setattr("medvae.cohort.read_cohort", read)
    words = (verb[0], world / "runs/scanner", world / "scans", *verb[1:])
    done = run(*words, "-o", tmp_path / "out", "--jobs", 0)
    assert done.exit_code == 0
    assert f"warning: {tmp_path / 'x.nii'}: belongs to no site" in done.stderr


def axes_of(numbers, path):
    axes = PersonAxes(np.zeros(numbers), np.eye(numbers, 2), np.eye(numbers, 2))
    axes.write(path)
    return path


def test_bad_scans_are_named_where_axes_cannot_be_read(world, tmp_path):
    axes, out = axes_of(128, tmp_path / "axes.safetensors"), tmp_path / "out"
    good = world / "scans/A/a1.nii.gz"
    words = ("encode", world / "runs/scanner", "-o", out, "--jobs", 0, "--axes", axes)
    done = run(*words, "no.nii")  # no table at all
    assert (done.exit_code, "no.nii: file not found" in done.stderr) == (2, True)
    run(*words, good)
    assert np.load(out / "axes.npy").shape == (1, 2)
    (out / "latents.npy").unlink()
    (out / "latents.npy").mkdir()  # nothing can be written there
    done = run(*words, "no.nii")
    assert (done.exit_code, "no.nii: file not found" in done.stderr) == (2, True)
    assert f"{out}: the table cannot be read" in done.stderr


def test_axes_that_cannot_be_read_are_refused_before_any_scan(world, tmp_path):
    words = ("encode", world / "runs/scanner", world / "scans", "-o", tmp_path / "o")
    own = axes_of(128, tmp_path / "own.safetensors")
    with pytest.raises(UserError, match="--axes with --cover scan"):
        run(*words, "--axes", own, "--cover", "scan")
    other = axes_of(64, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"other\.safetensors: codes have 128 numbers"):
        run(*words, "--axes", other)
    assert not (tmp_path / "o").exists()


def test_a_process_without_a_scan_of_its_own_does_not_fail(
    world, tmp_path, monkeypatch
):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    axes = axes_of(128, tmp_path / "axes.safetensors")
    words = ("encode", world / "runs/scanner", world / "scans/A/a1.nii.gz")
    done = run(*words, "-o", tmp_path / "out", "--axes", axes)
    assert done.exit_code == 0
    assert "0 of 0 scans encoded" in done.output


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_logger_that_is_not_installed_is_refused_before_scans_are_read(
    world, monkeypatch, dry
):
    monkeypatch.setattr("medvae.training.loggers.find_spec", lambda name: None)
    monkeypatch.setattr("medvae.cli.cohorts.open_cohort", None)
    with pytest.raises(UserError, match="logger wandb: not installed"):
        run("train", "--data", world / "scans", "--set", "logger=wandb", *dry)


def test_a_scan_encodes_on_whatever_device_there_is(world, tmp_path):
    words = ("encode", world / "runs/scanner", world / "scans/A/a1.nii.gz")
    assert run(*words, "-o", tmp_path, "--device", "auto").exit_code == 0
    with pytest.raises(UserError, match="--device tpu: must be one of auto, cpu"):
        run(*words, "-o", tmp_path, "--device", "tpu")


def test_a_dry_run_of_what_is_not_there_fails_as_the_command_would(world, tmp_path):
    for verb in (("encode",), ("harmonize", "--to", "B")):
        words = (verb[0], world / "runs/scanner", "no.nii", *verb[1:])
        done = run(*words, "-o", tmp_path / "o", "--dry-run")
        assert done.exit_code == 2
        assert "no.nii: file not found" in done.stderr
    with pytest.raises(UserError, match="nope: not a run folder"):
        run("export", tmp_path / "nope", "--format", "onnx", "--dry-run")


def test_json_is_one_line_with_what_was_written_and_what_failed(world, tmp_path):
    model, scan = world / "runs/scanner", world / "scans/A/a1.nii.gz"
    codes, back, as_b = (tmp_path / name for name in ("codes", "images", "as_b"))

    def told(*words):
        done = run(*words, "--json")
        assert done.stdout.count("\n") == 1
        return done.exit_code, json.loads(done.stdout)

    code, content = told("encode", model, scan, "no.nii", "-o", codes, "--jobs", 0)
    assert (code, content["scans"], len(content["failed"])) == (2, 1, 1)
    assert content["written"] == [str(codes / n) for n in ("index.tsv", "latents.npy")]
    content = {"written": [str(back / "a1.nii.gz")], "failed": []}
    assert told("decode", model, codes, "-o", back) == (0, content)
    content = {"written": [str(as_b / "a1.nii.gz")], "failed": []}
    assert told("harmonize", model, scan, "--to", "B", "-o", as_b) == (0, content)
    nothing = {"written": [], "failed": []}
    assert told("decode", model, codes, "-o", back, "--dry-run") == (0, nothing)
    words = ("export", model, "--format", "huggingface", "-o", tmp_path / "hub")
    assert told(*words, "--dry-run") == (0, nothing)
    train = ("train", "--data", world / "scans", "-o", tmp_path / "r", "--dry-run")
    small = ("--set", "grid.shape=[16,16,16]", "--set", "network.channels=[4,8]")
    assert told(*train, *small) == (0, nothing)
    assert "1 image in" in run("decode", model, codes, "-o", back).stdout


def test_a_single_scan_is_labelled_by_its_bids_name(world, tmp_path):
    scan = tmp_path / "sub-07_ses-b_T1w.nii.gz"
    scan.write_bytes((world / "scans/A/a1.nii.gz").read_bytes())
    loose = world / "scans/B/b1.nii.gz"
    words = ("encode", world / "runs/scanner", scan, loose, "-o", tmp_path / "codes")
    run(*words, "--jobs", 0)
    rows = (tmp_path / "codes/index.tsv").read_text().splitlines()[1:]
    assert [row.split("\t")[3:6] for row in rows] == [["07", "", "b"], ["", "", ""]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("harmonize", "runs/scanner", "nowhere", "--to", "D", "-o", "o"),
            "--to D: not",
        ),
        (
            *[("harmonize", "runs/scanner", "nowhere", "--to", "A", "--from", "AA")],
            "--from AA: not among the training sites of runs/scanner: A, B.",
        ),
        (
            ("encode", "runs/scaner", "nowhere", "-o", "o"),
            "Did you mean 'runs/scanner'?",
        ),
        (
            ("evaluate", "runs/scanner", "--held-out", "CC", "--data", "scans"),
            "known: A,",
        ),
        (("train", "--data", "scans", "-o", "runs/scanner"), "not empty"),
        (
            ("train", "--data", "scans", "-o", "runs/scanner", "--held-out", "CC"),
            "--held-out CC: no such site",
        ),
        (
            ("harmonize", "runs/scanner", "nowhere", "--to", "b", "-o", "o"),
            r"Did you mean 'B'\?",
        ),
        (
            (
                "encode",
                "runs/scanner",
                "nowhere",
                "-o",
                "o",
                "--axes",
                "axes.safetensor",
            ),
            r"axes.safetensor: not found\. Did you mean 'axes.safetensors'\?",
        ),
    ],
)
def test_names_are_checked_before_anything_is_read(world, monkeypatch, words, message):
    monkeypatch.chdir(world)
    monkeypatch.setattr("medvae.cohort.examined_cohort", None)
    words = (*words, "-o", "o") if "--from" in words else words
    with pytest.raises(UserError, match=message):
        run(*words)


def test_evaluate_says_sentences_and_leaves_the_numbers_to_files(
    world, monkeypatch, tmp_path
):
    numbers = {"psnr_seen": Estimate(24.0, (23.0, 25.0), 9)}
    found = Evaluation("scanner", (), {"reconstruction": numbers})
    monkeypatch.setattr(evaluation, "evaluate_run", lambda *_, **__: found)
    monkeypatch.setattr(evaluation, "write_run_report", lambda path, *_: path)
    words = ("evaluate", world / "runs/scanner", "--data", world / "scans")
    text = run(*words, "-o", tmp_path).output
    assert "- Scans come back at 24.0 dB on training sites (9 test subjects)." in text
    assert "psnr_seen" not in text
    again = ("encode", str(world / "runs/scanner"), str(world / "scans"), "-o", "codes")
    assert following(text) == ["medvae", *again[:3], "--out", "codes"]
    assert run("--quiet", *words, "-o", tmp_path).output == ""
    content = json.loads(run(*words, "-o", tmp_path, "--json").stdout)
    assert content["metrics"]["reconstruction"]["psnr_seen"]["value"] == 24.0


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("cohort", "scnas"), "scans"),
        (("cohort", "scnas/A"), "scans/A"),
        (("cohort", "scnas/B/x.csv"), "scans"),
        (("cohort", "scans/AA.csv"), None),
        (("cohort", "scans/A/a1.nii/x"), "scans/A/a1.nii.gz"),
        (("train", "--data", "SCANS2"), "scans"),
        (("train", "--config", "smal.yaml"), "small.yaml"),
        (("noise", "show", "scanner"), "scaner.yaml"),
        (("evaluate", "run/scanner"), "runs/scanner"),
        (("decode", "runs/scanner", "scns", "-o", "o"), "scans"),
    ],
)
def test_a_path_that_leads_nowhere_is_answered_with_the_nearest_that_is_there(
    world, monkeypatch, words, meant
):
    monkeypatch.chdir(world)
    for file in ("small.yaml", "scaner.yaml", "scanner.html"):
        (world / file).touch()
    with pytest.raises(UserError) as error:
        run(*words)
    hints = re.findall(r" Did you mean '(\S+)'\?", str(error.value))
    assert hints == ([meant] if meant else [])


def test_a_misspelt_scan_is_named_with_the_one_that_is_there(world, tmp_path):
    scan = world / "scans" / "A" / "a1.nii"
    done = run("encode", world / "runs/scanner", scan, "-o", tmp_path, "--jobs", 0)
    assert done.exit_code == 2
    assert f"file not found. Did you mean '{scan}.gz'? Correct" in done.stderr


def test_a_dry_run_of_training_counts_the_scans_of_every_split(world, monkeypatch):
    monkeypatch.chdir(world)
    words = ("train", "--noise", "none", "--data", "scans", "--held-out", "C")
    told_dry = run(*words, "--dry-run", "-o", "new").output
    assert re.search(r"would use 3 scans: \d to train on, .* 1 held out", told_dry)


def test_more_axes_than_there_are_are_said_to_be_all(world, monkeypatch):
    monkeypatch.chdir(world)
    words = ("encode", "runs/scanner", "scans", "-o", "o", "--dry-run", "--axes")
    said = run(*words, "axes.safetensors", "--keep", 4).output
    assert "--keep 4: axes.safetensors holds 3 axes; all" in " ".join(said.split())
    assert "axes" not in run(*words, "axes.safetensors", "--keep", 3).output
