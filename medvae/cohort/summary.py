"""What a cohort holds, a row a site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from medvae.cohort.cohort import Cohort, Scan
from medvae.errors import UserError
from medvae.volume.header import checked_affine, checked_shape, open_header
from medvae.volume.plain import plain_geometry

_UNKNOWN = "-"


def summarise(cohort: Cohort) -> list[dict[str, str | int]]:
    """One row a site, ready for a table: what a person would want to see first.

    Headers are opened for shapes and voxel sizes; files that cannot be read count
    as scans and are otherwise passed over (``check_cohort`` names them).
    """
    travelers = cohort.travelers()
    sites: list[str | None] = [*cohort.sites]
    if any(scan.site is None for scan in cohort.scans):
        sites.append(None)
    return [
        _row(site, [s for s in cohort.scans if s.site == site], set(travelers))
        for site in sites
    ]


def _row(
    site: str | None, scans: list[Scan], travelers: set[str]
) -> dict[str, str | int]:
    people = {scan.subject: scan for scan in scans}
    geometry = [g for scan in scans if (g := _geometry(scan)) is not None]
    return {
        "site": site or "?",
        "scans": len(scans),
        "subjects": len(people),
        "travelers": len(travelers & set(people)),
        "voxel (mm)": _commonest(voxel for voxel, _ in geometry),
        "shape": _commonest(shape for _, shape in geometry),
        "age": _ages(people.values()),
        "sex": _sexes(people.values()),
    }


def _geometry(scan: Scan) -> tuple[str, str] | None:
    plain = plain_geometry(scan.path)
    if plain is not None:
        shape, sizes = plain
        return _words(sizes), _words(shape)
    try:
        image = open_header(scan.path)
        shape = checked_shape(image, str(scan.path))
        affine = checked_affine(image, str(scan.path))
    except UserError:
        return None
    sizes = (affine[:3, :3] ** 2).sum(axis=0) ** 0.5
    return _words(sizes), _words(shape)


def _words(sizes: Iterable[float]) -> str:
    return "×".join(f"{size:.3g}" for size in sizes)


def _commonest(values: Iterable[str]) -> str:
    counts = Counter(values)
    if not counts:
        return _UNKNOWN
    value = counts.most_common(1)[0][0]
    others = len(counts) - 1
    return f"{value} (+{others} other)" if others else value


def _ages(people: Iterable[Scan]) -> str:
    ages = sorted(p.age for p in people if p.age is not None)
    if not ages:
        return _UNKNOWN
    return f"{ages[0]:g}-{ages[-1]:g}" if ages[0] < ages[-1] else f"{ages[0]:g}"


def _sexes(people: Iterable[Scan]) -> str:
    counts = Counter(p.sex for p in people if p.sex is not None)
    return " ".join(f"{n} {sex}" for sex, n in sorted(counts.items())) or _UNKNOWN
