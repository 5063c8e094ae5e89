"""Numbers of a comparison, and tables, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]


def shown(number: Result | None) -> str:
    """A mean with its interval.

    Example:
        >>> shown({"mean": 0.5, "ci95": [0.4, 0.6]}), shown(None)
        ('0.500 (0.400 to 0.600)', '–')
    """
    if number is None or number["mean"] is None:
        return "–"
    if number["ci95"] is None:
        return f"{number['mean']:.3f}"
    low, high = number["ci95"]
    return f"{number['mean']:.3f} ({low:.3f} to {high:.3f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
