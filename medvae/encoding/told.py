"""What is known of every code in a folder: the rows of index.tsv, and of the codes.

A code's JSON holds its row, too (``row``): none is lost by a call that was killed
before it wrote the table, or with a table that is gone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from medvae.cohort.labels import is_writable
from medvae.encoding.latent_file import description_file
from medvae.encoding.names import ENDING, latent_file
from medvae.errors import UserError
from medvae.inputs import DAMAGED, is_there, read_json, read_text

INDEX = "index.tsv"
LABELS = ("subject", "site", "session")
IN_CODE = ("name", "path", *LABELS)
COLUMNS = ("row", *IN_CODE, "digest", "model", "file")
Cells: TypeAlias = dict[str, str]
"""A row of the table, by column."""

_PLACES = ("", "sub-*/anat/", "sub-*/ses-*/anat/")  # see `latent_file`


def read_index(out: Path) -> tuple[str, list[Cells]]:
    """The table in a folder of codes as text and as rows; nothing if there is none.

    Raises:
        UserError: It is another's, or damaged: made anew, it would lose rows.

    Example:
        >>> read_index(Path("no folder yet"))
        ('', [])
    """
    path = out / INDEX
    if not is_there(path):
        return "", []
    try:
        text = read_text(path)
        header, *rows = csv.reader(io.StringIO(text), delimiter="\t", strict=True)
    except UnicodeDecodeError as error:
        raise _damaged(path, f"not UTF-8 at byte {error.start}") from None
    except csv.Error as error:
        raise _damaged(path, str(error)) from None
    except (OSError, ValueError):
        header, rows = [], []
    if tuple(header) != COLUMNS:
        raise UserError(
            f"{path}: not written by medvae encode, and would be overwritten. "
            "Choose another folder with -o."
        )
    if not text.endswith("\n"):
        raise _damaged(path, "its last line is cut")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(COLUMNS):
            raise _damaged(path, f"row {number} has {len(row)} cells")
        if "\0" in "".join(row) or not _is_inside(Path(row[-1])):
            raise _damaged(path, f"row {number} names a file elsewhere")
    return text, [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def rows_of_codes(out: Path, known: Collection[str]) -> Iterator[Cells]:
    """Rows that codes tell of themselves, of all but some files.

    Args:
        out: The folder of codes, which need not exist.
        known: ``*_latent.nii.gz`` relative to it, that have a row already.

    Example:
        >>> list(rows_of_codes(Path("no folder yet"), []))
        []
    """
    for place in _PLACES:
        for path in sorted(out.glob(f"{place}*{ENDING}")):
            file = path.relative_to(out).as_posix()
            if file not in known and (told := _told_by(path, file)):
                yield told


def _told_by(path: Path, file: str) -> Cells | None:
    try:
        content = read_json(description_file(path))
        told = {name: content["row"][name] for name in IN_CODE}
        told |= {"digest": content["scan_digest"], "file": file}
        told["model"] = content["model_digest"] or ""
    except (*DAMAGED, UserError):
        return None
    is_text = all(isinstance(cell, str) and is_writable(cell) for cell in told.values())
    return told if is_text and latent_file(told["name"]) == Path(file) else None


def in_code(told: Mapping[str, str]) -> Cells:
    """The part of a row that a code's JSON tells; the rest stands there anyway."""
    return {name: told[name] for name in IN_CODE}


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"{path}: damaged ({why}). Put a copy of it back, or move it away: encode then "
        "makes it anew from what the codes tell of themselves."
    )


def _is_inside(file: Path) -> bool:
    return not file.is_absolute() and ".." not in file.parts
