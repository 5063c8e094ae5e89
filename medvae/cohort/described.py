"""What names and values tell of a scan: a row of a table, an item of a datalist."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from medvae.cohort.cohort import Scan
from medvae.cohort.covariates import (
    AGE_COLUMNS,
    SEX_COLUMNS,
    SITE_COLUMNS,
    cell,
    other_columns,
    parse_age,
    parse_sex,
)
from medvae.cohort.labels import is_writable, parse_name
from medvae.cohort.site import SiteRule
from medvae.errors import UserError

PATH_COLUMNS = ("path", "image", "file", "filename", "filepath")
SUBJECT_COLUMNS = ("subject", "subject_id", "participant_id", "participant", "sub")
SESSION_COLUMNS = ("session", "session_id", "ses", "visit")
MASK_COLUMNS = ("mask", "mask_path")
SPLIT_COLUMNS = ("split",)
KNOWN_COLUMNS = (
    *PATH_COLUMNS,
    *SUBJECT_COLUMNS,
    *SITE_COLUMNS,
    *SESSION_COLUMNS,
    *AGE_COLUMNS,
    *SEX_COLUMNS,
    *MASK_COLUMNS,
    *SPLIT_COLUMNS,
)
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


def described_scan(
    name: str,
    cells: Mapping[str, str],
    folder: Path,
    where: str,
    rule: SiteRule | None,
    split: str | None = None,
) -> Scan:
    """The scan of a row; what the row does not tell, the file's name may.

    Args:
        name: The scan's path, from ``folder``.
        cells: What is written of it, by column.
        folder: That of the table or datalist.
        where: The row, for an error.
        rule: Where the site is written, if not in a column named ``site``.
        split: Of rows that name none.

    Raises:
        UserError: A value cannot be used; names the row.
    """
    _refuse_unwritable(cells, where)
    path, parts = folder / name, parse_name(Path(name))
    mask = cell(cells, MASK_COLUMNS)
    session = cell(cells, SESSION_COLUMNS) or parts.session
    session = session.removeprefix("ses-") if session else None
    try:
        age = parse_age(cell(cells, AGE_COLUMNS) or parts.age)
    except ValueError as error:
        raise UserError(f"{where}: {error}. Correct it or leave it out.") from None
    site = (
        rule.site(path, folder, session, {"column": cells})
        if rule
        else cell(cells, SITE_COLUMNS) or parts.site
    )
    return Scan(
        path=path,
        subject=(cell(cells, SUBJECT_COLUMNS) or parts.subject).removeprefix("sub-"),
        site=site,
        session=session,
        age=age,
        sex=parse_sex(cell(cells, SEX_COLUMNS) or parts.sex),
        mask=folder / mask if mask else None,
        split=_split(cell(cells, SPLIT_COLUMNS), where) or split,
        covariates=other_columns(cells, KNOWN_COLUMNS),
    )


def _refuse_unwritable(cells: Mapping[str, str], where: str) -> None:
    for column, text in cells.items():
        if column.casefold() not in PATH_COLUMNS and not is_writable(text):
            raise UserError(
                f"{where}: {column!r} holds a character that no table can hold, got "
                f"{text[:60]!r}. Correct it."
            )


def _split(value: str | None, where: str) -> str | None:
    if value is None:
        return None
    try:
        return SPLITS[value.casefold()]
    except KeyError:
        raise UserError(
            f"{where}: unknown split {value!r}. Write train, validation or test."
        ) from None
