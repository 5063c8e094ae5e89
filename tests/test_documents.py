"""The code in README and CONTRIBUTING does what the text around it says."""

import re
import sys
from pathlib import Path

import torch

import noise_models

ROOT = Path(__file__).parents[1]


def blocks(name, language="python"):
    text = (ROOT / name).read_text()
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.S | re.M)
    return [re.sub(rf"^{indent}", "", code, flags=re.M) for indent, code in found]


def test_the_readme_s_noise_example_runs_as_written():
    (code,) = [b for b in blocks("README.md") if "noise_models.get" in b]
    space = {}
    exec(code, space)
    assert 0.015 < space["noisy"][0].std().item() < 0.11


def test_the_readme_names_only_verbs_and_options_that_exist():
    from typer.main import get_command

    from medvae.cli.app import app

    lines = re.findall(r"^medvae ([^#\n]+)", (ROOT / "README.md").read_text(), re.M)
    assert len(lines) > 8
    for line in lines:
        command, words = get_command(app), line.split()
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        known = {name for one in command.params for name in one.opts}
        assert {word for word in words if word.startswith("-")} <= known, line


def test_the_contributor_s_model_works_as_written(monkeypatch, spare_registry):
    (code,) = [b for b in blocks("CONTRIBUTING.md") if "@register" in b]
    module = type(sys)("fading_example")
    monkeypatch.setitem(sys.modules, "fading_example", module)
    exec(code, module.__dict__)
    noise = noise_models.get("fading", share=0.5)
    x = torch.ones(2, 1, 4, 4)
    assert torch.equal(noise(x, rng=torch.Generator()), 0.5 * x)
