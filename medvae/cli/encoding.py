"""encode."""

from __future__ import annotations

import math
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.console import leave_stdout, progress_bar, warn
from medvae.cli.hints import command, reading
from medvae.cli.outcome import Json, end
from medvae.cli.scans import (
    CoverOption,
    Device,
    DryRun,
    Jobs,
    Out,
    Run,
    Scans,
    SiteFrom,
    inputs_of,
    missing,
    scans_of,
)
from medvae.counted import counted
from medvae.errors import UserError


def encode(
    run: Run,
    scans: Scans,
    out: Out,
    batch_size: Annotated[int, typer.Option(min=1, help="Scans at a time.")] = 4,
    jobs: Jobs = 2,
    cover: CoverOption = "head",
    axes: Annotated[
        Path | None,
        typer.Option(help="File of medvae axes: also write axes.npy, a row a scan."),
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Axes kept, best first; 10.")
    ] = None,
    site_from: SiteFrom = None,
    device: Device = "cpu",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Encode scans: a latent map each, latents.npy and index.tsv for statistics.

    Finished scans are skipped, so the same command goes on after an interruption; a
    bad scan is named at the end and stops no other (exit code 2). Scans that the folder
    holds from earlier calls with this run stay in the table. Under torchrun or srun
    every process takes its share of the list.

    Example: medvae encode runs/scanner siteA/*.nii.gz -o latents
    """
    from medvae.model.folder import check_sites

    if keep is not None and axes is None:
        raise UserError(f"--keep {keep} changes nothing without --axes. Give both.")
    if axes is not None and cover == "scan":
        raise UserError(
            "--axes with --cover scan: axes are of codes of the training grid, and "
            "those of whole scans are larger. Leave one of them out."
        )
    leave_stdout(json)
    check_sites(run)
    if axes is not None:
        from medvae.encoding.axes import kept_of

        if said := kept_of(axes, keep):
            warn(said)
    from medvae.encoding.axes import read_axes, write_along
    from medvae.encoding.folder import Share, check_folder, encode_folder
    from medvae.encoding.table import AXES, rows_of

    share = Share.here()
    items, doubts = scans_of(scans, out, site_from)
    check_folder(out, items)
    for doubt in doubts if share.rank == 0 else ():
        warn(str(doubt))
    found = read_axes(axes) if axes is not None else None
    if dry_run:
        words = f"would encode {counted(len(items), 'scan')} with {run} into {out}"
        end(words, missing(inputs_of(items)), json=json)
        return
    from medvae.encoding.encoder import Encoder

    encoder = Encoder.load(run, device)
    had_axes = (out / AXES).is_file()
    if axes is not None and found is not None:
        found.check_size(math.prod(encoder.vae.config.latent_shape), axes)
        found.check_model(encoder.model_digest, axes)
    with progress_bar("Encoding") as progress:
        problems = encode_folder(
            encoder,
            items,
            out,
            batch_size=batch_size,
            jobs=jobs,
            cover=cover,
            share=share,
            command=shlex.join(["medvae", *sys.argv[1:]]),
            progress=progress,
        )
    lost: list[str] = []
    if found is not None and (out / "index.tsv").is_file():
        try:
            write_along(out, found.first(keep or 10))
        except UserError as error:  # said at the end, with the scans that failed
            lost.append(str(error))
    if axes is None and had_axes and not (out / AXES).is_file():
        warn(f"{out / AXES}: removed, as the table has changed. Give --axes again.")
    count = len(share.of(items))
    part = f" by process {share.rank} of {share.world}" if share.world > 1 else ""
    words = f"{count - len(problems)} of {count} scans encoded into {out}{part}"
    if share.world == 1 and (more := rows_of(out) - count + len(problems)):
        words += f"; the table has {more} more from earlier calls"
    is_last = share.world == 1 and len(problems) < count
    end(
        words,
        [*problems, *lost],
        _then(run, out) if is_last else None,
        json=json,
        written=[
            path
            for name in ("index.tsv", "latents.npy", "axes.npy")
            if (path := out / name).is_file()
        ],
        scans=count - len(problems),
    )


def _then(run: Path, out: Path) -> str:
    """What is done with codes: a matrix is read, maps of unequal size are decoded."""
    if (out / "latents.npy").is_file():
        return reading(out)
    return command("decode", run, out, out="images")
