"""What encode, decode and harmonize are told alike, and the scans that are meant."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from medvae.counted import counted
from medvae.errors import UserError

if TYPE_CHECKING:
    from medvae.cohort import Cohort
    from medvae.encoding.folder import Item
    from medvae.problem import Problem

Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run folder that medvae train wrote.")
]
Scans = Annotated[
    list[Path],
    typer.Argument(
        metavar="SCANS",
        help="NIfTI files, DICOM series folders, or a cohort (see cohort).",
    ),
]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder to write.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Jobs = Annotated[
    int, typer.Option(min=0, help="Processes that read scans ahead; 0: none.")
]
CoverOption = Annotated[
    Literal["head", "scan"],
    typer.Option(help="The training grid on the head, or the whole field of view."),
]
SiteFrom = Annotated[
    str | None, typer.Option(help="Where the site of a cohort's scans is.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be read and written.")
]


def scans_of(
    scans: Sequence[Path], out: Path, site_from: str | None
) -> tuple[list[Item], list[Problem]]:
    """The scans to read, and what the cohorts among them left out or doubt.

    Raises:
        UserError: A cohort cannot be read, or what is written to ``out`` would be taken
            for one of its scans.
    """
    from medvae.encoding.folder import Item
    from medvae.volume.dicom import holds_dicom

    items: list[Item] = []
    problems: list[Problem] = []
    is_cohort = False
    for path in scans:
        is_file = path.name.lower().endswith((".nii", ".nii.gz", ".mgz", ".mgh"))
        is_scan = is_file and not path.is_dir()
        if is_scan or (path.is_dir() and holds_dicom(path)):
            items.append(Item(path, *_labels(path)))
        else:
            cohort = _cohort_apart(path, out, site_from)
            items += [Item.of(scan) for scan in cohort.scans]
            problems += cohort.problems
            is_cohort = True
    if site_from and not is_cohort:
        raise UserError(
            f"--site-from {site_from} changes nothing for single scans. Name a cohort, "
            "or leave it out."
        )
    return items, problems


def files_of(
    scans: Sequence[Path], out: Path | None = None
) -> tuple[list[Item], list[Problem]]:
    """Files and DICOM folders as they are named, and the scans of cohorts among them.

    Raises:
        UserError: As for `scans_of`.
    """
    from medvae.encoding.folder import Item
    from medvae.volume.dicom import holds_dicom

    files: list[Item] = []
    problems: list[Problem] = []
    for path in scans:
        is_table = path.suffix.lower() in (".csv", ".tsv", ".json")
        if is_table or (path.is_dir() and not holds_dicom(path)):
            cohort = _cohort_apart(path, out, None)
            files += [Item.of(scan) for scan in cohort.scans]
            problems += cohort.problems
        else:
            files.append(Item(path, *_labels(path)))
    if not files:
        raise UserError(f"{scans[0]}: no scans there. Name NIfTI files, or a cohort.")
    return files, problems


def _cohort_apart(path: Path, out: Path | None, site_from: str | None) -> Cohort:
    """A cohort, of whose scans nothing is that is written to ``out``."""
    from medvae.cohort import read_cohort
    from medvae.cohort.folders import is_searched

    cohort = read_cohort(path, site_from)
    if site_from:
        _refuse_unlabelled(cohort, site_from)
    for scan in cohort.scans:
        if not _can_be(scan.path):
            name = repr(str(scan.path))
            raise UserError(f"{path}: no file can be called {name}. Correct the name.")
    if out and cohort.root.is_dir() and is_searched(cohort.root, out):
        raise UserError(
            f"{out}: inside of {cohort.root}, where what is written would be "
            "taken for scans the next time. Choose a folder outside, or "
            f"{cohort.root / 'derivatives' / 'medvae'}."
        )
    return cohort


def _refuse_unlabelled(cohort: Cohort, site_from: str) -> None:
    """Refuse a cohort of which not every scan has a site where the user says it is."""
    unlabelled = [scan.path for scan in cohort.scans if scan.site is None]
    if unlabelled:
        count = counted(len(unlabelled), "scan")
        raise UserError(
            f"{unlabelled[0]}: --site-from {site_from} finds no site for it, the first "
            f"of {count} without one. Correct the option, or leave it out."
        )


def _can_be(path: Path) -> bool:
    """Whether a system can have a file of that name."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def refuse_same_site(made_at: str | None, to: str | None) -> None:
    """Refuse to take scans from a site to itself."""
    if made_at is not None and made_at == to:
        raise UserError(
            f"--from {made_at} --to {to} would change nothing. Name two sites."
        )


def inputs_of(items: Sequence[Item]) -> list[Path]:
    """The files that are read: the scans, and the masks of those that have one."""
    masks = [item.mask for item in items if item.mask]
    return [*(item.path for item in items), *masks]


def missing(scans: Sequence[Path]) -> list[str]:
    """A message for every scan that is not there, for a dry run to end with."""
    from medvae.inputs import is_there
    from medvae.volume.header import missing_reason

    gone = [path for path in scans if not is_there(path)]
    return [f"{path}: {missing_reason(path)}" for path in gone]


def _labels(path: Path) -> tuple[str | None, str | None, str | None]:
    """Subject, site and session that a single scan's BIDS name tells; no site."""
    from medvae.cohort.labels import entities

    if not path.name.startswith("sub-"):
        return None, None, None
    told = entities(Path(path.name))
    return told.get("sub"), None, told.get("ses")
