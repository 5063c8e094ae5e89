"""Which scanner made a scan, when no single place says so.

Order: explicit column (scans, then sessions, then participants: a traveler's site
belongs to the session), session label, sidecar, folder, file name. The first that
answers wins, for each scan on its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from medvae.cohort.covariates import SITE_COLUMNS, cell, present
from medvae.cohort.labels import parse_name, site_of_session, stem
from medvae.errors import UserError
from medvae.inputs import read_json

SIDECAR_KEYS = ("Manufacturer", "ManufacturersModelName", "DeviceSerialNumber")
TABLES = ("scans", "sessions", "participants")

Tables = Mapping[str, Mapping[str, str]]

SPELLINGS = (
    "COLUMN, participants:COLUMN, sessions:COLUMN, scans:COLUMN, session:REGEX, "
    "sidecar:KEY+KEY, folder, filename:REGEX"
)


@dataclass(frozen=True)
class SiteRule:
    """One named place for the site label, from ``--site-from``.

    Args:
        kind: ``column``, one of ``TABLES``, ``session``, ``sidecar``, ``folder``
            or ``filename``.
        what: Column, keys or regular expression.
    """

    kind: str
    what: str = ""

    @property
    def column(self) -> str | None:
        """The table column asked for, if it is one."""
        return self.what if self.kind == "column" else None

    def site(
        self, path: Path, root: Path, session: str | None, tables: Tables
    ) -> str | None:
        """The site label of one scan, or None."""
        if self.kind == "folder":
            return _site_folder(path, root)
        if self.kind == "sidecar":
            return sidecar_site(path, root, tuple(self.what.split("+")))
        if self.kind == "session":
            return _matched(self.what, session or "")
        if self.kind == "filename":
            return _matched(self.what, path.name)
        if self.kind == "column":
            rows = (tables[t] for t in ("column", *TABLES) if t in tables)
            return next((s for row in rows if (s := cell(row, (self.what,)))), None)
        return cell(tables.get(self.kind, {}), (self.what,))


def parse_rule(text: str | None) -> SiteRule | None:
    """Read ``--site-from``.

    Raises:
        UserError: Not one of the spellings, or not a regular expression.

    Example:
        >>> parse_rule("session:^([A-Z]+)")
        SiteRule(kind='session', what='^([A-Z]+)')
    """
    if text is None or not text.strip():
        return None
    kind, colon, what = text.strip().partition(":")
    if not colon:
        if kind == "sidecar":
            return SiteRule("sidecar", "+".join(SIDECAR_KEYS))
        return SiteRule("folder") if kind == "folder" else SiteRule("column", kind)
    if kind not in {*TABLES, "column", "session", "sidecar", "filename"} or not what:
        raise UserError(
            f"--site-from {text!r} is not known. Write one of: {SPELLINGS}."
        )
    if kind in {"session", "filename"}:
        try:
            re.compile(what)
        except re.error as error:
            raise UserError(
                f"--site-from {text!r}: not a regular expression ({error}). Correct it."
            ) from None
    return SiteRule(kind, what)


def resolve_site(
    path: Path, root: Path, session: str | None, tables: Tables
) -> str | None:
    """The site label of one scan by the order above, or None.

    Args:
        path: The scan.
        root: The data set it belongs to.
        session: Its session label.
        tables: The scan's rows of scans, sessions and participants.tsv.
    """
    for table in TABLES:
        site = cell(tables.get(table, {}), SITE_COLUMNS)
        if site is not None:
            return site
    return (
        site_of_session(session)
        or sidecar_site(path, root)
        or folder_above_subject(path, root)
        or parse_name(path).site
    )


def folder_above_subject(path: Path, root: Path) -> str | None:
    """The folder between ``root`` and ``sub-``, as CoRR and ABIDE have it.

    Example:
        >>> folder_above_subject(Path("d/BNU_1/sub-01/anat/x.nii"), Path("d"))
        'BNU_1'
    """
    parts = path.relative_to(root).parts[:-1]
    for above, folder in pairwise(parts):
        if folder.startswith("sub-"):
            return above
    return None


def _site_folder(path: Path, root: Path) -> str:
    """The folder above ``sub-``, which may be the data set's own, or the scan's."""
    whole, above = path.absolute(), root.absolute().parent
    inside = whole.is_relative_to(above)
    return (folder_above_subject(whole, above) if inside else None) or path.parent.name


def sidecar_site(
    path: Path, root: Path, keys: tuple[str, ...] = SIDECAR_KEYS
) -> str | None:
    """Manufacturer, model and serial number from the sidecars that apply.

    By the BIDS inheritance principle a deeper JSON overrides a shallower one.
    The first key, and one more, must be there: a vendor alone is no scanner.
    """
    content: dict[str, Any] = {}
    suffix = stem(path).rsplit("_", 1)[-1]
    folders = [path.parent, *path.parent.parents]
    if root in folders:
        folders = folders[: folders.index(root) + 1]
    for folder in reversed(folders):
        content |= _json(folder / f"{suffix}.json")
    content |= _json(path.with_name(f"{stem(path)}.json"))
    for key in keys:
        if isinstance(content.get(key), list | dict):
            raise UserError(
                f"{path}: {key} of its sidecar must be a word or a number, got "
                f"{str(content[key])[:60]}. Mend the JSON."
            )
    values = [present(str(content.get(key, ""))) for key in keys]
    found = [value.replace(" ", "") for value in values if value is not None]
    enough = values[0] is not None and len(found) >= min(2, len(keys))
    return "_".join(found) if enough else None


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = read_json(path)
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not readable JSON ({error}). Mend it.") from error
    return content if isinstance(content, dict) else {}


def _matched(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text)
    if match is None:
        return None
    if "site" in match.re.groupindex:
        return present(match["site"])
    return present(match[1] if match.re.groups else match[0])
