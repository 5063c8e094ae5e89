"""Reading CSV and TSV as people's programs write them, with row numbers."""

from __future__ import annotations

import csv
from pathlib import Path

from medvae.errors import UserError

Row = tuple[int, dict[str, str]]


def read_rows(path: Path) -> list[Row]:
    """Rows of a table with a header, each with its line number in the file.

    Takes a byte-order mark, any line ending, and commas, semicolons or tabs.

    Raises:
        UserError: No header, a column twice, or a row of another length.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 (byte {error.start}). Save the table as UTF-8."
        ) from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}. Check the path.") from error
    reader = csv.reader(text.splitlines(keepends=True), delimiter=_delimiter(text))
    header = [name.strip() for name in next(reader, [])]
    if not any(header):
        raise UserError(f"{path}: no header. The first row names the columns.")
    folded = [name.casefold() for name in header]
    twice = next((n for n in header if folded.count(n.casefold()) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: column {twice!r} occurs twice. Rename one.")
    rows = []
    for cells in reader:
        if not any(value.strip() for value in cells):
            continue
        if len(cells) != len(header):
            raise UserError(
                f"{path}, row {reader.line_num}: {len(cells)} cells, but the header "
                f"has {len(header)}. Correct the row."
            )
        rows.append((reader.line_num, dict(zip(header, cells, strict=True))))
    return rows


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max("\t,;", key=first.count)
