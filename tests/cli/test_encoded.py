"""What encode says of a folder that holds codes of earlier calls."""

import pytest
from tiny_run import run

from medvae.encoding.table import read_table
from medvae.errors import UserError


@pytest.fixture
def encode(world, tmp_path):
    def call(*scans, run_=world / "runs/scanner", more=()):
        return run("encode", run_, *scans, "-o", tmp_path / "codes", "--jobs", 0, *more)

    return call


def test_scans_of_a_later_call_are_counted_apart(encode, world, tmp_path):
    first, second = world / "scans/A", world / "scans/C"
    told = encode(first).stdout
    assert "earlier calls" not in told
    rows = len(read_table(tmp_path / "codes")[0])
    told = " ".join(encode(second).stdout.split())
    assert f"; the table has {rows} more from earlier calls" in told
    assert "earlier calls" not in encode(first, second).stdout


def test_coordinates_that_no_longer_fit_the_table_go_with_a_word(
    encode, world, tmp_path
):
    encode(world / "scans/A")
    (tmp_path / "codes/axes.npy").write_bytes(b"of one scan")
    assert "axes.npy" not in encode(world / "scans/A").stderr
    told = " ".join(encode(world / "scans/C").stderr.split())
    assert "axes.npy: removed, as the table has changed. Give --axes again." in told


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_scan_of_the_same_name_is_refused_before_a_run_is_read(
    dry, encode, world, tmp_path
):
    pair = [tmp_path / folder / "x.nii.gz" for folder in "ab"]
    for scan, original in zip(pair, ("A/a1", "C/c1"), strict=True):
        scan.parent.mkdir()
        scan.write_bytes((world / f"scans/{original}.nii.gz").read_bytes())
    encode(pair[0])
    with pytest.raises(UserError, match="Choose another folder with -o"):
        encode(pair[1], more=dry)


@pytest.mark.parametrize("verb", [("encode",), ("harmonize", "--to", "B")])
def test_a_mask_that_is_not_there_is_named_at_the_end(world, tmp_path, verb):
    table = tmp_path / "scans.csv"
    scans = [world / f"scans/{site}/{site.lower()}1.nii.gz" for site in "AC"]
    rows = [f"{scans[0]},A,a,{tmp_path / 'gone_mask.nii.gz'}", f"{scans[1]},C,c,"]
    table.write_text("\n".join(["path,site,subject,mask", *rows]))
    words = (verb[0], world / "runs/scanner", table, *verb[1:], "-o", tmp_path / "out")
    for more in (("--dry-run",), ("--jobs", 0)):
        done = run(*words, *more)
        assert done.exit_code == 2
        told = " ".join(done.output.split())
        assert f"{tmp_path}/gone_mask.nii.gz: file not found" in told
    assert list((tmp_path / "out").glob("c1*.nii.gz"))
    assert not list((tmp_path / "out").glob("a1*.nii.gz"))
