"""noise apply: corrupted copies of scans."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medvae.cli.console import leave_stdout, progress_bar, warn
from medvae.cli.named import open_named, to_one_site
from medvae.cli.noise import Name
from medvae.cli.outcome import Json, end, staying
from medvae.cli.scans import DryRun, files_of, missing, refuse_same_site
from medvae.counted import counted
from medvae.errors import UserError
from medvae.lock import sole_writer

if TYPE_CHECKING:
    from nibabel import Nifti1Image

    from noise_models.base import NoiseModel


def apply(
    name: Name,
    scans: Annotated[
        list[Path],
        typer.Argument(
            metavar="SCANS",
            help="NIfTI files, DICOM series folders, or a cohort (see cohort).",
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write.")],
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Site they are from; else the data's label of each, if the fit has "
            "that site.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="Site they go to; by default the only other of the fit."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides every draw.")] = 0,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Write corrupted copies of scans, each on its own grid, under its own name.

    Scans of one file name are told apart by the names of their folders.

    A fitted noise takes each scan from the site that made it to another. A scan of no
    site that the fit knows is taken as of the average site; one that was made at the
    site they go to is copied as it is.

    A bad scan is named at the end and stops no other (exit code 2). Finished copies are
    left as they are, so the same command goes on after an interruption. What else is
    there is never written over.

    Example: medvae noise apply scanner.yaml a.nii.gz --from NYU --to UM_1 -o as_um
    """
    from medvae.encoding.finished import (
        check_originals,
        check_same,
        finished,
        vouched,
    )
    from medvae.encoding.images import write_image
    from medvae.encoding.names import check_outputs, stems
    from medvae.encoding.reading import scan_digest
    from medvae.training.seeds import seed_of

    refuse_same_site(from_, to)
    leave_stdout(json)
    noise = to_one_site(open_named(name, from_, to), name)
    items, doubts = files_of(scans, out)
    scans = [item.path for item in items]
    for doubt in doubts:
        warn(str(doubt))
    names = stems(scans, _name)
    check_outputs(out, names, scans)
    targets = [out / file for file in names]
    goal = getattr(noise, "target", None) or ""
    origins = [_origin(noise, from_, item.site) for item in items]
    shared = {"noise": _identity(noise), "target": goal, "seed": str(seed)}
    plans = [shared | {"source": origin} for origin in origins]
    for target, plan in zip(targets, plans, strict=True):
        check_same([target], plan)
    check_originals(targets, scans, "scan", scan_digest)
    site = f", as {goal} would scan" if goal else ""
    if dry_run:
        words = f"would write {counted(len(scans), 'corrupted scan')} into {out}{site}"
        end([words, *_told(origins, goal)], missing(scans), json=json)
        return
    kept = 0
    there: dict[Path, str] = {}
    problems: list[str] = []
    with sole_writer(out), progress_bar("Corrupting") as progress:
        for done, (path, target, plan) in enumerate(
            zip(scans, targets, plans, strict=True), 1
        ):
            try:
                made_of = plan | {"scan": scan_digest(path)}
                if finished(target, made_of) is None:
                    draw = seed_of(seed, _drawn_by(path, target.name))
                    image = _copy(noise, path, plan["source"], draw)
                    with vouched(target, path, made_of):
                        write_image(image, target)
                else:
                    kept += 1
            except UserError as error:
                problems.append(str(error))
            else:
                there[target] = plan["source"]
            progress(done, len(scans), path.name)
    stay = f"; {staying(kept)}" if kept else ""
    words = f"{counted(len(there), 'scan')} in {out}{site}{stay}"
    lines = [words, *_told([*there.values()], goal)]
    end(lines, problems, json=json, written=[*there])


def _name(scan: Path) -> str:
    """Of the copy: one file, also of a DICOM folder or a pair of .hdr and .img."""
    if scan.is_dir():
        return f"{scan.name}.nii.gz"
    return f"{scan.stem}.nii.gz" if scan.suffix in (".hdr", ".img") else scan.name


def _drawn_by(scan: Path, copy: str) -> str:
    """The name that decides a scan's draw: scans of one name have draws of their own.

    Example:
        >>> _drawn_by(Path("A/x.nii.gz"), "x.nii.gz")
        'x.nii.gz'
        >>> _drawn_by(Path("A/x.nii.gz"), "A_x.nii.gz")
        'A_x.nii.gz'
    """
    return scan.name if copy == _name(scan) else copy


def _origin(noise: NoiseModel, made_at: str | None, label: str | None) -> str:
    """The site that a fitted noise takes a scan from; empty for one it does not know.

    Args:
        noise: Only a fitted one has sites.
        made_at: What ``--from`` says of all scans.
        label: What the data says of this one.
    """
    from medvae.encoding.harmonised import known_source
    from noise_models.scanner import ScannerNoise

    if not isinstance(noise, ScannerNoise):
        return ""
    return known_source(made_at, label, noise.labels)[0] or ""


def _copy(noise: NoiseModel, scan: Path, origin: str, seed: int) -> Nifti1Image:
    """A scan corrupted, or as it is where it was made at the site it goes to."""
    from medvae.noise.scan import corrupt_scan, same_scan

    if origin and origin == getattr(noise, "target", None):
        return same_scan(scan)
    return corrupt_scan(noise, scan, seed=seed, source=origin or None)[1]


def _told(origins: Sequence[str], goal: str) -> list[str]:
    """How many scans stay as they are, and how many have no known site, in sentences.

    Args:
        origins: The site of the fit that made each scan; empty for none.
        goal: The site they go to; empty for a noise without sites.

    Example:
        >>> _told(["NYU", "UM_1", ""], "UM_1")
        ['unchanged: 1 made at UM_1, by the data.',
         'no site that the fit knows: 1, taken as of the average site; --from names
         one.']
    """
    lines = []
    if goal and (same := origins.count(goal)):
        lines.append(f"unchanged: {same} made at {goal}, by the data.")
    if goal and (unknown := origins.count("")):
        lines.append(
            f"no site that the fit knows: {unknown}, taken as of the average site; "
            "--from names one."
        )
    return lines


def _identity(noise: NoiseModel) -> str:
    """The corruption's name, and a digest of all its settings and what was fitted."""
    from medvae.files import digest
    from medvae.noise.named import freeze

    with tempfile.TemporaryDirectory() as folder:
        frozen = Path(folder) / "noise.yaml"
        freeze(noise, frozen)
        return f"{noise.name} ({digest(frozen)[:16]})"
