"""A patient's name in a header reaches no output, no cache and no terminal."""

import gzip
import sys
from contextlib import nullcontext
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bad_input import command
from quickly import quickly
from scan_bytes import AFFINE, head, written
from tiny import FEW, TINY, settings_of

sys.path.insert(0, str(Path(__file__).parents[1] / "volume"))

PATIENT = b"DOE^JANE"


def _identified(folder):
    written(bytes(_named(nib.Nifti1Image(head(), AFFINE)).to_bytes()), "a.nii")(folder)


def _named(image):
    """The image with a patient's name wherever its header holds words."""
    for field in ("descrip", "aux_file", "db_name", "intent_name"):
        image.header[field] = PATIENT
    extension = nib.nifti1.Nifti1Extension("comment", b"patient " + PATIENT)
    image.header.extensions.append(extension)
    return image


def assert_unnamed(files, told):
    for path in files:
        raw = path.read_bytes()
        assert PATIENT not in (gzip.decompress(raw) if path.suffix == ".gz" else raw)
    assert PATIENT.decode() not in told.out + told.err


def test_a_patient_s_name_in_a_header_reaches_no_output(
    run_folder, tmp_path, monkeypatch, capsys
):
    _identified(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    train = ["train", "--noise", "rician", "--data", "one.csv", "-o", "run"]
    (tmp_path / "one.csv").write_text("path,subject,site,split\na.nii,1,A,train\n")
    for words in (
        [*train, *settings_of(TINY), "--device", "cpu", "--jobs", "1"],
        ["noise", "apply", "gaussian", "a.nii", "-o", "noisy"],
        ["encode", run_folder, "a.nii", "-o", "codes"],
        ["decode", run_folder, "codes", "-o", "images"],
        ["harmonize", run_folder, "a.nii", "--to", "B", "-o", "moved"],
        ["noise", "preview", "gaussian", "a.nii", "-o", "p.png", "--draws", "1"],
        ["cohort", "one.csv", "--json"],
    ):
        assert command(monkeypatch, words) == 0
    told = capsys.readouterr()
    files = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "a.nii"]
    assert len(files) == 29  # with the cache of prepared scans
    assert_unnamed(files, told)


def test_patients_names_reach_no_fit_no_evaluation_and_no_export(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make = ["phantom", "bids", "--sites", "NYU,UM_1,KKI", *FEW, "--jobs", "1"]
    assert command(monkeypatch, make) == 0
    for path in (tmp_path / "bids").rglob("sub-*/**/*.nii.gz"):
        image = nib.load(path)
        path.write_bytes(gzip.compress(_named(image).to_bytes()))
        assert gzip.decompress(path.read_bytes()).count(PATIENT) == 5
    scans = ["--data", "bids", "--jobs", "1"]
    train = ["train", "--noise", "rician", "-o", "run", "--device", "cpu"]
    for words in (
        ["fit-noise", "NYU", "UM_1", *scans],
        [
            "noise",
            "report",
            "scanner.yaml",
            "--data",
            "bids",
            "-o",
            "fit.html",
            "--jobs",
            "1",
        ],
        [*train, "--held-out", "KKI", *scans, *settings_of(TINY)],
        ["evaluate", "run", *scans],
        *(["export", "run", "--format", f] for f in ("huggingface", "monai-bundle")),
    ):
        with nullcontext() if words[0] == "fit-noise" else quickly():
            code = command(monkeypatch, words)
        assert code == 0, capsys.readouterr().err
    inside = tmp_path / "bids"
    files = [p for p in tmp_path.rglob("*") if p.is_file() and inside not in p.parents]
    names = {path.name for path in files}
    assert {"scanner.yaml", "fit.html", "report.html", "metadata.json"} <= names
    assert_unnamed(files, capsys.readouterr())


def test_a_patient_s_name_in_a_dicom_series_reaches_no_output(
    run_folder, tmp_path, monkeypatch, capsys
):
    for package in ("dcm2niix", "SimpleITK"):
        pytest.importorskip(package)
    from test_dicom import write_series

    series, kept = tmp_path / "series", tmp_path / "kept"
    write_series(series, head(), (8.0, 8.0, 8.0), np.eye(3))  # of a patient PHANTOM
    assert all(b"PHANTOM" in path.read_bytes() for path in series.iterdir())
    codes, images = kept / "codes", kept / "images"
    for words in (
        ["encode", run_folder, series, "-o", codes, "--jobs", "0"],
        ["decode", run_folder, codes, "-o", images],
        ["harmonize", run_folder, series, "--to", "B", "-o", kept, "--jobs", "0"],
        ["noise", "apply", "gaussian", series, "-o", kept / "noisy"],
    ):
        assert command(monkeypatch, words) == 0
    told = capsys.readouterr()
    files = [path for path in kept.rglob("*") if path.is_file()]
    assert len(files) == 15
    assert nib.load(kept / "noisy" / "series.nii.gz").shape == head().shape
    for path in files:
        raw = path.read_bytes()
        assert b"PHANTOM" not in (gzip.decompress(raw) if path.suffix == ".gz" else raw)
    assert "PHANTOM" not in told.out + told.err


def test_a_patient_s_name_is_found_where_it_is(tmp_path):
    _identified(tmp_path)
    assert (tmp_path / "a.nii").read_bytes().count(PATIENT) == 5
