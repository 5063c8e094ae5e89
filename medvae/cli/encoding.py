"""encode, decode, harmonize."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from medvae.cli.console import fail, progress_bar, say, warn
from medvae.cli.hints import command, reading
from medvae.errors import UserError

if TYPE_CHECKING:
    from medvae.encoding.folder import Item

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
Device = Annotated[str, typer.Option(help="cpu, cuda or mps.")]
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
) -> None:
    """Encode scans: a latent map each, latents.npy and index.tsv for statistics.

    Finished scans are skipped, so the same command goes on after an interruption; a
    bad scan is named at the end and stops no other (exit code 2). Under torchrun or
    srun every process takes its share of the list.

    Example: medvae encode runs/scanner siteA/*.nii.gz -o latents
    """
    from medvae.model.folder import check_sites

    if keep is not None and axes is None:
        raise UserError(f"--keep {keep} changes nothing without --axes. Give both.")
    check_sites(run)
    if axes is not None:
        from medvae.encoding.axes import kept_of

        if said := kept_of(axes, keep):
            warn(said)
    items = _items(scans, out, site_from)
    if dry_run:
        say(f"would encode {len(items)} scans with {run} into {out}")
        return
    from medvae.encoding.axes import read_axes, write_along
    from medvae.encoding.encoder import Encoder
    from medvae.encoding.folder import Share, encode_folder

    share = Share.here()
    found = read_axes(axes) if axes is not None else None
    encoder = Encoder.load(run, device)
    with progress_bar("Encoding") as progress:
        problems = encode_folder(
            encoder,
            items,
            out,
            batch_size=batch_size,
            jobs=jobs,
            cover=cover,
            share=share,
            progress=progress,
        )
    if found is not None:
        write_along(out, found.first(keep or 10))
    count = len(share.of(items))
    part = f" by process {share.rank} of {share.world}" if share.world > 1 else ""
    words = f"{count - len(problems)} of {count} scans encoded into {out}{part}"
    is_last = share.world == 1 and len(problems) < count
    _end(words, problems, _then(run, out) if is_last else None)


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
) -> None:
    """Decode latents into images on each scan's own grid.

    Example: medvae decode runs/scanner latents -o images --site NYU
    """
    from medvae.model.folder import check_sites

    check_sites(run, site=site)  # before what takes seconds to import
    from medvae.encoding.images import decode_files, image_names
    from medvae.encoding.names import check_outputs, find_latents

    paths = find_latents(latents)
    names = image_names(paths)
    check_outputs(out, names, paths)
    if dry_run:
        say(f"would decode {len(paths)} latents with {run} into {out}")
        return
    from medvae.encoding.encoder import Encoder

    encoder = Encoder.load(run, device)
    targets = [out / name for name in names]
    with progress_bar("Decoding") as progress:
        problems = decode_files(encoder, paths, targets, site, progress)
    _end(f"{len(paths) - len(problems)} images in {out}", problems)


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
) -> None:
    """Change scans to what one training site would have scanned.

    Each is painted from its code for that site and keeps the detail that a code lacks,
    as far as training found it to be the head's own. Scans made there stay as they are.
    OUT/index.tsv lists the images, with the site that made each, if known, and what the
    data tells of it: give it to encode and evaluate, which then know sites and people.

    A bad scan is named at the end and stops no other (exit code 2).

    Example: medvae harmonize runs/scanner UM_1/*.nii.gz --from UM_1 --to NYU -o as_nyu
    """
    if made_at is not None and not detail:
        raise UserError(
            f"--from {made_at} changes nothing with --no-detail: an image painted from "
            "its code alone has no origin. Leave one of them out."
        )
    if made_at == to:
        raise UserError(
            f"--from {made_at} --to {to} would change nothing. Name two sites."
        )
    from medvae.encoding.harmonised import INDEX, read_index, told, write_index
    from medvae.encoding.names import check_outputs, stems
    from medvae.model.folder import check_sites

    check_sites(run, **{"to": to, "from": made_at})
    items = _items(scans, out, site_from)
    paths = [item.path for item in items]
    names = [f"{name}.nii.gz" for name in stems(paths)]
    check_outputs(out, names, paths)
    read_index(out)  # refuses a folder that holds another table
    if dry_run:
        say(f"would write {len(paths)} scans as {to} into {out}")
        return
    from medvae.encoding.encoder import Encoder
    from medvae.encoding.images import harmonize_files

    encoder = Encoder.load(run, device)
    targets = [out / name for name in names]
    with progress_bar("Harmonizing") as progress:
        rows, problems = harmonize_files(
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
        )
    if rows:
        write_index(out, rows)
    codes = out.with_name(f"{out.name}-codes") if out.name else Path("codes")
    then = command("encode", run, out / INDEX, out=codes) if rows else None
    _end("\n".join(told(rows, out)), problems, then)


def _then(run: Path, out: Path) -> str:
    """What is done with codes: a matrix is read, maps of unequal size are decoded."""
    if (out / "latents.npy").is_file():
        return reading(out)
    return command("decode", run, out, out="images")


def _end(words: str, problems: list[str], then: str | None = None) -> None:
    """Say what was done and what comes next, and name what failed: exit code 2."""
    for problem in problems:
        fail(problem)
    say(words)
    if then:
        say(f"Next: {then}")
    if problems:
        raise typer.Exit(2)


def _items(scans: list[Path], out: Path, site_from: str | None) -> list[Item]:
    """The scans to read; what is written to ``out`` must never be one of them."""
    from medvae.cohort import read_cohort
    from medvae.cohort.folders import is_searched
    from medvae.encoding.folder import Item
    from medvae.volume.dicom import holds_dicom

    items: list[Item] = []
    is_cohort = False
    for path in scans:
        is_file = path.name.lower().endswith((".nii", ".nii.gz", ".mgz", ".mgh"))
        is_scan = is_file and not path.is_dir()
        if is_scan or (path.is_dir() and holds_dicom(path)):
            items.append(Item(path))
        else:
            cohort = read_cohort(path, site_from)
            if cohort.root.is_dir() and is_searched(cohort.root, out):
                raise UserError(
                    f"{out}: inside of {cohort.root}, where what is written would be "
                    "taken for scans the next time. Choose a folder outside, or "
                    f"{cohort.root / 'derivatives' / 'medvae'}."
                )
            items += [Item.of(scan) for scan in cohort.scans]
            is_cohort = True
    if site_from and not is_cohort:
        raise UserError(
            f"--site-from {site_from} changes nothing for single scans. Name a cohort, "
            "or leave it out."
        )
    return items
