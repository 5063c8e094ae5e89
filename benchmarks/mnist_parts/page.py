"""The numbers of docs/criterion.md, filled in from the results and from nowhere else.

A number stands between ``<!--= KEY -->`` and ``<!--/-->``. KEY is a path into
mnist.json, its parts divided by ``>``; the first three name an arm: training size,
arm, stopping. A mean with its interval is written as ``1.2 (0.9 to 1.5)``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from medvae.files import write_text

QUOTE = re.compile(r"<!--= (.+?) -->(.*?)<!--/-->", re.DOTALL)


def filled(text: str, found: dict[str, Any]) -> str:
    """``text`` with every quoted number as the results have it.

    Raises:
        KeyError: A quoted number that the results do not have.
    """

    def number(match: re.Match[str]) -> str:
        key = match.group(1)
        return f"<!--= {key} -->{shown(value_of(found, key))}<!--/-->"

    return QUOTE.sub(number, text)


def value_of(found: dict[str, Any], key: str) -> Any:  # noqa: ANN401 (what JSON holds)
    """The number, or the mean with its interval, that a key names."""
    parts = [part.strip() for part in key.split(">")]
    if parts[0] in found:
        value: Any = found
    else:
        size, name, stopping, *parts = parts
        rows = [
            row
            for row in found["arms"]
            if (str(row["train_size"]), row["name"], row["stopping"])
            == (size, name, stopping)
        ]
        if not rows:
            raise KeyError(f"{key}: no such arm in the results.")
        value = rows[0]
    for part in parts:
        if part not in value:
            raise KeyError(f"{key}: the results have {', '.join(value)}.")
        value = value[part]
    return value


def shown(value: Any) -> str:  # noqa: ANN401 (what JSON holds)
    """A number as the page has it.

    Example:
        >>> shown({"mean": 1.23, "sd": 0.1, "ci95": [0.94, 1.52]})
        '1.2 (0.9 to 1.5)'
        >>> shown(1.0149)
        '1.01'
        >>> shown([0, 1, 2]), shown([1.0149, 1.2])
        ('0, 1, 2', '1.01, 1.20')
    """
    if isinstance(value, dict):
        low, high = value["ci95"]
        return f"{value['mean']:.1f} ({low:.1f} to {high:.1f})"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def fill(path: Path, found: dict[str, Any]) -> None:
    """Write the results' numbers into a page."""
    write_text(path, filled(path.read_text(encoding="utf-8"), found))
