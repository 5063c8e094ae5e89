"""A cohort as a table: path, subject, site and what else is known."""

from __future__ import annotations

import difflib
from pathlib import Path

from medvae.cohort.cohort import Cohort, Scan
from medvae.cohort.covariates import cell
from medvae.cohort.described import PATH_COLUMNS, SUBJECT_COLUMNS, described_scan
from medvae.cohort.people import doubtful_people, named_by_folder
from medvae.cohort.rows import Row, read_rows
from medvae.cohort.site import SiteRule
from medvae.errors import UserError

_LOOKED_AT = 1000  # columns, for one that is nearly called path


def read_table(path: Path, rule: SiteRule | None = None) -> Cohort:
    """Read a CSV or TSV with a column ``path``, and ``subject``, ``site``, ... .

    Paths are relative to the table. Columns without a meaning here become
    covariates.

    Args:
        path: The table.
        rule: Where the site is written, if not in a column named ``site``.

    Raises:
        UserError: A row cannot be used; names the row.
    """
    rows = read_rows(path)
    if not rows:
        raise UserError(f"{path}: no rows below the header. Add one a scan.")
    _require_path(path, list(rows[0][1]))
    if rule and rule.column:
        _require_column(path, list(rows[0][1]), rule.column)
    scans = [_scan(path, row, rule) for row in rows]
    if any(name.casefold() in SUBJECT_COLUMNS for name in rows[0][1]):
        return Cohort(path, "table", tuple(scans))
    scans = named_by_folder(scans, path.parent)
    doubts = doubtful_people(scans, path)
    return Cohort(path, "table", tuple(scans), tuple(doubts))


def _scan(table: Path, row: Row, rule: SiteRule | None) -> Scan:
    number, cells = row
    where = f"{table}, row {number}"
    name = cell(cells, PATH_COLUMNS)
    if name is None:
        raise UserError(f"{where}: path is empty. Fill it in or remove the row.")
    return described_scan(name, cells, table.parent, where, rule)


def _require_path(table: Path, header: list[str]) -> None:
    folded = {name.casefold(): name for name in header}
    if any(name in folded for name in PATH_COLUMNS):
        return
    near = difflib.get_close_matches("path", [*folded][:_LOOKED_AT], 1, 0.5)
    hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
    raise UserError(
        f"{table}: no column 'path'; found {', '.join(header)}.{hint} "
        "Name the column with the files 'path'."
    )


def _require_column(table: Path, header: list[str], column: str) -> None:
    if column.casefold() not in {name.casefold() for name in header}:
        raise UserError(
            f"{table}: no column {column!r} for the site. "
            f"Name one of: {', '.join(header)}."
        )
