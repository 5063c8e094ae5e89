"""export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from medvae.cli.console import leave_stdout
from medvae.cli.outcome import Json, end


def export(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder that medvae train wrote.")
    ],
    form: Annotated[
        Literal["monai-bundle", "onnx", "huggingface"],
        typer.Option("--format", help="What to write."),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder; RUN-FORMAT.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be read and written.")
    ] = False,
    json: Json = False,
) -> None:
    """Write a trained run as a MONAI bundle, as ONNX, or in the Hugging Face layout.

    Example: medvae export runs/scanner --format huggingface -o my-model
    """
    whole = run if run.name not in ("", "..") else run.resolve()  # the folder of "."
    target = out or whole.parent / f"{whole.name}-{form}"
    leave_stdout(json)
    from medvae.model.folder import read_content

    read_content(run)
    if dry_run:
        end(f"would write {run} as {form} into {target}", json=json)
        return
    from medvae.export import export_run

    end(export_run(run, target, form), json=json, written=[target])
