"""What was found in a cohort, remembered until a file of it changes.

Decision (2026-11): whether anything changed is told by size and time of every scan,
table and folder, as `make` does, and not by content: 100,000 of these are read in a
second, their contents in hours. A file changed without either can be looked at again
by removing the index.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medvae.cohort.cohort import Cohort, Scan
from medvae.errors import UserError
from medvae.files import user_cache, write_text
from medvae.problem import Problem
from medvae.version import __version__

INDEX_VERSION = 4
_PLAIN = ("subject", "site", "session", "age", "sex", "split")
_TABLES = (".json", ".tsv", ".csv", ".yaml", ".yml")


Progress = Callable[[int, int, str], object]
Row = dict[str, str | int]


@dataclass(frozen=True)
class Examined:
    """A cohort, all that is wrong with it, and what it holds.

    Args:
        cohort: With its problems.
        rows: One a site, see `summarise`.
    """

    cohort: Cohort
    rows: list[Row]


def examined_cohort(
    data: Path | str,
    site_from: str | None = None,
    *,
    header_only: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Examined:
    """Read a cohort and examine every scan, or remember what was found then.

    Args:
        data: See `read_cohort`.
        site_from: See `read_cohort`.
        header_only: Leave the voxels unread.
        cache: Folder of indexes; by default in the user's cache.
        progress: Called with (done, total, name) where scans are looked at.

    Raises:
        UserError: The data cannot be read.
    """
    path = Path(data)
    asked = [str(path.resolve()), str(path), site_from, header_only]
    key = hashlib.sha256(json.dumps([*asked, __version__, INDEX_VERSION]).encode())
    folder = (cache or user_cache()) / "cohorts"
    kept = folder / f"{key.hexdigest()[:32]}.json"
    with _no_collection():
        known = _remembered(kept)
    if known is not None:
        return known
    from medvae.cohort.check import examine_cohort
    from medvae.cohort.reader import read_cohort
    from medvae.cohort.summary import summarise

    cohort = read_cohort(path, site_from)
    watched = _watched(cohort, path)
    before = _fingerprint_of(cohort, watched)
    found = examine_cohort(cohort, header_only, progress)
    examined = Examined(found, summarise(found))
    is_as_before = _fingerprint_of(cohort, watched) == before
    if is_as_before:  # nothing came while it was looked at
        _remember(examined, watched, before, kept)
    return examined


@contextmanager
def _no_collection() -> Iterator[None]:
    """Many small objects are made and none is thrown away: nothing to collect."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _remembered(kept: Path) -> Examined | None:
    """The cohort as it was found; None where something changed, or nothing is kept."""
    try:
        mark, text = kept.read_text(encoding="utf-8").split("\n", 1)
        if mark != _mark(text):
            return None
        content = json.loads(text)
        watched = [*content["watched"], *content["paths"], *content["masks"].values()]
        if fingerprint(watched) != content["fingerprint"]:
            return None
        return Examined(_cohort(content), content["rows"])
    except (OSError, ValueError):  # not there, cut, or not text
        return None


def _mark(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def fingerprint(paths: Iterable[str]) -> str:
    """Sizes and times of files and folders, as one digest.

    Example:
        >>> fingerprint(["nowhere"]) == fingerprint([])
        False
    """
    stat, told = os.stat, array("q")
    for path in paths:
        try:
            found = stat(path)
            told.append(found.st_size)
            told.append(found.st_mtime_ns)
        except (OSError, ValueError):  # not there, or a name that no system can have
            told.append(-1)
    return hashlib.blake2b(told, digest_size=16).hexdigest()


def _fingerprint_of(cohort: Cohort, watched: Iterable[str]) -> str:
    masks = (str(scan.mask) for scan in cohort.scans if scan.mask)
    return fingerprint([*watched, *(str(s.path) for s in cohort.scans), *masks])


def _remember(
    examined: Examined, watched: list[str], mark_of_files: str, kept: Path
) -> None:
    cohort = examined.cohort
    paths = [str(scan.path) for scan in cohort.scans]
    masks = {str(i): str(s.mask) for i, s in enumerate(cohort.scans) if s.mask}
    content = {
        "root": str(cohort.root),
        "layout": cohort.layout,
        "rows": examined.rows,
        "fingerprint": mark_of_files,
        "watched": watched,
        "paths": paths,
        "masks": masks,
        **{name: [getattr(s, name) for s in cohort.scans] for name in _PLAIN},
        "covariates": [dict(s.covariates) for s in cohort.scans],
        "problems": [
            [str(p.path), p.message, p.remedy, p.severity] for p in cohort.problems
        ],
    }
    try:
        text = json.dumps(content)
        write_text(kept, f"{_mark(text)}\n{text}")
    except (OSError, UserError):
        return  # a cache that cannot be written is no reason to stop


def _watched(cohort: Cohort, data: Path) -> list[str]:
    """Folders in which scans could appear, and tables that could change."""
    root = cohort.root
    found = {str(data), str(root)}
    if root.is_dir():
        for top in (root, *_linked(root)):
            for folder, _, files in os.walk(top):
                found.add(folder)
                tables = (name for name in files if name.lower().endswith(_TABLES))
                found.update(os.path.join(folder, name) for name in tables)  # noqa: PTH118 (a Path each takes longer than the walk)
    else:  # sidecars may lie beside the scans that a table names, and above them
        inner = {scan.path.parent for scan in cohort.scans}
        above = {a for folder in inner for a in folder.parents}
        found.update(map(str, inner))
        for place in inner | {a for a in above if a.is_relative_to(root.parent)}:
            found.update(str(p) for p in place.glob("*.json"))
    return sorted(found)


def _linked(root: Path) -> Iterator[Path]:
    """Folders of sites and people that are links, which no walk follows."""
    for pattern in ("*", "*/sub-*"):
        yield from (p for p in root.glob(pattern) if p.is_symlink() and p.is_dir())


def _cohort(content: dict[str, Any]) -> Cohort:
    masks = {int(i): Path(mask) for i, mask in content["masks"].items()}
    columns = [content[name] for name in ("paths", *_PLAIN, "covariates")]
    scans = []
    for i, row in enumerate(zip(*columns, strict=True)):
        path, subject, site, session, age, sex, split, more = row
        mask = masks.get(i)
        scans.append(
            Scan(
                path=Path(path),
                subject=subject,
                site=site,
                session=session,
                age=age,
                sex=sex,
                mask=mask,
                split=split,
                covariates=more,
            )
        )
    problems = tuple(Problem(Path(path), *rest) for path, *rest in content["problems"])
    return Cohort(Path(content["root"]), content["layout"], tuple(scans), problems)
