"""Reading CSV and TSV as people's programs write them, with row numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from medvae.errors import UserError
from medvae.inputs import read_text

if TYPE_CHECKING:
    from _csv import Reader

Row = tuple[int, dict[str, str]]


def read_rows(path: Path) -> list[Row]:
    """Rows of a table with a header, each with its line number in the file.

    Takes a byte-order mark, any line ending, and commas, semicolons or tabs.

    Raises:
        UserError: No header, a column twice, or a row of another length.
    """
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 (byte {error.start}). Save the table as UTF-8."
        ) from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}. Check the path.") from error
    reader = csv.reader(text.splitlines(keepends=True), delimiter=_delimiter(text))
    lines = _lines(path, reader)
    header = [name.strip() for _, cells in islice(lines, 1) for name in cells]
    if not any(header):
        raise UserError(f"{path}: no header. Name the columns in the first row.")
    folded = [name.casefold() for name in header]
    twice = next((n for n in header if folded.count(n.casefold()) > 1), None)
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
