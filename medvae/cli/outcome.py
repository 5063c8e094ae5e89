"""How a verb ends: what failed, what was done, what comes next, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.console import emit_line, fail, say

Json = Annotated[
    bool, typer.Option("--json", help="Print one line of JSON: written, failed.")
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""Of verbs that write nothing: what they show."""


def staying(kept: int) -> str:
    """Of outputs that were finished before.

    Example:
        >>> staying(1), staying(2)
        ('1 was there already and stays', '2 were there already and stay')
    """
    there = (
        "was there already and stays" if kept == 1 else "were there already and stay"
    )
    return f"{kept} {there}"


def end(
    words: str | Sequence[str],
    problems: Sequence[str] = (),
    then: str | None = None,
    *,
    json: bool = False,
    written: Sequence[Path] = (),
    **more: object,
) -> None:
    """Name what failed (exit code 2), say what was done and what comes next.

    Args:
        words: What was done, a line or several.
        problems: A message for each thing that failed.
        then: What to do next.
        json: Print a line for a machine too; the words then go to standard error.
        written: The files or folders that are there now.
        more: Further entries of that line.

    Raises:
        typer.Exit: Something failed.
    """
    for problem in problems:
        fail(problem)
    for line in [words] if isinstance(words, str) else words:
        say(line)
    if then:
        say(f"Next: {then}")
    if json:
        emit_line({"written": list(map(str, written)), "failed": [*problems], **more})
    if problems:
        raise typer.Exit(2)
