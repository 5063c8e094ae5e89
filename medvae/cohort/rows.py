"""Reading CSV and TSV as people's programs write them, with row numbers."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from medvae.errors import UserError
from medvae.inputs import read_text

if TYPE_CHECKING:
    from _csv import Reader

Row = tuple[int, dict[str, str]]

MAX_ROWS = 500_000
MAX_CELLS = 5_000_000
"""A text of 64 MiB can hold so many more that they fill the memory."""


def read_rows(path: Path) -> list[Row]:
    """Rows of a table with a header, each with its line number in the file.

    Takes a byte-order mark, any line ending, and commas, semicolons or tabs.

    Raises:
        UserError: No header, a column twice, a row of another length, or more rows or
            cells than any cohort has.
    """
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 (byte {error.start}). Save the table as UTF-8."
        ) from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}. Check the path.") from error
    delimiter = _delimiter(text)
    _refuse_masses(path, text, delimiter)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    lines = _lines(path, reader)
    header = [name.strip() for _, cells in islice(lines, 1) for name in cells]
    if not any(header):
        raise UserError(f"{path}: no header. Name the columns in the first row.")
    seen = Counter(name.casefold() for name in header)
    twice = next((name for name in header if seen[name.casefold()] > 1), None)
    if twice is not None:
        raise UserError(f"{path}: column {twice!r} occurs twice. Rename one.")
    rows = []
    for number, cells in lines:
        if not any(value.strip() for value in cells):
            continue
        if len(cells) != len(header):
            raise UserError(
                f"{path}, row {number}: {len(cells)} cells, but the header "
                f"has {len(header)}. Correct the row."
            )
        rows.append((number, dict(zip(header, cells, strict=True))))
    return rows


def _refuse_masses(path: Path, text: str, delimiter: str) -> None:
    rows = text.count("\n")  # `read_text` has made it of every other line ending
    counts = (
        ("rows", rows, MAX_ROWS),
        ("cells", rows + text.count(delimiter), MAX_CELLS),
    )
    for what, count, most in counts:
        if count > most:
            raise UserError(
                f"{path}: {count} {what}, but at most {most} are read. Is it the right "
                "file? Give another, or split it."
            )


def _lines(path: Path, reader: Reader) -> Iterator[tuple[int, list[str]]]:
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise UserError(
            f"{path}, row {reader.line_num}: {error}. Correct the row; is a quote open?"
        ) from None


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max("\t,;", key=first.count)
