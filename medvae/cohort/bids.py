"""BIDS: subjects, sessions, and the tables beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medvae.cohort.cohort import Cohort, Scan
from medvae.cohort.covariates import (
    AGE_COLUMNS,
    SEX_COLUMNS,
    SITE_COLUMNS,
    cell,
    other_columns,
    parse_age,
    parse_sex,
)
from medvae.cohort.labels import entities, is_scan_name, stem
from medvae.cohort.rows import read_rows
from medvae.cohort.site import SiteRule, resolve_site
from medvae.errors import UserError
from medvae.problem import Problem

SKIPPED_FOLDERS = {"derivatives", "sourcedata", "code", "phenotype"}
_KEYS = {"participants": "participant_id", "sessions": "session_id"}
_USED = (*SITE_COLUMNS, *AGE_COLUMNS, *SEX_COLUMNS, *_KEYS.values(), "filename")

Table = dict[str, dict[str, str]]


def is_bids(folder: Path) -> bool:
    """Whether a folder has subject folders, as a BIDS data set must."""
    return any(_subject_folders(folder))


def read_bids(
    root: Path,
    rule: SiteRule | None = None,
    suffix: str = "T1w",
    site: str | None = None,
) -> Cohort:
    """Read the anatomical scans of a BIDS data set; derivatives are left out.

    Args:
        root: Folder with ``sub-*`` in it.
        rule: Where the site is written, instead of looking for it.
        suffix: Kind of scan.
        site: The site of scans that do not tell theirs, such as the folder's name.

    Raises:
        UserError: No such scan, or a table that cannot be read.
    """
    tables = _Tables(root)
    problems: list[Problem] = []
    scans = []
    for path in _files(root, suffix):
        rows = tables.of(path)
        keys = entities(path.relative_to(root))
        session = keys.get("ses")
        found = (
            rule.site(path, root, session, rows)
            if rule
            else resolve_site(path, root, session, rows) or site
        )
        merged = _merged(rows)
        age = _age(path, merged, problems)
        sex = parse_sex(cell(merged, SEX_COLUMNS))
        more = other_columns(merged, _USED)
        person = path.relative_to(root).parts[0].removeprefix("sub-")
        scans.append(
            Scan(
                path=path,
                subject=person,
                site=found,
                session=session,
                age=age,
                sex=sex,
                covariates=more,
            )
        )
    if not scans:
        raise UserError(
            f"{root}: BIDS, but no *_{suffix}.nii.gz in sub-*. "
            "Name the kind of scan in medvae.yaml, such as suffix: T2w."
        )
    return Cohort(root, "BIDS", tuple(scans), tuple(dict.fromkeys(problems)))


def _subject_folders(root: Path) -> Iterator[Path]:
    folders = (p for p in root.glob("sub-*") if p.is_dir())
    return iter(sorted(folders))


def _files(root: Path, suffix: str) -> Iterator[Path]:
    """Scans of one kind; a glob that follows no links into other trees."""
    for folder in _subject_folders(root):
        for path in sorted(folder.rglob(f"*_{suffix}.nii*")):
            inside = path.relative_to(root).parts[:-1]
            is_phase = "_part-phase" in path.name
            if is_scan_name(path) and not is_phase and not SKIPPED_FOLDERS & {*inside}:
                yield path


class _Tables:
    """participants, sessions and scans.tsv of one data set, each read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[Path, Table] = {}

    def of(self, path: Path) -> Table:
        """The rows that describe one scan, by table."""
        keys = entities(path.relative_to(self._root))
        sub = path.relative_to(self._root).parts[0]
        ses = f"ses-{keys['ses']}" if "ses" in keys else None
        top = self._root / sub
        folder = top / ses if ses else top
        people = self._table(self._root / "participants.tsv", "participant_id")
        visits = self._table(top / f"{sub}_sessions.tsv", "session_id")
        name = f"{sub}_{ses}_scans.tsv" if ses else f"{sub}_scans.tsv"
        images = self._table(folder / name, "filename")
        return {
            "participants": people.get(sub) or people.get(sub[4:]) or {},
            "sessions": (visits.get(ses) or visits.get(ses[4:]) or {}) if ses else {},
            "scans": _row_of_file(images, path, folder),
        }

    def _table(self, path: Path, key: str) -> Table:
        if path not in self._read:
            self._read[path] = _keyed(path, key) if path.exists() else {}
        return self._read[path]


def _keyed(path: Path, key: str) -> Table:
    rows: Table = {}
    for number, row in read_rows(path):
        name = cell(row, (key,))
        if name is None:
            raise UserError(f"{path}, row {number}: no {key}. Fill it in.")
        if name in rows:
            raise UserError(f"{path}, row {number}: {name} is there twice. Remove one.")
        rows[name] = row
    return rows


def _row_of_file(images: Table, path: Path, folder: Path) -> dict[str, str]:
    inside = path.relative_to(folder).as_posix()
    if inside in images:
        return images[inside]
    same = (row for name, row in images.items() if stem(Path(name)) == stem(path))
    return next(same, {})


def _merged(rows: Table) -> dict[str, str]:
    """One row, where a session's own word counts more than the participant's."""
    merged: dict[str, str] = {}
    for table in ("participants", "sessions", "scans"):
        for key, value in rows[table].items():
            if cell({key: value}, (key,)) is not None:
                merged[key.strip().casefold()] = value
    return merged


def _age(path: Path, row: dict[str, str], problems: list[Problem]) -> float | None:
    try:
        return parse_age(cell(row, AGE_COLUMNS))
    except ValueError as error:
        how = "The scan is read without an age; correct the table."
        problems.append(Problem(path, str(error), how, "warning"))
        return None
