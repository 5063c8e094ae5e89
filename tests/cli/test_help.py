"""What --help says: every option in words, every name that can be given."""

import re
import shlex

import pytest
from test_cli import run
from typer.core import TyperArgument
from typer.main import get_command

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
