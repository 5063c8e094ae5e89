"""The group noise: list, show, preview and apply corruption models."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.console import emit_json, progress_bar, say, show_table
from medvae.cli.named import open_named
from medvae.cli.outcome import end
from medvae.cli.scans import DryRun, missing
from medvae.errors import UserError
from medvae.lock import sole_writer

group = typer.Typer(no_args_is_help=True, help="Look at corruption models, use them.")

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A model's name, a preset or fitted file.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@group.command("list")
def list_models(json: Json = False) -> None:
    """List every corruption model that --noise takes."""
    import inspect

    import noise_models
    from noise_models.registry import model_class

    rows = []
    for name in noise_models.names():
        doc = inspect.getdoc(model_class(name)) or ""
        first = doc.splitlines()[0] if doc else ""
        rows.append([name, first.replace("`", "")])
    if json:
        emit_json([{"name": name, "summary": text} for name, text in rows])
        return
    show_table(("name", "what it is"), rows)


@group.command("show")
def show_model(name: Name, json: Json = False) -> None:
    """Show what a corruption model does, a fitted one with all its numbers."""
    noise = open_named(name)
    from medvae.cli.fitted import show_fit
    from noise_models.scanner import ScannerNoise, show

    if isinstance(noise, ScannerNoise):
        if json:
            emit_json(show(noise))
        else:
            if noise.record.command:
                say(f"made by: {noise.record.command}")
            show_fit(noise)
        return
    settings = dataclasses.asdict(noise)  # type: ignore[call-overload]  # every model is a dataclass
    if json:
        emit_json({"model": noise.name, **settings})
        return
    say(f"{noise.name}")
    show_table(("setting", "value"), [[k, str(v)] for k, v in settings.items()])


@group.command("preview")
def preview(
    name: Name,
    scan: Annotated[
        Path, typer.Argument(metavar="SCAN", help="A NIfTI file or DICOM folder.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="PNG to write.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="Site it is from.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Site it goes to.")] = None,
    draws: Annotated[int, typer.Option(min=1, max=8, help="Corruptions to show.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the first corruption.")] = 0,
    dry_run: DryRun = False,
) -> None:
    """Draw a scan beside corruptions of it.

    Example: medvae noise preview rician scan.nii.gz -o rician.png
    """
    from medvae.noise.scan import preview as draw_preview

    if out.resolve() == scan.resolve():
        raise UserError(f"{out} is the scan itself. Name another file with -o.")
    noise = open_named(name, from_, to)
    if dry_run:
        words = f"would draw {scan} and {draws} corruptions of it into {out}"
        end(words, missing([scan]))
        return
    draw_preview(noise, name, scan, out, seeds=range(seed, seed + draws))
    say(f"written to {out}")


@group.command("apply")
def apply(
    name: Name,
    scans: Annotated[
        list[Path],
        typer.Argument(metavar="SCANS", help="NIfTI files or DICOM folders."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="Site they are from.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Site they go to.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides every draw.")] = 0,
    dry_run: DryRun = False,
) -> None:
    """Write corrupted copies of scans, each on its own grid, under its own name.

    Example: medvae noise apply scanner.yaml a.nii.gz --from NYU --to UM_1 -o as_um
    """
    from medvae.encoding.images import write_image
    from medvae.encoding.names import check_outputs
    from medvae.noise.scan import corrupt_scan
    from medvae.training.seeds import seed_of

    noise = open_named(name, from_, to)
    names = [f"{p.name}.nii.gz" if p.is_dir() else p.name for p in scans]  # DICOM
    check_outputs(out, names, scans)
    if dry_run:
        words = f"would write {len(scans)} corrupted scans into {out}"
        end(words, missing(scans))
        return
    with sole_writer(out), progress_bar("Corrupting") as progress:
        for done, (path, file) in enumerate(zip(scans, names, strict=True), start=1):
            _, image = corrupt_scan(noise, path, seed=seed_of(seed, path.name))
            write_image(image, out / file)
            progress(done, len(scans), path.name)
    say(f"{len(scans)} scans in {out}")
