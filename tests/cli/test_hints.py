"""What a verb says to do next works as it is printed, pasted into a shell."""

import re
import shlex
from pathlib import Path

import pytest
from quickly import quickly
from tiny_run import SMALL, run

from medvae.cli.cohorts import other_sites
from medvae.cli.comparison import _command as recorded
from medvae.cli.hints import data_of

FASTER = {
    "fit-noise": ("--jobs", "1", "--no-report"),
    "train": SMALL,
    "evaluate": ("--jobs", "1"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a space in its name, and nothing in it but what verbs write."""
    folder = tmp_path_factory.mktemp("a place")
    with pytest.MonkeyPatch.context() as patch, quickly():
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.chdir(folder)
        options = ("--sites", "NYU,UM_1,KKI", "--subjects", 3, "--travelers", 1)
        told = run("phantom", "my scans", *options, "--voxel-scale", 4, "--jobs", 1)
        yield told.output


def test_a_phantom_that_is_there_would_not_be_written_again(place):
    options = ("--sites", "NYU,UM_1,KKI", "--subjects", 3, "--travelers", 1)
    words = ("phantom", "my scans", *options, "--voxel-scale", 4, "--dry-run")
    told = " ".join(run(*words).output.split())
    assert "my scans holds the 12 scans of 3 sites already" in told
    assert "would write" not in told


def hint(output):
    """Words of the command that stands behind 'Next:', without medvae itself."""
    program, *words = shlex.split(re.search(r"Next: (.*)", output)[1])
    assert program == "medvae"
    return words


def follow(words, *more):
    result = run(*words, *more, *FASTER.get(words[0], ()))
    assert result.exit_code == 0, result.output
    return result.output


def test_from_the_phantom_to_the_report_by_the_printed_hints(place, tmp_path):
    assert "my scans: BIDS" in follow(hint(place))
    elsewhere = ("--data", "my scans", "--skip-bad", "-o", "fits/a b.yaml")
    fitted = follow(["fit-noise", "NYU", "UM_1"], *elsewhere)
    assert hint(fitted)[-2:] == ["--held-out", "KKI"]
    trained = follow(hint(fitted), "-o", "runs/a", "--cache", str(tmp_path))
    again = hint(trained)
    assert again[again.index("--cache") + 1] == str(tmp_path)
    assert "--skip-bad" in hint(fitted)
    assert "runs/a/report.html" in follow(again)
    card = Path("runs/a/README.md").read_text()
    (command,) = re.findall(r"`medvae (evaluate .*)`", card)
    assert "runs/a/report.html" in follow(shlex.split(command))


def test_sites_named_as_folders_are_trained_on_from_the_folder_above(tmp_path):
    for site in ("NYU", "KKI"):
        (tmp_path / "a" / site).mkdir(parents=True)
    (tmp_path / "b").mkdir()
    inside = [str(tmp_path / "a" / site) for site in ("NYU", "KKI")]
    assert data_of(inside, None) == str(tmp_path / "a")
    assert data_of([inside[0], str(tmp_path / "b")], None) == "DATA"
    assert data_of(["NYU", "KKI"], None) is None


def test_sites_beside_the_folders_that_were_fitted_are_held_out(tmp_path):
    for site in ("NYU", "KKI", "OHSU"):
        (tmp_path / "a" / site).mkdir(parents=True)
        (tmp_path / "a" / site / "s1_T1w.nii.gz").touch()
    (tmp_path / "b" / "UM_1").mkdir(parents=True)
    inside = [str(tmp_path / "a" / site) for site in ("NYU", "KKI")]
    assert other_sites(inside, None, None) == ["OHSU"]
    apart = [inside[0], str(tmp_path / "b" / "UM_1")]
    assert other_sites(apart, None, None) == []


def test_the_command_that_a_comparison_records_can_be_pasted():
    words = {
        "--noise": "none,scanner",
        "--data": "my scans",
        "--held-out": "site A's",
        "--config": "my plans/a&b.yaml",
    }
    told = recorded(
        words["--noise"].split(","),
        Path("somewhere", words["--data"]),
        [words["--held-out"], "NYU"],
        2,
        Path(words["--config"]),
    )
    typed = shlex.split(told)
    assert typed[:2] == ["medvae", "compare"]
    assert {name: typed[typed.index(name) + 1] for name in words} == words
    assert typed.count("--held-out") == 2
    assert recorded([], None, None, None, None) == "medvae compare"
