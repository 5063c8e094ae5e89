"""What is told without any data: help in words, names that can be given, presets."""

import json
import re
import shlex
import subprocess
import sys

import pytest
from tiny_run import run
from typer.core import TyperArgument
from typer.main import get_command

import medvae
from medvae.cli.app import app
from medvae.phantom import site_names


def verbs(group=None, words=()):
    group = get_command(app) if group is None else group
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, (*words, name))
        else:
            yield (*words, name), command


EVERY = dict(verbs())


def test_no_word_of_help_is_left_alone_on_a_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    told = run("fit-noise", "--help").output.split("Arguments")[0]
    parts = re.split(r"\n\s*\n", told.strip())
    lines = [line.strip() for part in parts for line in part.splitlines()[:-1]]
    assert min(map(len, lines)) > 60


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_option_has_words_and_every_argument_a_name(words):
    for param in EVERY[words].params:
        assert param.help, f"{words}: {param.name}"
        if isinstance(param, TyperArgument):
            assert param.metavar == param.name.upper()
    usage = run(*words, "--help").output.split("Usage:")[1].split("\n\n")[0]
    assert "{" not in usage


def test_the_phantom_s_sites_are_all_named():
    (sites,) = (p for p in EVERY[("phantom",)].params if p.name == "sites")
    assert set(site_names()) <= set(re.findall(r"\w+", sites.help))


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_an_example_has_only_options_that_there_are(words):
    told = re.search(r"Example: (medvae .*?)(?:\n\n|\Z)", EVERY[words].help or "", re.S)
    if told is None:
        return
    typed = shlex.split(told[1])
    known = {opt for param in EVERY[words].params for opt in param.opts}
    assert typed[1 : 1 + len(words)] == list(words)
    assert {word for word in typed if word.startswith("-")} <= known


def test_every_model_is_listed_with_its_summary():
    rows = json.loads(run("noise", "list", "--json").stdout)
    assert {"rician", "scanner", "none"} <= {row["name"] for row in rows}
    assert all(row["summary"].endswith(".") for row in rows)


def test_a_preset_is_shown():
    content = json.loads(run("noise", "show", "rician", "--json").stdout)
    assert content["model"] == "rician"
    assert run("noise", "show", "rician").exit_code == 0


def test_help_is_light_and_names_every_verb():
    code = (
        "import sys; sys.argv=['medvae','--help']\n"
        "import medvae.cli\n"
        "try: medvae.cli.main()\n"
        "except SystemExit: pass\n"
        "heavy={'torch','monai','nibabel','scipy','numpy','matplotlib'}&set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    for verb in ("demo", "phantom", "cohort", "fit-noise", "noise", "train", "encode"):
        assert verb in done.stdout


def test_version_is_the_package_s():
    assert run("--version").output.strip() == f"medvae {medvae.__version__}"
