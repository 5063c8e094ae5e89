"""Explains a word where it stands: what ``words.md`` says of it, as a tooltip."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.pages import Page

PAGE = "words.md"
ENTRY = re.compile(r"^### (.+)\n+((?:.+\n?)+)", re.M)
LINK = re.compile(r"\[([^]]+)\]\([^)]*\)")
NOT_CAPITALS = {"Posterior", "Dispersion"}
"""Everyday words, such as draw, would be underlined wherever they mean nothing else."""


def abbreviations(text: str) -> str:
    """Entries of the page as Markdown abbreviations; acronyms, and a few words."""
    lines = []
    for word, meaning in ENTRY.findall(text):
        plain = " ".join(LINK.sub(r"\1", meaning).replace("*", "").split())
        if word in NOT_CAPITALS:
            lines += [f"*[{form}]: {plain}" for form in (word, word.lower())]
        elif word.isupper():
            lines.append(f"*[{word}]: {plain}")
    return "\n".join(lines)


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:  # noqa: ANN401 (mkdocs' own)
    """Have every page but the glossary itself know its words."""
    if page.file.src_uri == PAGE:
        return markdown
    text = (Path(__file__).parent / PAGE).read_text(encoding="utf-8")
    return f"{markdown}\n\n{abbreviations(text)}\n"
