"""encode, decode, harmonize."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medvae.cli.console import fail, progress_bar, say

if TYPE_CHECKING:
    from medvae.encoding.folder import Item

Run = Annotated[Path, typer.Argument(help="Run folder that medvae train wrote.")]
Scans = Annotated[
    list[Path], typer.Argument(help="NIfTI files, or one folder or table of scans.")
]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder to write.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or mps.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be read and written.")
]


def encode(
    run: Run,
    scans: Scans,
    out: Out,
    batch_size: Annotated[int, typer.Option(min=1, help="Scans at a time.")] = 4,
    device: Device = "cpu",
    dry_run: DryRun = False,
) -> None:
    """Encode scans: a latent map each, latents.npy and index.tsv for statistics.

    Finished scans are skipped, so the same command goes on after an interruption.

    Example: medvae encode runs/scanner siteA/*.nii.gz -o latents
    """
    items = _items(scans)
    if dry_run:
        say(f"would encode {len(items)} scans with {run} into {out}")
        return
    from medvae.encoding.encoder import Encoder
    from medvae.encoding.folder import encode_folder
    from medvae.files import digest

    encoder = Encoder.load(run, device)
    model = digest(run / "model.safetensors")
    with progress_bar("Encoding") as progress:
        problems = encode_folder(
            encoder, model, items, out, batch_size=batch_size, progress=progress
        )
    for problem in problems:
        fail(problem)
    say(f"{len(items) - len(problems)} scans encoded into {out}")
    if problems:
        raise typer.Exit(2)


def decode(
    run: Run,
    latents: Annotated[
        list[Path], typer.Argument(help="*_latent.nii.gz files, or their folder.")
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
    from medvae.encoding.encoder import Encoder
    from medvae.encoding.folder import (
        check_outputs,
        find_latents,
        read_latent,
        write_image,
    )
    from medvae.files import digest

    paths = find_latents(latents)
    check_outputs(out, [path.name.replace("_latent", "") for path in paths], paths)
    if dry_run:
        say(f"would decode {len(paths)} latents with {run} into {out}")
        return
    encoder = Encoder.load(run, device)
    model = digest(run / "model.safetensors")
    with progress_bar("Decoding") as progress:
        for done, path in enumerate(paths, start=1):
            latent = read_latent(path, model)
            write_image(encoder.decode(latent, site), out / f"{latent.name}.nii.gz")
            progress(done, len(paths), path.name)
    say(f"{len(paths)} images in {out}")


def harmonize(
    run: Run,
    scans: Scans,
    out: Out,
    to: Annotated[str, typer.Option(help="The training site to imitate.")],
    device: Device = "cpu",
    dry_run: DryRun = False,
) -> None:
    """Encode scans and decode them as one training site would have scanned them.

    Example: medvae harmonize runs/scanner siteB/*.nii.gz --to NYU -o as_nyu
    """
    from medvae.encoding.encoder import Encoder
    from medvae.encoding.folder import check_outputs, stems, write_image

    paths = [item.path for item in _items(scans)]
    check_outputs(out, [f"{name}.nii.gz" for name in stems(paths)], paths)
    if dry_run:
        say(f"would write {len(paths)} scans as {to} into {out}")
        return
    encoder = Encoder.load(run, device)
    with progress_bar("Harmonizing") as progress:
        for done, (path, name) in enumerate(
            zip(paths, stems(paths), strict=True), start=1
        ):
            image = encoder.decode(encoder.encode(path), to)
            write_image(image, out / f"{name}.nii.gz")
            progress(done, len(paths), path.name)
    say(f"{len(paths)} images in {out}")


def _items(scans: list[Path]) -> list[Item]:
    from medvae.cohort import read_cohort
    from medvae.encoding.folder import Item

    items: list[Item] = []
    for path in scans:
        is_file = path.name.lower().endswith((".nii", ".nii.gz", ".mgz", ".mgh"))
        if is_file and not path.is_dir():
            items.append(Item(path))
            continue
        items += [
            Item(scan.path, scan.subject, scan.site, scan.session)
            for scan in read_cohort(path).scans
        ]
    return items
