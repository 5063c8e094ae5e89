"""axes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.cohorts import Cache, SiteFrom, open_cohort
from medvae.cli.console import leave_stdout, progress_bar
from medvae.cli.hints import codes_of, command
from medvae.cli.outcome import Json, end
from medvae.cli.scans import DryRun
from medvae.errors import UserError
from medvae.files import refuse_unlike


def axes(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder that medvae train wrote.")
    ],
    data: Annotated[
        Path | None, typer.Option(help="Its training scans; else ./medvae.yaml.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File; RUN/axes.safetensors.")
    ] = None,
    cache: Cache = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the copies.")] = 0,
    site_from: SiteFrom = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Find axes of a run's codes that tell people apart and scanners do not.

    Every training scan is encoded many times, moved a little and corrupted as in
    training. No traveler is needed, and no label of the scans that are read later.

    Example: medvae axes runs/scanner --data my_scans
    """
    from medvae.model.folder import check_sites

    leave_stdout(json)
    path = out or run / "axes.safetensors"
    refuse_unlike(path, ".safetensors")
    if out is not None and out.exists():
        _refuse_all_but_axes(out)
    check_sites(run)
    scans = open_cohort(data, site_from)
    from medvae.evaluation.run_axes import fit_run_axes, scans_learned

    if dry_run:
        count = len(scans_learned(run, scans))
        told = f"would read {run} and {count} scans of {scans.root} it was trained on"
        end([told, f"would write {path}"], json=json)
        return
    with progress_bar("Copying") as progress:
        found = fit_run_axes(
            run, scans, seed=seed, cache=cache, jobs=jobs, progress=progress
        )
    found.write(path)
    codes = codes_of(run, scans)
    then = command("encode", run, data or "SCANS", out=codes, axes=path)
    count = found.axes.shape[1]
    end(f"{count} axes in {path}.", then=then, json=json, written=[path], axes=count)


def _refuse_all_but_axes(path: Path) -> None:
    from medvae.encoding.axes import read_axes

    try:
        read_axes(path)
    except UserError:
        raise UserError(
            f"{path} is there and holds no axes. Choose another file with -o, or "
            "remove it."
        ) from None
