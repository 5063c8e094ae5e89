"""Everything that is wrong with a cohort, told before any work starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from joblib import Parallel, cpu_count, delayed

from medvae.cohort.cohort import Cohort, Scan
from medvae.cohort.labels import as_seen
from medvae.errors import UserError
from medvae.files import digest
from medvae.inputs import is_there
from medvae.problem import Problem
from medvae.threads import one_thread
from medvae.volume import check_mask, check_scan
from medvae.volume.memory import TOO_LARGE

Progress = Callable[[int, int, str], object]

_TWICE = "listed twice"
_LONGEST = 200  # characters of a label
_MOST_THREADS = 4


@one_thread
def examine_cohort(
    cohort: Cohort, header_only: bool = False, progress: Progress | None = None
) -> Cohort:
    """Look at every scan and at the cohort as a whole; add the problems found.

    Voxels are read and looked at by a thread for each core, up to four, each with a
    scan in memory.

    Args:
        cohort: What was read.
        header_only: Leave the voxels unread: seconds for thousands of scans.
        progress: Called with (done, total, name of the scan just looked at).
    """
    problems = [*cohort.problems, *_missing_sites(cohort), *_long_labels(cohort)]
    threads = 1 if header_only else min(cpu_count(), _MOST_THREADS)
    pool = Parallel(threads, prefer="threads", return_as="generator")
    looked = pool(delayed(_problems_of)(scan, header_only) for scan in cohort.scans)
    crowded: list[Scan] = []
    for done, (scan, found) in enumerate(zip(cohort.scans, looked, strict=True), 1):
        is_crowded = threads > 1 and any(TOO_LARGE in p.message for p in found)
        crowded += [scan] * is_crowded
        problems += [] if is_crowded else found
        if progress:
            progress(done, len(cohort), scan.path.name)
    for scan in crowded:  # memory that several did not share may do for one
        problems += _problems_of(scan, header_only)
    problems += [*_listed_twice(cohort), *_torn_subjects(cohort)]
    problems += [*few_sites(cohort), *_written_alike(cohort)]
    if not header_only:
        problems += _same_content(cohort)
    return replace(cohort, problems=tuple(dict.fromkeys(problems)))


def _problems_of(scan: Scan, header_only: bool) -> list[Problem]:
    problems = check_scan(scan.path, header_only=header_only)
    if scan.mask and is_there(scan.path):
        problems += check_mask(scan.mask, scan.path, header_only=header_only)
    return problems


def check_cohort(
    cohort: Cohort,
    header_only: bool = False,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> Cohort:
    """A cohort that can be worked with, or an error that says why not.

    Args:
        cohort: What was read.
        header_only: Leave the voxels unread.
        skip_bad: Leave out what cannot be used; ``problems`` then says what.
        progress: See :func:`examine_cohort`.

    Raises:
        UserError: Something cannot be used and ``skip_bad`` is off, or nothing can.
    """
    return without_bad(examine_cohort(cohort, header_only, progress), skip_bad)


def without_bad(examined: Cohort, skip_bad: bool = False) -> Cohort:
    """What is left of an examined cohort; see :func:`check_cohort`.

    Raises:
        UserError: Something cannot be used and ``skip_bad`` is off, or nothing can.
    """
    errors = [p for p in examined.problems if p.severity == "error"]
    if errors and not skip_bad:
        more = f" ({len(errors) - 1} more: medvae cohort)" if len(errors) > 1 else ""
        raise UserError(f"{errors[0]}{more} Or leave such scans out with --skip-bad.")
    bad = {p.path for p in errors if p.message != _TWICE}
    once: dict[Path, Scan] = {}
    for scan in examined.scans:
        once.setdefault(scan.path.absolute(), scan)
    kept = [s for s in once.values() if not {s.path, s.mask} & bad]
    if not kept:
        raise UserError(f"{examined.root}: no usable scan. See: medvae cohort")
    return examined.keeping(kept)


def _missing_sites(cohort: Cohort) -> Iterator[Problem]:
    how = "Add a column 'site', or say where it is with --site-from."
    for scan in cohort.scans:
        if scan.site is None:
            yield Problem(scan.path, "its site is not known", how)


def _long_labels(cohort: Cohort) -> Iterator[Problem]:
    for scan in cohort.scans:
        for what, label in (("subject", scan.subject), ("site", scan.site)):
            if label is not None and len(label) > _LONGEST:
                told = f"its {what} is a label of {len(label)} characters"
                yield Problem(scan.path, told, f"Give one of at most {_LONGEST}.")


def _written_alike(cohort: Cohort) -> Iterator[Problem]:
    """Warnings where two labels look alike, and mean one thing more likely than not."""
    for kind, one, labels in (
        ("sites", "scanner", cohort.sites),
        ("subjects", "person", cohort.subjects),
    ):
        written: dict[str, list[str]] = defaultdict(list)
        for label in labels:
            written[as_seen(label)].append(label)
        for alike in written.values():
            if len(alike) > 1:
                what = f"{kind} {', '.join(map(repr, alike))} are written alike"
                how = f"If they are one {one}, write its label one way."
                yield Problem(cohort.root, what, how, "warning")


def few_sites(cohort: Cohort) -> Iterator[Problem]:
    """A warning where there is nothing to compare scanners by."""
    if len(cohort.sites) == 1:
        what = f"only one site, {cohort.sites[0]!r}"
        how = "A scanner difference needs two; is the site label where it should be?"
        yield Problem(cohort.root, what, how, "warning")


def _listed_twice(cohort: Cohort) -> Iterator[Problem]:
    seen: dict[Path, Scan] = {}
    for scan in cohort.scans:
        key = scan.path.absolute()
        if key in seen:
            yield Problem(scan.path, _TWICE, "Remove one of the two.")
        seen[key] = scan


def _torn_subjects(cohort: Cohort) -> Iterator[Problem]:
    people: dict[str, list[Scan]] = defaultdict(list)
    for scan in cohort.scans:
        people[scan.subject].append(scan)
    for subject, scans in people.items():
        parts = sorted({scan.split for scan in scans if scan.split is not None})
        if len(parts) > 1:
            what = f"subject {subject!r} is in splits {', '.join(parts)}"
            for scan in scans:
                yield Problem(scan.path, what, "Put all scans of a person in one.")


def _same_content(cohort: Cohort) -> Iterator[Problem]:
    """Scans with the same bytes under two names; only equal sizes are read."""
    by_size: dict[int, list[Scan]] = defaultdict(list)
    for scan in {s.path.absolute(): s for s in cohort.scans}.values():
        if is_there(scan.path) and scan.path.is_file():
            by_size[scan.path.stat().st_size].append(scan)
    for same_size in by_size.values():
        if len(same_size) < 2:
            continue
        first: dict[str, Scan] = {}
        for scan in same_size:
            original = first.setdefault(digest(scan.path), scan)
            if original is not scan:
                what = f"the same bytes as {original.path}"
                yield Problem(scan.path, what, "Remove one of the two.")
