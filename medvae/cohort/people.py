"""Who is on a scan whose file does not say: the folder, and what to doubt."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from medvae.cohort.cohort import Cohort, Scan
from medvae.cohort.labels import composed, stem
from medvae.problem import Problem

MOST_NAMED = 5  # people a warning names
REMEDY = "If these are different people, give a table (path,subject,site)."

Folders = tuple[str, ...]


def named_by_folder(scans: Sequence[Scan], root: Path) -> list[Scan]:
    """Take the person from the folder above where files are called alike.

    ``NYU/p01/T1.nii.gz`` beside ``NYU/p02/T1.nii.gz`` shows p01; the name above is
    taken where the folder, too, is called alike (``p01/anat/T1.nii.gz``). Names that
    tell a person themselves (``sub-01``, IXI) are kept.

    Args:
        scans: With their sites.
        root: The folder that holds them.

    Example:
        >>> found = named_by_folder(
        ...     [Scan(Path(f"NYU/{p}/T1.nii"), "T1", "NYU") for p in ("a", "b")],
        ...     Path("."),
        ... )
        >>> [scan.subject for scan in found]
        ['a', 'b']
    """
    unnamed = {
        scan.path: scan for scan in scans if scan.subject == composed(stem(scan.path))
    }
    folders = {path: _folders(scan, root) for path, scan in unnamed.items()}
    by_site: dict[str | None, list[Path]] = defaultdict(list)
    for path, scan in unnamed.items():
        by_site[scan.site].append(path)
    names = [{stem(path) for path in paths} for paths in by_site.values()]
    places = [{folders[path] for path in paths} for paths in by_site.values()]
    is_told = all(len(p) <= len(n) for p, n in zip(places, names, strict=True))
    if is_told and (len(set().union(*names)) > 1 or len(set().union(*places)) < 2):
        return [*scans]
    above = 1
    while any(_meet(inside, above) for inside in places):
        above += 1
    return [
        replace(scan, subject=_at(folders[scan.path], above))
        if folders.get(scan.path)
        else scan
        for scan in scans
    ]


def doubtful_people(scans: Iterable[Scan], root: Path) -> list[Problem]:
    """People of several scans, where only names say that they are one: a line each.

    Args:
        scans: Whose people were read from the names of files or folders.
        root: What the warning is about.
    """
    seen = [scan for scan in scans if scan.site is not None]
    travelers = Cohort(root, "", tuple(seen)).travelers()
    visits = Counter((s.subject, s.site, s.session) for s in seen)
    again = [f"{who} at {at}: {n}" for (who, at, _), n in visits.items() if n > 1]
    said = {
        "at several sites": sorted(travelers),
        "scanned several times at one site": again,
    }
    return [
        Problem(root, f"{_count(who)} {what} ({named(who)})", REMEDY, "warning")
        for what, who in said.items()
        if who
    ]


def _folders(scan: Scan, root: Path) -> Folders:
    """Between the root and the file, without the site's own."""
    inside = (
        scan.path.relative_to(root) if scan.path.is_relative_to(root) else scan.path
    )
    return tuple(part for part in inside.parts[:-1] if composed(part) != scan.site)


def _at(folders: Folders, above: int) -> str:
    return folders[max(len(folders) - above, 0)]


def _meet(places: set[Folders], above: int) -> bool:
    """Whether another step up could tell folders apart that are called alike."""
    deep = [folders for folders in places if folders]
    alike = len({_at(folders, above) for folders in deep}) < len(deep)
    return alike and any(len(folders) > above for folders in deep)


def _count(names: Sequence[str]) -> str:
    return "1 person is" if len(names) == 1 else f"{len(names)} people are"


def named(names: Sequence[str]) -> str:
    """The first few of many.

    Example:
        >>> named([*"abcdefg"])
        'a, b, c, d, e and 2 more'
    """
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
