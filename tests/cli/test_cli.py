"""The command line end to end on a small phantom, and its errors."""

import html
import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tiny_run import run

import medvae
from medvae.cli import console, main
from medvae.encoding.axes import read_axes
from medvae.errors import UserError

pytestmark = pytest.mark.usefixtures("own_cache")


def test_noise_score_tells_whose_scan_it_is(phantom, fitted):
    scans = sorted(phantom.glob("sub-*NYU*/**/anat/*.nii.gz"))[:3]
    result = run("noise", "score", fitted, *scans, "--site", "NYU", "--json")
    content = json.loads(result.stdout)
    assert [row["likeliest_site"] for row in content["scans"]] == ["NYU"] * 3
    assert all(row["sites"]["NYU"]["verdict"] != "outside" for row in content["scans"])
    assert content["drift"]["p"] > 0.01


def test_a_terminal_of_80_columns_holds_the_fit_in_words_and_one_unit(
    fitted, monkeypatch
):
    monkeypatch.setattr(console.out, "width", 80)
    told = run("noise", "show", fitted).output
    pair = json.loads(run("noise", "show", fitted, "--json").stdout)["pairs"]
    shares = pair["NYU->UM_1"]["clipped"]
    row = r"^NYU->UM_1 +([\d.]+) +[\d., ]+?  +(\d+)  +(\d+), (\d+), (\d+) *$"
    (cells,) = re.findall(row, told, re.M)
    assert float(cells[0]) == round(100 * pair["NYU->UM_1"]["sigma_add"], 1)
    by_axis = [shares["psf_axes"][axis] for axis in "xyz"]
    clipped = [shares["noise"], *by_axis]
    assert [*map(int, cells[1:])] == [round(100 * share) for share in clipped]
    assert len(set(by_axis)) > 1  # else one number for all would do
    words = " ".join(told.split())
    assert "out of reach" in words
    assert "CSF/grey" in words
    assert "grey/white" in words
    assert not re.search("log_sigma|logit_|psf_", told)


def test_noise_score_speaks_of_noise_not_of_its_logarithm(phantom, fitted):
    scan = sorted(phantom.glob("sub-*KKI*/**/anat/*.nii.gz"))[0]
    told = run("noise", "score", fitted, scan, "--site", "NYU").output
    assert re.search(r"\bnoise [+-]\d", told)
    assert "log_sigma" not in told
    assert "distance from" in " ".join(told.split())
    assert told.count("likeliest") == 1
    assert not re.search(r"\b[0-3]{3}\b", told)  # no code of a field's term
    assert re.search(r"\b\d+ scans\b", told)  # that judged it


def test_noise_score_finds_a_scan_of_another_scanner(phantom, fitted):
    scan = sorted(phantom.glob("sub-*KKI*/**/anat/*.nii.gz"))[0]
    result = run("noise", "score", fitted, scan, "--site", "NYU", "--json")
    (row,) = json.loads(result.stdout)["scans"]
    assert "log_sigma" in row["sites"]["NYU"]["strange"]  # .016 against .038


def scans_at(phantom, site):
    return sorted(phantom.glob(f"sub-{site}*/**/*_T1w.nii.gz"))


def test_cohort_counts_what_the_phantom_made(phantom):
    content = json.loads(run("cohort", phantom, "--json").stdout)
    assert [row["site"] for row in content["sites"]] == ["KKI", "NYU", "UM_1"]
    assert all(row["scans"] == 7 for row in content["sites"])
    assert content["problems"] == []


def test_fitted_noise_is_shown_with_the_promised_keys(fitted):
    content = json.loads(run("noise", "show", fitted, "--json").stdout)
    assert set(content) >= {"sites", "pairs", "goodness", "evidence"}
    site = content["sites"]["NYU"]
    assert set(site["noise_sigma"]) >= {"median", "ci95"}
    assert set(content["pairs"]) == {"NYU->UM_1", "UM_1->NYU"}
    assert "verdict" in content["goodness"]["NYU->UM_1"]
    assert run("noise", "show", fitted).exit_code == 0


def test_the_fit_is_told_in_sentences_that_show_repeats(fitted):
    (told,) = json.loads(run("noise", "show", fitted, "--json").stdout)["summary"][:1]
    assert "NYU" in told
    assert "UM_1" in told
    assert told in run("noise", "show", fitted).output


def test_a_fitted_file_tells_the_command_that_makes_it_again(fitted, phantom):
    words = ["medvae", "fit-noise", "NYU", "UM_1", "--data", str(phantom)]
    content = json.loads(run("noise", "show", fitted, "--json").stdout)
    assert shlex.split(content["command"]) == words
    assert content["command"] in run("noise", "show", fitted).output
    assert html.escape(content["command"]) in fitted.with_suffix(".html").read_text()


def test_the_command_of_a_fit_is_what_decides_its_numbers(
    phantom, tmp_path, monkeypatch
):
    typed = []
    monkeypatch.setattr(
        "medvae.noise.fitted.fit_sites", lambda *_, command, **__: typed.append(command)
    )
    monkeypatch.setattr("medvae.cli.fitted.show_fit", lambda _: None)
    numbers = ("NYU", "UM_1", "--data", phantom, "--adjust", "age,sex", "--seed", 3)
    place = ("-o", tmp_path / "s.yaml", "--jobs", 1, "--no-report")
    run("fit-noise", *numbers, "--paired", "--skip-bad", *place)
    words = ["medvae", "fit-noise", *map(str, numbers), "--paired", "--skip-bad"]
    assert [shlex.split(one) for one in typed] == [words]


def test_a_report_lies_beside_the_fit_and_can_be_made_again(fitted, phantom, tmp_path):
    page = fitted.with_suffix(".html").read_text()
    assert "NYU as UM_1, axial" in page
    out = tmp_path / "again.html"
    run("noise", "report", fitted, "--data", phantom, "-o", out, "--jobs", 1)
    assert out.read_text() == page


def test_a_report_made_again_without_scans_says_so(pages):
    page, told = pages["fit without scans"]
    assert "without --data it shows no scans" in told
    assert "NYU as UM_1, axial" not in page.read_text()


def test_no_report_is_promised_where_none_is_wanted(phantom, tmp_path):
    options = ("--data", phantom, "-o", tmp_path / "s.yaml", "--dry-run")
    told = run("fit-noise", "NYU", "UM_1", *options)
    assert "s.html" in told.output
    told = run("fit-noise", "NYU", "UM_1", *options, "--no-report")
    assert "s.html" not in told.output


def test_a_trained_run_evaluates_on_the_site_it_never_saw(pages):
    page, told = pages["evaluation"]
    content = json.loads(told)
    assert content["held_out"] == ["KKI"]
    assert content["metrics"]["transfer"]["error"]["n"] == 3
    both = content["metrics"]["reconstruction"]
    assert both["psnr_seen_averaged"]["value"] != both["psnr_seen"]["value"]
    text = page.read_text()
    assert "<html" in text
    assert "http" not in text.replace("http://www.w3.org", "")


def test_encode_decode_and_harmonize_keep_the_grid(phantom, trained, tmp_path):
    scan = scans_at(phantom, "NYU")[0]
    assert run("encode", trained, scan, "-o", tmp_path / "codes").exit_code == 0
    assert np.load(tmp_path / "codes" / "latents.npy").shape[0] == 1
    run(
        "decode", trained, tmp_path / "codes", "-o", tmp_path / "back", "--site", "UM_1"
    )
    to_um = ("harmonize", trained, scan, "--to", "UM_1")
    run(*to_um, "--no-detail", "-o", tmp_path / "um")
    run(*to_um, "--from", "NYU", "-o", tmp_path / "kept")
    original = nib.load(scan)
    (back,), (moved,), (kept,) = (
        (tmp_path / d).glob("*.nii.gz") for d in ("back", "um", "kept")
    )
    for path in (back, moved, kept):
        image = nib.load(path)
        assert image.shape == original.shape
        assert np.allclose(image.affine, original.affine)
    seen, painted, changed = (nib.load(p).get_fdata() for p in (scan, moved, kept))
    assert np.allclose(nib.load(back).get_fdata(), painted)
    assert np.abs(changed - seen).mean() < np.abs(painted - seen).mean()


def test_a_folder_of_scans_encodes_with_its_labels(phantom, trained, tmp_path):
    run("encode", trained, phantom, "-o", tmp_path)
    lines = (tmp_path / "index.tsv").read_text().splitlines()
    assert len(lines) == 1 + 21
    assert {line.split("\t")[4] for line in lines[1:]} == {"NYU", "UM_1", "KKI"}


def test_axes_of_a_run_are_read_beside_its_codes(phantom, trained, tmp_path):
    axes, codes = tmp_path / "axes.safetensors", tmp_path / "codes"
    run("axes", trained, "--data", phantom, "-o", axes, "--jobs", 1)
    scans = scans_at(phantom, "KKI")  # of a site that nothing was fitted to
    run("encode", trained, *scans, "-o", codes, "--axes", axes, "--keep", 3)
    rows = np.load(codes / "axes.npy")
    assert rows.shape == (len(scans), 3)
    fitted_to = read_axes(axes).first(3)
    latents = np.load(codes / "latents.npy")
    assert np.allclose(rows, fitted_to.read(latents, latents)[0], rtol=1e-3)
    other = tmp_path / "other.safetensors"
    replace(read_axes(axes), model_digest="0" * 64).write(other)
    with pytest.raises(UserError, match="fitted to codes of another run"):
        run("encode", trained, *scans, "-o", tmp_path / "not", "--axes", other)
    with pytest.raises(UserError, match="--keep 3 changes nothing"):
        run("encode", trained, *scans, "-o", codes, "--keep", 3)
    lines = [f"{scan},{i},KKI" for i, scan in enumerate(scans)]
    table = tmp_path / "away.csv"
    table.write_text("\n".join(["path,subject,site", *lines]) + "\n")
    with pytest.raises(UserError, match=r"none of the .* scans was trained on"):
        run("axes", trained, "--data", table, "-o", axes, "--jobs", 1)


def test_noise_is_applied_under_the_scan_s_own_name(phantom, fitted, tmp_path):
    scan = scans_at(phantom, "NYU")[0]
    options = ("--from", "NYU", "--to", "UM_1", "-o", tmp_path)
    run("noise", "apply", fitted, scan, *options)
    before, after = nib.load(scan), nib.load(tmp_path / scan.name)
    assert np.array_equal(before.affine, after.affine)
    change = np.abs(after.get_fdata() - before.get_fdata()).mean()
    assert change > 0.01 * before.get_fdata().mean()


def test_noise_never_overwrites_its_scan(phantom):
    scan = scans_at(phantom, "NYU")[0]
    with pytest.raises(medvae.errors.UserError, match="would be overwritten"):
        run("noise", "apply", "rician", scan, "-o", scan.parent)


def test_harmonize_never_overwrites_its_scan(phantom, trained):
    scan = scans_at(phantom, "NYU")[0]
    with pytest.raises(medvae.errors.UserError, match="would be overwritten"):
        run("harmonize", trained, scan, "--to", "NYU", "-o", scan.parent)


def test_a_new_cohort_is_evaluated_without_the_run_s_own_sites(
    phantom, trained, tmp_path
):
    only = tmp_path / "data.csv"
    rows = [f"{p},{p.name[4:9]},NEW" for p in scans_at(phantom, "KKI")[:3]]
    only.write_text("\n".join(["path,subject,site", *rows]) + "\n")
    options = ("--data", only, "--held-out", "NEW", "-o", tmp_path, "--jobs", 1)
    told = run("evaluate", trained, *options).output
    assert "only one site" not in told
    content = json.loads((tmp_path / "evaluation.json").read_text())
    assert content["held_out"] == ["NEW"]


def test_a_training_site_cannot_be_called_unseen(phantom, trained):
    with pytest.raises(medvae.errors.UserError, match="was trained on it"):
        run("evaluate", trained, "--data", phantom, "--held-out", "NYU")


def test_travelers_stay_out_of_the_fit_unless_asked_for(phantom, fitted):
    content = json.loads(run("noise", "show", fitted, "--json").stdout)
    assert content["sites"]["NYU"]["scans"] == 4  # of 7, three are travelers'


def test_a_preview_is_a_picture(phantom, tmp_path):
    scan = scans_at(phantom, "KKI")[0]
    run("noise", "preview", "rician", scan, "-o", tmp_path / "p.png", "--draws", 2)
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "words",
    [
        ("phantom", "{tmp}/p", "--dry-run"),
        ("fit-noise", "NYU", "UM_1", "--data", "{data}", "-o", "{tmp}/f", "--dry-run"),
        ("train", "--data", "{data}", "-o", "{tmp}/r", "--dry-run"),
        ("encode", "{run}", "{data}", "-o", "{tmp}/e", "--dry-run"),
        ("harmonize", "{run}", "{data}", "--to", "NYU", "-o", "{tmp}/h", "--dry-run"),
        ("demo", "{tmp}/d", "--dry-run"),
        ("axes", "{run}", "--data", "{data}", "--dry-run"),
        ("evaluate", "{run}", "--data", "{data}", "-o", "{tmp}/e", "--dry-run"),
        ("noise", "preview", "rician", "{scan}", "-o", "{tmp}/p.png", "--dry-run"),
        ("noise", "apply", "rician", "{scan}", "-o", "{tmp}/a", "--dry-run"),
        (
            "noise",
            "report",
            "{fit}",
            "--data",
            "{data}",
            "-o",
            "{tmp}/r.html",
            "--dry-run",
        ),
    ],
)
def test_a_dry_run_says_and_writes_nothing(words, phantom, fitted, trained, tmp_path):
    known = {"data": phantom, "fit": fitted, "run": trained, "tmp": tmp_path}
    known["scan"] = scans_at(phantom, "NYU")[0]
    before = sorted(trained.rglob("*"))
    assert "would" in run(*(word.format(**known) for word in words)).output
    assert not list(tmp_path.iterdir())
    assert sorted(trained.rglob("*")) == before


def test_a_dry_run_counts_what_the_command_would_read(phantom, fitted, trained):
    data = ("--data", phantom, "--dry-run")
    told = run("evaluate", trained, *data).output
    assert "21 scans" in told
    assert "unseen: KKI" in told
    assert f"{trained / 'evaluation.json'} and {trained / 'report.html'}" in told
    told = run("axes", trained, *data).output
    assert "7 scans" in told  # of 4 people at each of 2 sites, one is for the test
    told = run("noise", "report", fitted, "-o", "r.html", *data).output
    assert "8 of its scans" in told


def test_a_dry_run_refuses_what_the_command_would(phantom, trained, tmp_path):
    data = ("--data", phantom, "--held-out", "NYU", "--dry-run")
    with pytest.raises(UserError, match="was trained on it"):
        run("evaluate", trained, *data)
    for verb in ("preview", "apply"):
        words = (
            "noise",
            verb,
            "rician",
            "no.nii",
            "-o",
            tmp_path / "p.png",
            "--dry-run",
        )
        assert run(*words).exit_code == 2


@pytest.mark.parametrize("name", [".", "../run"])
def test_an_export_lies_beside_its_run_whatever_the_run_is_called_by(
    name, trained, monkeypatch
):
    monkeypatch.chdir(trained)
    told = run("export", name, "--format", "onnx", "--dry-run").output
    target = Path(told.split(" into ")[1].strip())
    assert target.resolve() == trained.with_name("run-onnx")


def main_with(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["medvae", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "--noise", "rican", "--data", "{data}"), "Did you mean 'rician'?"),
        (("train", "--noise", "scanner", "--data", "{data}"), "medvae fit-noise"),
        (("train", "--set", "optimiser.epoch=1", "--data", "{data}"), "'epochs'"),
        (("train", "--held-out", "MARS", "--data", "{data}"), "no such site"),
        (("train", "--data", "nowhere"), "nowhere: not found"),
        (("fit-noise", "NYU", "MARS", "--data", "{data}"), "known: KKI, NYU, UM_1"),
        (("fit-noise", "NYU", "NYU", "--data", "{data}"), "two different sites"),
        (("evaluate", "nowhere", "--data", "{data}"), "not a run folder"),
        (("encode", "nowhere", "x.nii.gz", "-o", "out"), "not a run folder"),
        (
            ("harmonize", "r", "x.nii", "--from", "A", "--to", "A", "-o", "out"),
            "--from A --to A would change nothing. Name two sites.",
        ),
        (("phantom", "p", "--sites", "NYV"), "NYU"),
        (("noise", "show", "none.yaml"), "not found"),
        (
            ("noise", "report", "rician", "-o", "r.html"),
            "a report needs a fitted scanner noise",
        ),
        (
            ("fit-noise", "A", "B", "--no-report", "--report", "r.html"),
            "exclude each other",
        ),
        (("fit-noise", "A", "B", "-o", "fit.html"), "Use --report"),
        (("fit-noise", "A", "B", "-o", "."), ". is a folder. Name a file."),
    ],
)
def test_an_error_is_one_line_with_exit_code_2(
    words, message, phantom, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    code = main_with(monkeypatch, *(w.format(data=phantom) for w in words))
    told = capsys.readouterr().err.strip().splitlines()
    errors = [line for line in told if line.startswith("error: ")]
    assert code == 2
    assert len(errors) == 1
    assert message in errors[0]


def test_a_bad_scan_stops_work_until_it_is_left_out(phantom, tmp_path, monkeypatch):
    folder = tmp_path / "data"
    for site in ("NYU", "KKI"):
        (folder / site).mkdir(parents=True)
        for path in scans_at(phantom, site)[:2]:
            (folder / site / path.name).write_bytes(path.read_bytes())
    (folder / "KKI" / "broken_T1w.nii.gz").write_bytes(b"not a scan")
    options = ("--data", folder, "-o", tmp_path / "run", "--dry-run")
    with pytest.raises(medvae.errors.UserError, match=r"broken_T1w\.nii\.gz"):
        run("train", *options)
    assert "broken_T1w.nii.gz" in run("train", *options, "--skip-bad").output
