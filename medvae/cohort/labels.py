"""What file names and session labels say, in the data sets people use."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

SCAN_SUFFIXES = (".nii.gz", ".nii")

_FILE_NAMES = (
    # IXI writes subject, hospital, number: IXI012-HH-1211-T1.nii.gz
    re.compile(r"^(?P<subject>IXI\d+)-(?P<site>Guys|HH|IOP)-(?P<session>\d+)-"),
    # Calgary-Campinas writes vendor, field (tenths of T), age, sex
    re.compile(
        r"^(?P<subject>CC\d+)_(?P<site>[a-z]+_\d+)_(?P<age>\d+)_(?P<sex>[MF])(?![A-Za-z])"
    ),
)

_SESSIONS = (
    # ON-Harmony's ses-NOT1ACH001 is scanner NOT1ACH, visit 001
    re.compile(r"^(?P<site>[A-Z]{3}\d[A-Z]{3})\d{3}$"),
    # The ds003011 label ses-Y1CMH is year 1 at site CMH
    re.compile(r"^Y\d(?P<site>[A-Z]{2,4})$"),
)

_ENTITY = re.compile(r"(?:^|_)(?P<key>[a-zA-Z]+)-(?P<value>[^_]+)")


@dataclass(frozen=True)
class NameParts:
    """What a file name tells about its scan."""

    subject: str
    site: str | None = None
    session: str | None = None
    age: str | None = None
    sex: str | None = None


def composed(label: str) -> str:
    """A label with every letter in one piece, the way tables are typed.

    File names that a Mac has made hold a letter and its accent apart; they would be
    another person, or another site, than the same label in a table.

    Example:
        >>> composed("Zu\N{COMBINING DIAERESIS}rich") == "Zürich"
        True
    """
    return unicodedata.normalize("NFC", label)


def as_seen(label: str) -> str:
    r"""A label as a reader takes it: no case, no invisible signs, one kind of space.

    Example:
        >>> as_seen("NYU\u200b  1") == as_seen("nyu\xa01")
        True
    """
    whole = unicodedata.normalize("NFKC", label).casefold()
    hidden = {c for c in whole if unicodedata.category(c) in ("Cc", "Cf")}
    kept = "".join(c for c in whole if c.isspace() or c not in hidden)
    return " ".join(kept.split())


def is_writable(label: str) -> bool:
    r"""Whether a label can stand in a table and come back.

    Halves of letters, from JSON, cannot, nor line endings of old Macs.

    Example:
        >>> is_writable("Zürich"), is_writable("\ud800"), is_writable("a\0")
        (True, False, False)
    """
    halves = not label.isascii() and any("\ud800" <= c <= "\udfff" for c in label)
    return "\0" not in label and "\r" not in label and not halves


def stem(path: Path) -> str:
    """File name without ``.nii`` or ``.nii.gz``."""
    name = path.name
    for suffix in SCAN_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def is_scan_name(path: Path) -> bool:
    """Whether a path is called like a visible NIfTI file."""
    return path.name.lower().endswith(SCAN_SUFFIXES) and path.name[0] != "."


def entities(path: Path) -> dict[str, str]:
    """BIDS key-value pairs of a path, such as ``{"sub": "T01", "ses": "NYU"}``.

    Example:
        >>> entities(Path("sub-T01/ses-NYU/anat/sub-T01_ses-NYU_T1w.nii.gz"))
        {'sub': 'T01', 'ses': 'NYU'}
    """
    found: dict[str, str] = {}
    for part in (*path.parts[:-1], stem(path)):
        for match in _ENTITY.finditer(part):
            found[match["key"]] = match["value"]
    return found


def parse_name(path: Path) -> NameParts:
    """Subject, site and covariates from a file name, as far as it tells.

    Example:
        >>> parse_name(Path("CC0001_philips_15_55_M.nii.gz")).site
        'philips_15'
    """
    for pattern in _FILE_NAMES:
        match = pattern.match(path.name)
        if match:
            return NameParts(**match.groupdict())
    keys = entities(path)
    if "sub" in keys:
        return NameParts(keys["sub"], session=keys.get("ses"))
    return NameParts(stem(path))


def site_of_session(session: str | None) -> str | None:
    """The site a session label spells, in the data sets that do so.

    Example:
        >>> site_of_session("NOT1ACH001"), site_of_session("baseline")
        ('NOT1ACH', None)
    """
    matches = (p.match(session) for p in _SESSIONS) if session else iter(())
    return next((m["site"] for m in matches if m), None)
