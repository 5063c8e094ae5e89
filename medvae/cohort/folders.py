"""A folder per site, each holding files or subject folders; or one flat folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from medvae.cohort.bids import SKIPPED_FOLDERS, is_bids, read_bids
from medvae.cohort.cohort import Cohort, Scan
from medvae.cohort.covariates import parse_age, parse_sex
from medvae.cohort.labels import is_scan_name, parse_name, stem
from medvae.cohort.people import doubtful_people, named_by_folder
from medvae.cohort.site import SiteRule
from medvae.errors import UserError
from medvae.problem import Problem

OTHER_FORMATS = (".mgz", ".mgh", ".hdr", ".img", ".nrrd", ".mha")
_MASK_ENDINGS = ("_mask", "-mask", "_brainmask", "_brain_mask")


def read_folders(
    root: Path, rule: SiteRule | None = None, suffix: str = "T1w"
) -> Cohort:
    """Read ``DIR/site/...``; files right in ``DIR`` tell their site by name.

    A folder's name is the site where there are at least two folders with scans.
    With one, or none, the file name is asked first (IXI, Calgary-Campinas).

    Args:
        root: The folder.
        rule: Where the site is written, instead.
        suffix: Kind of scan taken where names end in BIDS suffixes.

    Raises:
        UserError: No NIfTI file below ``root``.
    """
    groups: list[tuple[str, list[Scan]]] = []
    looked_at: list[Path] = []
    problems: list[Problem] = []
    unread: list[Path] = []
    bids = set()  # their scans tell their site themselves
    for folder in sorted(p for p in root.iterdir() if _is_site_folder(p)):
        if is_bids(folder):
            bids.add(folder.name)
            part = read_bids(folder, rule, suffix, site=folder.name)
            problems += part.problems
            groups.append((folder.name, list(part.scans)))
        else:
            files = sorted(p for p in _below(folder, unread) if _is_wanted(p, folder))
            looked_at += files
            groups.append((folder.name, _scans(files, root, rule, suffix)))
    groups = [(name, scans) for name, scans in groups if scans]
    flat = sorted(p for p in root.iterdir() if is_scan_name(p))
    looked_at += flat
    scans = _scans(flat, root, rule, suffix)
    scans = [_named(s, s.site or root.resolve().name, rule) for s in scans]
    for name, members in groups:
        for scan in members:
            told = None if scan.site and (name in bids or len(groups) < 2) else name
            scans.append(_named(scan, told or scan.site, rule))
    if not scans:
        raise UserError(f"{root}: no NIfTI file in it. Name a folder with scans.")
    layout = "folder per site" if groups else "folder"
    scans = named_by_folder(scans, root)
    problems += doubtful_people(scans, root)
    problems += _left_out(root, looked_at, scans, suffix)
    problems += _not_read(root, unread)
    return Cohort(root, layout, tuple(scans), tuple(problems))


def is_searched(root: Path, folder: Path) -> bool:
    """Whether scans in ``folder`` would be found when ``root`` is read.

    Example:
        >>> is_searched(Path("data"), Path("data/NYU")), is_searched(
        ...     Path("data"), Path("data/derivatives/codes")
        ... )
        (True, False)
    """
    place, inside = root.resolve(), folder.resolve()
    if not inside.is_relative_to(place):
        return False
    parts = inside.relative_to(place).parts
    if SKIPPED_FOLDERS & {*parts} or any(part.startswith(".") for part in parts):
        return False
    return not is_bids(root) or any(part.startswith("sub-") for part in parts[:1])


def _below(folder: Path, unread: list[Path]) -> Iterator[Path]:
    """Files at any depth; adds to ``unread`` what may hold scans and is not looked at.

    That is images of other formats, which a table may list, and linked folders, which
    may lead in a circle.
    """
    for place, folders, files in os.walk(folder, onerror=_raise):
        here = Path(place)
        hidden = {*here.relative_to(folder).parts} & SKIPPED_FOLDERS
        for name in files:
            if not hidden and name.lower().endswith(OTHER_FORMATS) and name[0] != ".":
                unread.append(here / name)
            yield here / name
        for inner in (here / name for name in folders if name[0] != "."):
            if is_scan_name(inner):  # no scan, and named as such by the checks
                yield inner
            elif inner.is_symlink():
                unread.append(inner)


def _raise(error: OSError) -> None:
    raise error


def _named(scan: Scan, site: str | None, rule: SiteRule | None) -> Scan:
    return scan if rule else replace(scan, site=site)


def _is_site_folder(path: Path) -> bool:
    return path.is_dir() and path.name[0] != "." and path.name not in SKIPPED_FOLDERS


def _is_wanted(path: Path, folder: Path) -> bool:
    inside = path.relative_to(folder).parts[:-1]
    hidden = any(part.startswith(".") for part in inside)
    return is_scan_name(path) and not hidden and not SKIPPED_FOLDERS & {*inside}


def _scans(
    files: list[Path], root: Path, rule: SiteRule | None, suffix: str
) -> list[Scan]:
    masks = {stem(p).casefold(): p for p in files if _is_mask(p)}
    images = [p for p in files if not _is_mask(p)]
    t1 = [p for p in images if stem(p).endswith((f"_{suffix}", f"-{suffix[:2]}"))]
    return [_scan(p, root, rule, masks) for p in t1 or images]


def _left_out(
    root: Path, files: list[Path], scans: list[Scan], suffix: str
) -> list[Problem]:
    """Images that stand among files named for their kind but are not so named."""
    taken = {scan.path for scan in scans}
    left = [p for p in files if p not in taken and not _is_mask(p)]
    if not left:
        return []
    what = f"{len(left)} images not called *_{suffix} are left out, such as {left[0]}"
    return [Problem(root, what, "To read them, list them in a table.", "warning")]


def _not_read(root: Path, unread: list[Path]) -> list[Problem]:
    """Images of other formats, and linked folders: the user may count on them."""
    if not unread:
        return []
    count, first = len(unread), min(unread)
    what = f"{count} images of other formats, or linked folders, are left out"
    remedy = "To read them, list them in a table."
    return [Problem(root, f"{what}, such as {first}", remedy, "warning")]


def _is_mask(path: Path) -> bool:
    return stem(path).casefold().endswith(_MASK_ENDINGS)


def _scan(
    path: Path, root: Path, rule: SiteRule | None, masks: dict[str, Path]
) -> Scan:
    parts = parse_name(path.relative_to(root))
    names = (stem(path), stem(path).rsplit("_", 1)[0])
    wanted = (f"{n}{ending}".casefold() for n in names for ending in _MASK_ENDINGS)
    mask = next((masks[w] for w in wanted if w in masks), None)
    site = rule.site(path, root, parts.session, {}) if rule else parts.site
    age, sex = parse_age(parts.age), parse_sex(parts.sex)
    return Scan(
        path=path,
        subject=parts.subject,
        site=site,
        session=parts.session,
        age=age,
        sex=sex,
        mask=mask,
    )
