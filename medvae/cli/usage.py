"""The help of every verb: RUN SCANS... without braces, lines as wide as they fit."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand


class Verb(TyperCommand):
    """A verb whose usage line names its arguments as its help does.

    Lines of its docstring are joined: rich would keep their ends, and wrap beyond them.
    """

    def __init__(self, name: str | None, **told: Any) -> None:  # noqa: ANN401 (typer's)
        paragraphs = (told.pop("help", None) or "").split("\n\n")
        joined = "\n\n".join(" ".join(part.split()) for part in paragraphs)
        super().__init__(name, help=joined, **told)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 (click's, wherever typer keeps it)
        """Pieces of the usage line."""
        pieces = super().collect_usage_pieces(ctx)
        return [piece.replace("{", "").replace("}", "") for piece in pieces]


def use_verbs(*groups: typer.Typer) -> None:
    """Have every command of some groups told so."""
    for group in groups:
        for command in group.registered_commands:
            command.cls = Verb
