"""Images that decode and harmonize leave, and what is said of them."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from tiny_run import run
from typer.testing import CliRunner

from medvae.cli.app import app
from medvae.encoding import Encoder, images
from medvae.encoding.harmonised import read_index
from medvae.errors import UserError


def test_the_same_command_goes_on_and_says_so(world, tmp_path):
    words = ("harmonize", world / "runs/scanner", world / "scans", "--to", "B")
    words = (*words, "-o", tmp_path / "as_b", "--jobs", 0)
    first = run(*words)
    assert "there already" not in first.stdout
    table = (tmp_path / "as_b/index.tsv").read_text()
    (tmp_path / "as_b/c1.nii.gz").unlink()
    (tmp_path / "as_b/index.tsv").unlink()
    assert "2 were there already and stay" in run(*words).stdout
    assert (tmp_path / "as_b/index.tsv").read_text() == table


def test_images_painted_for_another_site_are_not_written_over(world, tmp_path):
    def refusal(*words):
        told = CliRunner().invoke(app, list(map(str, words)))
        assert isinstance(told.exception, UserError)  # exit code 2
        return str(told.exception)

    model, out = world / "runs/scanner", tmp_path / "as_b"
    scan, other = world / "scans/A/a1.nii.gz", world / "scans/C/c1.nii.gz"
    words = ("harmonize", model, scan, "-o", out, "--jobs", 0, "--to")
    run(*words, "B")
    before = (out / "a1.nii.gz").read_bytes()
    said = (
        f"{out / 'a1.nii.gz'}: painted for B by an earlier command, and would be "
        "overwritten for A. Choose another folder with -o."
    )
    assert refusal(*words, "A") == refusal(*words, "A", "--dry-run") == said
    shutil.rmtree(out / ".made")  # the table knows it, too
    assert refusal(*words, "A") == said
    assert (out / "a1.nii.gz").read_bytes() == before
    run("harmonize", model, other, "-o", out, "--jobs", 0, "--to", "A")
    assert [row["target"] for row in read_index(out)] == ["B", "A"]
    assert (
        "1 changed" in run(*words, "B", "--no-detail").stdout
    )  # another wish, same site
    (out / "a1.nii.gz").unlink()
    run(*words, "A")

    codes, images = tmp_path / "codes", tmp_path / "images"
    run("encode", model, scan, "-o", codes, "--jobs", 0)
    run("decode", model, codes, "-o", images)
    said = refusal("decode", model, codes, "-o", images, "--site", "B")
    assert "painted for the average site by an earlier command" in said


def test_an_image_of_another_scan_of_the_same_name_is_not_written_over(world, tmp_path):
    first, second, moved = (tmp_path / k / "x.nii.gz" for k in ("a", "b", "moved"))
    for scan, site in ((first, "A"), (second, "C"), (moved, "A")):
        scan.parent.mkdir()
        shutil.copy(world / f"scans/{site}/{site.lower()}1.nii.gz", scan)
    out = tmp_path / "as_b"
    words = ("harmonize", world / "runs/scanner", "--to", "B", "-o", out, "--jobs", 0)
    run(*words, first)
    before = (out / "x.nii.gz").read_bytes()
    for dry in ((), ("--dry-run",)):
        with pytest.raises(UserError, match="Choose another folder") as refused:
            run(*words, second, *dry)
        assert str(refused.value).startswith(
            f"{out / 'x.nii.gz'}: made of ../a/x.nii.gz by an earlier command, "
        )
    assert (out / "x.nii.gz").read_bytes() == before
    assert "1 was there already" in run(*words, moved).stdout
    for gone in (first, moved):  # then nothing can make the image again
        gone.unlink()
    with pytest.raises(UserError, match="Choose another folder"):
        run(*words, second)


def test_an_image_of_another_code_of_the_same_name_is_not_written_over(world, tmp_path):
    model, out = world / "runs/scanner", tmp_path / "images"
    for site in "AC":
        scan = tmp_path / site / "x.nii.gz"
        scan.parent.mkdir()
        shutil.copy(world / f"scans/{site}/{site.lower()}1.nii.gz", scan)
        run("encode", model, scan, "-o", tmp_path / f"codes-{site}", "--jobs", 0)
    run("decode", model, tmp_path / "codes-A", "-o", out)
    before = (out / "x.nii.gz").read_bytes()
    for dry in ((), ("--dry-run",)):
        with pytest.raises(
            UserError, match=r"made of \.\./codes-A/x_latent"
        ) as refused:
            run("decode", model, tmp_path / "codes-C", "-o", out, *dry)
        assert f"that of {tmp_path}/codes-C/x_latent.nii.gz" in str(refused.value)
    assert (out / "x.nii.gz").read_bytes() == before
    shutil.move(tmp_path / "codes-A", tmp_path / "moved")
    assert "1 was there" in run("decode", model, tmp_path / "moved", "-o", out).stdout


@pytest.mark.parametrize(
    ("verb", "option"), [("harmonize", "--to"), ("decode", "--site")]
)
def test_images_that_another_made_while_the_run_was_opened_stay(
    world, tmp_path, monkeypatch, verb, option
):
    model, scan, out = world / "runs/scanner", world / "scans/C/c1.nii.gz", tmp_path
    run("encode", model, scan, "-o", tmp_path / "codes", "--jobs", 0)
    given = scan if verb == "harmonize" else tmp_path / "codes"
    run(verb, model, given, option, "A", "-o", tmp_path / "A")
    before, load = (tmp_path / "A/c1.nii.gz").read_bytes(), Encoder.load

    def meanwhile(*words):
        shutil.copytree(tmp_path / "A", out / "out")
        return load(*words)

    monkeypatch.setattr(Encoder, "load", meanwhile)
    with pytest.raises(UserError, match="painted for A by an earlier command"):
        run(verb, model, given, option, "B", "-o", out / "out")
    assert (out / "out/c1.nii.gz").read_bytes() == before


def test_images_of_the_users_are_not_written_over(world, tmp_path):
    model, scan = world / "runs/scanner", world / "scans/A/a1.nii.gz"
    run("encode", model, scan, "-o", tmp_path / "codes", "--jobs", 0)
    for words in (("harmonize", scan, "--to", "B"), ("decode", tmp_path / "codes")):
        verb, *more = words
        mine = tmp_path / verb / "a1.nii.gz"
        mine.parent.mkdir()
        mine.write_bytes(b"irreplaceable")
        with pytest.raises(UserError, match=r"a1.*not made by medvae"):
            run(verb, model, *more, "-o", mine.parent)
        assert mine.read_bytes() == b"irreplaceable"


def test_after_an_interruption_the_table_has_what_was_finished(
    world, tmp_path, monkeypatch
):
    write = images.write_image

    def interrupted(image, path):
        if path.name == "b1.nii.gz":
            raise KeyboardInterrupt
        write(image, path)

    monkeypatch.setattr(images, "write_image", interrupted)
    words = ("harmonize", world / "runs/scanner", world / "scans", "--to", "B")
    done = CliRunner().invoke(
        app, [*map(str, words), "-o", str(tmp_path), "--jobs", "0"]
    )
    assert done.exit_code == 130
    rows = (tmp_path / "index.tsv").read_text().splitlines()[1:]
    assert [row.split("\t")[0] for row in rows] == ["a1.nii.gz"]


def test_harmonize_believes_the_data_s_sites_and_says_what_it_changed(world, tmp_path):
    out = tmp_path / "as_b"
    done = run(
        *("harmonize", world / "runs/scanner", world / "scans", "--to", "B"),
        *("-o", out, "--jobs", 0),
    )
    said = ("site", "source", "known_from", "target", "changed")
    rows = {row["path"]: [row[name] for name in said] for row in read_index(out)}
    assert rows["a1.nii.gz"] == ["A", "A", "data", "B", "yes"]
    assert rows["b1.nii.gz"] == ["B", "B", "data", "B", "no"]
    assert rows["c1.nii.gz"] == ["C", "", "unknown", "B", "yes"]
    assert f"3 images in {out}: " in done.output
    assert "1 made at B, by the data" in done.output
    for name in ("a1", "b1"):
        before = nib.load(world / "scans" / name[0].upper() / f"{name}.nii.gz")
        same = np.array_equal(
            before.get_fdata(), nib.load(out / f"{name}.nii.gz").get_fdata()
        )
        assert same is (name == "b1")
