"""Words and tables of a page, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def prose(text: str) -> str:
    """Paragraphs, apart by an empty line, each on one line; lists keep their lines."""
    paragraphs = [" ".join(p.split()) for p in text.strip().split("\n\n")]
    return "\n\n".join(p.replace(" - **", "\n- **") for p in paragraphs) + "\n\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a head."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def ends(interval: Sequence[float], scale: float, digits: int) -> str:
    """Both ends of an interval."""
    low, high = (f"{scale * end:.{digits}f}" for end in interval)
    return f"{low} to {high}"
