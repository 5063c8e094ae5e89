"""decode, harmonize: images painted from codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medvae.cli.console import leave_stdout, progress_bar, warn
from medvae.cli.hints import command
from medvae.cli.outcome import Json, end, staying
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
    refuse_same_site,
    scans_of,
)
from medvae.counted import counted
from medvae.errors import UserError
from medvae.lock import sole_writer

if TYPE_CHECKING:
    from medvae.encoding.folder import Item
    from medvae.encoding.harmonised import Harmonised


def decode(
    run: Run,
    latents: Annotated[
        list[Path],
        typer.Argument(
            metavar="LATENTS", help="*_latent.nii.gz files, or their folder."
        ),
    ],
    out: Out,
    site: Annotated[
        str | None, typer.Option(help="Paint as this training site would scan it.")
    ] = None,
    device: Device = "cpu",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Decode latents into images on each scan's own grid.

    Finished images are left as they are, so the same command goes on after an
    interruption. Images painted for another site, of another code with the same file
    name, or made by others, are never written over.

    Example: medvae decode runs/scanner latents -o images --site NYU
    """
    from medvae.model.folder import check_sites

    leave_stdout(json)
    check_sites(run, site=site)  # before what takes seconds to import
    from medvae.encoding.finished import check_originals, check_same
    from medvae.encoding.images import code_digest, decode_files, image_names
    from medvae.encoding.names import check_outputs, find_latents

    paths = find_latents(latents)
    names = image_names(paths)
    check_outputs(out, names, paths)
    targets = [out / name for name in names]

    def check() -> None:
        check_same(targets, {"site": site or ""})
        check_originals(targets, paths, "code", code_digest)

    check()
    if dry_run:
        end(f"would decode {len(paths)} latents with {run} into {out}", json=json)
        return
    from medvae.encoding.encoder import Encoder

    encoder = Encoder.load(run, device)
    images: dict[Path, bool] = {}
    with sole_writer(out), progress_bar("Decoding") as progress:
        check()  # another may have written there while the run was opened
        problems = decode_files(
            encoder, paths, targets, site, progress, images.__setitem__
        )
    kept = len(images) - sum(images.values())
    there = f"; {staying(kept)}" if kept else ""
    end(
        f"{counted(len(images), 'image')} in {out}{there}",
        problems,
        json=json,
        written=[*images],
    )


def harmonize(
    run: Run,
    scans: Scans,
    out: Out,
    to: Annotated[str, typer.Option(help="The training site to imitate.")],
    made_at: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="The training site that made all scans; else the data's label of each "
            "if it is a training site, else an unknown scanner.",
        ),
    ] = None,
    detail: Annotated[
        bool,
        typer.Option(
            help="Keep each scan's detail, or paint it from its code alone, blurred."
        ),
    ] = True,
    batch_size: Annotated[int, typer.Option(min=1, help="Scans at a time.")] = 4,
    jobs: Jobs = 2,
    cover: CoverOption = "head",
    site_from: SiteFrom = None,
    device: Device = "cpu",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Change scans to what one training site would have scanned.

    Each is painted from its code for that site and keeps the detail that a code lacks,
    as far as training found it to be the head's own. Scans made there stay as they are.
    OUT/index.tsv lists the images, with the site that made each, if known, and what the
    data tells of it: give it to encode and evaluate, which then know sites and people.

    A bad scan is named at the end and stops no other (exit code 2). Finished images
    are left as they are, so the same command goes on after an interruption. Images
    painted for another site, or of another scan with the same file name, are never
    written over: each --to has a folder of its own.

    Example: medvae harmonize runs/scanner UM_1/*.nii.gz --from UM_1 --to NYU -o as_nyu
    """
    if made_at is not None and not detail:
        raise UserError(
            f"--from {made_at} changes nothing with --no-detail: an image painted from "
            "its code alone has no origin. Leave one of them out."
        )
    refuse_same_site(made_at, to)
    from medvae.encoding.finished import check_originals, check_same
    from medvae.encoding.harmonised import INDEX, read_index, told, write_index
    from medvae.encoding.names import check_outputs, stems
    from medvae.encoding.reading import scan_digest
    from medvae.model.folder import check_sites

    leave_stdout(json)
    check_sites(run, **{"to": to, "from": made_at})
    items, doubts = scans_of(scans, out, site_from)
    for doubt in doubts:
        warn(str(doubt))
    _refuse_painted(items)
    paths = [item.path for item in items]
    names = [f"{name}.nii.gz" for name in stems(paths)]
    check_outputs(out, names, paths)
    targets = [out / name for name in names]

    def check() -> None:
        before = read_index(out)  # refuses a folder that holds another table
        made_for = {row["path"]: {"to": row["target"]} for row in before}
        check_same(targets, {"to": to}, made_for)
        check_originals(targets, paths, "scan", scan_digest)

    check()
    if dry_run:
        words = f"would write {counted(len(paths), 'scan')} as {to} into {out}"
        end(words, missing(inputs_of(items)), json=json)
        return
    from medvae.encoding.encoder import Encoder
    from medvae.encoding.images import harmonize_files

    encoder = Encoder.load(run, device)
    rows: list[Harmonised] = []
    new: list[bool] = []

    def note(row: Harmonised, is_new: bool) -> None:
        rows.append(row)
        new.append(is_new)

    with sole_writer(out):
        check()  # another may have written there while the run was opened
        try:
            with progress_bar("Harmonizing") as progress:
                _, problems = harmonize_files(
                    encoder,
                    items,
                    targets,
                    to,
                    made_at=made_at,
                    detail=detail,
                    batch_size=batch_size,
                    jobs=jobs,
                    cover=cover,
                    progress=progress,
                    each=note,
                )
        finally:  # after Ctrl-C, too, the table has what there is
            if rows:
                write_index(out, rows)
    codes = out.with_name(f"{out.name}-codes") if out.name else Path("codes")
    then = command("encode", run, out / INDEX, out=codes) if rows else None
    lines = told(rows, out)
    if there := len(new) - sum(new):
        lines.append(f"{staying(there)}.")
    end(lines, problems, then, json=json, written=[out / row.path for row in rows])


def _refuse_painted(items: Sequence[Item]) -> None:
    """Refuse images of an earlier call: their site is that of the scans behind them.

    Raises:
        UserError: Names the first, and the remedy.
    """
    for item in items:
        if item.more.get("changed") == "yes" and "target" in item.more:
            raise UserError(
                f"{item.path}: painted as {item.more['target']} by medvae already. "
                "Give the scans that it was made of."
            )
