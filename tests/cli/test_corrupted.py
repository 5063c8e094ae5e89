"""Copies that noise apply leaves: the finished stay, those of other settings, too."""

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tiny_run import run
from typer.testing import CliRunner

from medvae.cli.app import app
from medvae.encoding import images
from medvae.errors import UserError
from noise_models.scanner import save_scanner

sys.path.insert(0, str(Path(__file__).parents[1] / "adapters"))
from fitted_noise import fitted_noise


@pytest.fixture
def scans(world):
    return sorted((world / "scans").rglob("*.nii.gz"))


def voxels(folder):
    return {p.name: nib.load(p).get_fdata().tobytes() for p in folder.glob("*.nii.gz")}


def test_after_an_interruption_the_same_command_makes_only_the_rest(
    scans, tmp_path, monkeypatch
):
    made, write = [], images.write_image

    def interrupted(image, path):
        if path.name == "c1.nii.gz" and not made.count("stopped"):
            made.append("stopped")
            raise KeyboardInterrupt
        made.append(path.name)
        write(image, path)

    monkeypatch.setattr(images, "write_image", interrupted)
    words = ("noise", "apply", "rician", *scans, "-o")
    done = CliRunner().invoke(app, [*map(str, words), str(tmp_path / "a")])
    assert done.exit_code == 130
    assert "2 were there already and stay" in run(*words, tmp_path / "a").output
    assert made == ["a1.nii.gz", "b1.nii.gz", "stopped", "c1.nii.gz"]
    run(*words, tmp_path / "whole")
    assert voxels(tmp_path / "a") == voxels(tmp_path / "whole")


def test_a_copy_that_is_torn_or_of_another_scan_is_made_anew(scans, tmp_path):
    out, scan = tmp_path / "out", tmp_path / "a.nii.gz"
    scan.write_bytes(scans[0].read_bytes())
    words = ("noise", "apply", "rician", scan, "-o", out)
    run(*words)
    before = voxels(out)
    (out / scan.name).write_bytes((out / scan.name).read_bytes()[:900])
    assert "already" not in run(*words).output
    assert voxels(out) == before
    image = nib.load(scan)
    data = np.asarray(image.dataobj)[::-1]
    nib.save(nib.Nifti1Image(data, image.affine), scan)
    assert "already" not in run(*words).output
    assert voxels(out) != before


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_copy_of_another_scan_of_the_same_name_is_not_written_over(
    dry, scans, tmp_path
):
    pair = [tmp_path / folder / "x.nii.gz" for folder in "ab"]
    for original, scan in zip(scans, pair, strict=False):
        scan.parent.mkdir()
        scan.write_bytes(original.read_bytes())
    words = ("noise", "apply", "rician", "-o", tmp_path / "out")
    run(*words, pair[0])
    before = voxels(tmp_path / "out")
    with pytest.raises(UserError, match=r"x\.nii\.gz: made of \.\./a/x\.nii\.gz by an"):
        run(*words, pair[1], *dry)
    assert voxels(tmp_path / "out") == before
    pair[0].rename(tmp_path / "x.nii.gz")
    assert "1 was there already" in run(*words, tmp_path / "x.nii.gz").output


def test_scans_of_one_name_are_named_by_their_folders_and_drawn_apart(scans, tmp_path):
    pair = [tmp_path / folder / "x.nii.gz" for folder in "ab"]
    for scan in pair:
        scan.parent.mkdir()
        scan.write_bytes(scans[0].read_bytes())
    words = ("noise", "apply", "rician", *pair, scans[1], "-o", tmp_path / "out")
    assert run(*words).exit_code == 0
    made = voxels(tmp_path / "out")
    assert sorted(made) == ["a_x.nii.gz", scans[1].name, "b_x.nii.gz"]
    assert made["a_x.nii.gz"] != made["b_x.nii.gz"]
    assert "3 were there already" in run(*words).output


def test_a_scan_given_twice_is_named_with_its_folder(scans, tmp_path):
    with pytest.raises(UserError, match=r"A/a1\.nii\.gz: named twice"):
        run("noise", "apply", "rician", scans[0], scans[0], "-o", tmp_path / "out")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (("rician", "--seed", 1), "made with seed 0 by an earlier command, and would"),
        (("gaussian",), "made with noise rician ("),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_copies_of_other_settings_are_not_written_over(
    other, said, dry, scans, tmp_path
):
    run("noise", "apply", "rician", scans[0], "-o", tmp_path)
    before = voxels(tmp_path)
    name, *options = other
    with pytest.raises(UserError, match="Choose another folder with -o") as refused:
        run("noise", "apply", name, scans[0], "-o", tmp_path, *options, *dry)
    assert str(refused.value).startswith(f"{tmp_path / scans[0].name}: ")
    assert said in str(refused.value)
    assert voxels(tmp_path) == before


def test_a_bad_scan_is_named_at_the_end_and_stops_no_other(scans, tmp_path):
    torn, gone = tmp_path / "torn.nii.gz", tmp_path / "gone.nii.gz"
    torn.write_bytes(scans[0].read_bytes()[:900])
    out = tmp_path / "out"
    done = run("noise", "apply", "rician", torn, gone, *scans, "-o", out, "--json")
    assert done.exit_code == 2
    told = json.loads(done.stdout)
    assert told["written"] == [str(out / scan.name) for scan in scans]
    assert [line.split(":")[0] for line in told["failed"]] == [str(torn), str(gone)]
    assert sorted(voxels(out)) == [scan.name for scan in scans]


def test_the_only_other_site_is_the_target_and_is_told_and_written_down(
    scans, tmp_path
):
    fit = save_scanner(fitted_noise(), tmp_path / "scanner.yaml")
    words = ("noise", "apply", fit, scans[0], "--from", "A")
    told = run(*words, "-o", tmp_path / "left").output
    assert "left, as B would scan" in " ".join(told.split())
    run(*words, "--to", "B", "-o", tmp_path / "named")
    assert voxels(tmp_path / "left") == voxels(tmp_path / "named")
    record = tmp_path / "left/.made" / f"{scans[0].name}.json"
    made_of = json.loads(record.read_text())["made_of"]
    assert (made_of["source"], made_of["target"]) == ("A", "B")


@pytest.fixture
def labelled(scans, tmp_path):
    """The scans of A, B and C as a table that says so; the fit knows A and B."""
    rows = [f"{scan},{site}" for scan, site in zip(scans, "ABC", strict=True)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["path,site", *rows]) + "\n")
    return table


def test_a_fitted_noise_takes_each_scan_from_the_site_that_the_data_tells(
    scans, labelled, tmp_path
):
    fit = save_scanner(fitted_noise(), tmp_path / "scanner.yaml")
    words = ("noise", "apply", fit, "--to", "B", "-o")
    run(*words, tmp_path / "told", labelled)
    run(*words, tmp_path / "given", scans[0], "--from", "A")
    run(*words, tmp_path / "unknown", scans[2])
    told = voxels(tmp_path / "told")
    assert told["a1.nii.gz"] == voxels(tmp_path / "given")["a1.nii.gz"]
    assert told["b1.nii.gz"] == nib.load(scans[1]).get_fdata().tobytes()
    assert told["c1.nii.gz"] == voxels(tmp_path / "unknown")["c1.nii.gz"]
    records = sorted((tmp_path / "told/.made").glob("*.json"))
    sources = [json.loads(one.read_text())["made_of"]["source"] for one in records]
    assert sources == ["A", "B", ""]
    assert "3 were there already" in run(*words, tmp_path / "told", labelled).output


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_scans_that_stay_and_those_of_no_known_site_are_counted(
    dry, scans, labelled, tmp_path
):
    fit = save_scanner(fitted_noise(), tmp_path / "scanner.yaml")
    words = ("noise", "apply", fit, labelled, "--to", "B", "-o", tmp_path / "out", *dry)
    told = " ".join(run(*words).output.split())
    assert "unchanged: 1 made at B, by the data." in told
    assert "no site that the fit knows: 1, taken as of the average site" in told
    told = run(*words, "--from", "A", "-o", tmp_path / "as_a").output
    assert "unchanged" not in told
    assert "no site" not in told


def test_copies_made_before_sites_were_looked_at_are_not_taken_for_the_new(
    labelled, tmp_path
):
    fit = save_scanner(fitted_noise(), tmp_path / "scanner.yaml")
    words = ("noise", "apply", fit, labelled, "--to", "B", "-o", tmp_path / "out")
    run(*words)
    record = tmp_path / "out/.made/a1.nii.gz.json"
    content = json.loads(record.read_text())
    content["made_of"]["source"] = ""
    record.write_text(json.dumps(content))
    with pytest.raises(UserError, match="made with source none by an earlier command"):
        run(*words)


def test_a_noise_without_sites_says_nothing_of_them(labelled, tmp_path):
    told = run("noise", "apply", "rician", labelled, "-o", tmp_path / "out").output
    assert "site" not in told.replace(str(tmp_path), "")


def test_no_copy_of_a_noise_that_is_not_finite_is_written(scans, tmp_path):
    preset, out = tmp_path / "p.yaml", tmp_path / "out"
    preset.write_text("model: chain\nsteps: [{model: bias_field, rms: 200.0}]")
    done = run("noise", "apply", preset, scans[0], "-o", out, "--json")
    assert done.exit_code == 2
    (told,) = json.loads(done.stdout)["failed"]
    assert told.startswith(f"{scans[0]}: chain makes voxels that are not finite")
    assert not voxels(out)


def test_a_scan_of_the_users_is_not_written_over(scans, tmp_path):
    mine = tmp_path / scans[0].name
    mine.write_bytes(b"irreplaceable")
    with pytest.raises(UserError, match="not made by medvae, as far as is known"):
        run("noise", "apply", "rician", scans[0], "-o", tmp_path)
    assert mine.read_bytes() == b"irreplaceable"


def test_an_image_of_another_command_is_not_written_over(scans, world, tmp_path):
    model, out = world / "runs/scanner", tmp_path / "as_b"
    run("harmonize", model, scans[0], "--to", "B", "-o", out, "--jobs", 0)
    before = voxels(out)
    with pytest.raises(UserError, match="made by another command"):
        run("noise", "apply", "rician", scans[0], "-o", out)
    assert voxels(out) == before


def test_a_copy_killed_before_it_was_vouched_for_is_gone_on_with(
    scans, tmp_path, monkeypatch
):
    write = images.write_image

    def killed(image, path):
        write(image, path)
        raise KeyboardInterrupt

    words = ["noise", "apply", "rician", str(scans[0]), "-o", str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(images, "write_image", killed)
        assert CliRunner().invoke(app, words).exit_code == 130
    assert (tmp_path / scans[0].name).exists()
    assert "1 scan in" in run(*words).output


def test_the_copy_of_a_pair_of_files_is_one_file(scans, tmp_path):
    image = nib.load(scans[0])
    pair = nib.Nifti1Pair(image.get_fdata(dtype=np.float32), image.affine)
    nib.save(pair, tmp_path / "p.img")
    run("noise", "apply", "rician", tmp_path / "p.hdr", "-o", tmp_path / "out")
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == [".made", "p.nii.gz"]
    assert nib.load(tmp_path / "out/p.nii.gz").shape == image.shape
