"""noise apply: corrupted copies of scans."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medvae.cli.console import leave_stdout, progress_bar, warn
from medvae.cli.named import open_named, to_one_site
from medvae.cli.noise import Name
from medvae.cli.outcome import Json, end, staying
from medvae.cli.scans import DryRun, files_of, missing
from medvae.counted import counted
from medvae.errors import UserError
from medvae.lock import sole_writer

if TYPE_CHECKING:
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
        str | None, typer.Option("--from", help="Site they are from.")
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
    from medvae.encoding.names import check_outputs
    from medvae.encoding.reading import scan_digest
    from medvae.noise.scan import corrupt_scan
    from medvae.training.seeds import seed_of

    leave_stdout(json)
    noise = to_one_site(open_named(name, from_, to), name)
    items, doubts = files_of(scans, out)
    scans = [item.path for item in items]
    for doubt in doubts:
        warn(str(doubt))
    names = [_name(path) for path in scans]
    check_outputs(out, names, scans)
    targets = [out / file for file in names]
    plan = {"noise": _identity(noise), **_sites(noise), "seed": str(seed)}
    check_same(targets, plan)
    check_originals(targets, scans, "scan", scan_digest)
    site = f", as {plan['target']} would scan" if plan["target"] else ""
    if dry_run:
        words = f"would write {counted(len(scans), 'corrupted scan')} into {out}{site}"
        end(words, missing(scans), json=json)
        return
    kept = 0
    there: list[Path] = []
    problems: list[str] = []
    with sole_writer(out), progress_bar("Corrupting") as progress:
        for done, (path, target) in enumerate(zip(scans, targets, strict=True), 1):
            try:
                made_of = plan | {"scan": scan_digest(path)}
                if finished(target, made_of) is None:
                    _, image = corrupt_scan(noise, path, seed=seed_of(seed, path.name))
                    with vouched(target, path, made_of):
                        write_image(image, target)
                else:
                    kept += 1
            except UserError as error:
                problems.append(str(error))
            else:
                there.append(target)
            progress(done, len(scans), path.name)
    stay = f"; {staying(kept)}" if kept else ""
    words = f"{counted(len(there), 'scan')} in {out}{site}{stay}"
    end(words, problems, json=json, written=there)


def _name(scan: Path) -> str:
    """Of the copy: one file, also of a DICOM folder or a pair of .hdr and .img."""
    if scan.is_dir():
        return f"{scan.name}.nii.gz"
    return f"{scan.stem}.nii.gz" if scan.suffix in (".hdr", ".img") else scan.name


def _sites(noise: NoiseModel) -> dict[str, str]:
    """Where a fitted noise takes scans from and to; only it has sites."""
    options = ("source", "target")
    return {option: getattr(noise, option, None) or "" for option in options}


def _identity(noise: NoiseModel) -> str:
    """The corruption's name, and a digest of all its settings and what was fitted."""
    from medvae.files import digest
    from medvae.noise.named import freeze

    with tempfile.TemporaryDirectory() as folder:
        frozen = Path(folder) / "noise.yaml"
        freeze(noise, frozen)
        return f"{noise.name} ({digest(frozen)[:16]})"
