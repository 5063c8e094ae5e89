"""The group noise: list, show and preview corruption models."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.console import emit_json, say, show_table
from medvae.cli.named import open_named
from medvae.cli.outcome import AsJson, end
from medvae.cli.scans import DryRun, missing
from medvae.files import refuse_unlike

group = typer.Typer(no_args_is_help=True, help="Look at corruption models, use them.")

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A model's name, a preset or fitted file.")
]


@group.command("list")
def list_models(json: AsJson = False) -> None:
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
def show_model(name: Name, json: AsJson = False) -> None:
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

    refuse_unlike(out, ".png")
    noise = open_named(name, from_, to)
    if dry_run:
        words = f"would draw {scan} and {draws} corruptions of it into {out}"
        end(words, missing([scan]))
        return
    draw_preview(noise, name, scan, out, seeds=range(seed, seed + draws))
    say(f"written to {out}")
