"""Pages of docs/ as things to do: files to save, commands and Python to run.

Every block is run as it stands, but for what `QUICK` and `quickly` put in its place.
"""

import os
import re
import shlex
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from quickly import quickly
from typer.testing import CliRunner

from medvae.cli.app import app
from medvae.errors import UserError

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.S | re.M)
RANKS = {"srun": 2, "torchrun": 2}

ALONE = ("--jobs", "1")
QUICK = {
    **dict.fromkeys(("phantom", "fit-noise", "score", "evaluate"), ALONE),
    **dict.fromkeys(("encode", "harmonize"), ("--jobs", "0")),
    "train": (*ALONE, "--set", "optimiser.epochs=2"),
}
"""Words added by verb: two epochs, and no other processes, which take longer to start
than to work."""


@dataclass
class Block:
    language: str
    title: str | None
    text: str


def blocks(page):
    return [Block(*found) for found in FENCE.findall((DOCS / page).read_text())]


def follow(page, folder):
    """Do everything that a page says, in order, in a folder; the Python's names."""
    space = {"__name__": "__page__"}
    with chdir(folder), quickly():
        for block in blocks(page):
            if block.title:
                Path(block.title).write_text(block.text)
            if block.language == "python":
                exec(compile(block.text, str(page), "exec"), space)
            elif block.language == "bash":
                for line in block.text.strip().splitlines():
                    do(line)
            else:
                assert block.language in ("yaml", "csv"), (
                    f"{page}: nobody runs this block"
                )
    return space


def do(line):
    """One line of a shell block, as the shell would take it."""
    words = shlex.split(line, comments=True)
    expected = 2 if "exit code 2" in line else 0
    if not words:
        return
    if words[0] in RANKS:
        start = words.index("medvae")
        for rank in range(RANKS[words[0]]):
            place = {"RANK": str(rank), "WORLD_SIZE": str(RANKS[words[0]])}
            with patch.dict(os.environ, place):
                medvae(words[start + 1 :])
    elif words[0] == "medvae":
        medvae(words[1:], expected)
    elif words[:2] == ["python", "-m"]:
        subprocess.run([sys.executable, *words[1:]], check=True, capture_output=True)
    else:
        raise AssertionError(f"no way to run: {line}")


def medvae(words, expected=0):
    words = [
        name
        for word in words
        for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
    ]
    verb = words[1] if words[0] == "noise" else words[0]
    result = CliRunner().invoke(app, [*words, *QUICK.get(verb, ())])
    if isinstance(result.exception, UserError):
        assert expected == 2, result.exception
        return
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expected, result.output
