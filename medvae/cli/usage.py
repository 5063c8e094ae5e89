"""The usage line of every verb: RUN SCANS..., without braces."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand


class Verb(TyperCommand):
    """A verb whose usage line names its arguments as its help does."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 (click's, wherever typer keeps it)
        """Pieces of the usage line."""
        pieces = super().collect_usage_pieces(ctx)
        return [piece.replace("{", "").replace("}", "") for piece in pieces]


def use_verbs(*groups: typer.Typer) -> None:
    """Have every command of some groups told so."""
    for group in groups:
        for command in group.registered_commands:
            command.cls = Verb
