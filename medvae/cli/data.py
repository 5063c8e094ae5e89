"""phantom and cohort: making a data set, and saying what is in one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.console import emit_json, fail, progress_bar, say, show_table, warn
from medvae.cli.hints import command
from medvae.cli.outcome import AsJson
from medvae.counted import counted


def phantom(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to write the data set into.")
    ],
    sites: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated; all by default: CALTECH, KKI, LEUVEN_1, MAX_MUN, "
            "NYU, OHSU, OLIN, PITT, SDSU, STANFORD, TRINITY, UCLA_1, UM_1, YALE."
        ),
    ] = None,
    subjects: Annotated[int, typer.Option(min=0, help="Subjects a site.")] = 24,
    travelers: Annotated[
        int, typer.Option(min=0, help="People scanned at every site.")
    ] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Decides every number.")] = 0,
    voxel_scale: Annotated[
        float, typer.Option(min=1.0, help="Multiplies every voxel size; 2 is quick.")
    ] = 1.0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written.")
    ] = False,
) -> None:
    """Make a multi-site BIDS data set from real anatomy and simulated scanners.

    The ground truth lies in derivatives/ground-truth.

    Example: medvae phantom phantom --sites NYU,UM_1,KKI --subjects 12
    """
    from medvae.phantom import make_phantom, site_names
    from medvae.phantom.dataset import checked_recipe, is_finished

    chosen = tuple(sites.split(",")) if sites else site_names()
    many = counted(len(chosen) * (subjects + travelers), "scan")
    recipe = checked_recipe(chosen, subjects, travelers, seed, voxel_scale, jobs)
    if dry_run:
        words = f"{many} of {counted(len(chosen), 'site')}"
        say(
            f"{out} holds the {words} already; nothing would be written"
            if is_finished(out, recipe)
            else f"would write {words} into {out}"
        )
        return
    with progress_bar("Scanning") as progress:
        make_phantom(
            out,
            sites=chosen,
            subjects=subjects,
            travelers=travelers,
            seed=seed,
            voxel_scale=voxel_scale,
            progress=progress,
            jobs=jobs,
        )
    then = command("cohort", out)
    say(f"{many} of {', '.join(chosen)} in {out}. Next: {then}")


def cohort(
    data: Annotated[
        Path | None, typer.Argument(metavar="DATA", help="BIDS, folders or table.")
    ] = None,
    site_from: Annotated[
        str | None, typer.Option(help="Where the site label lives, if not found.")
    ] = None,
    json: AsJson = False,
    headers_only: Annotated[
        bool, typer.Option("--headers-only", help="Do not read the voxels.")
    ] = False,
) -> None:
    """Show what would be read: sites, scans, voxel sizes, covariates, problems.

    DATA is a BIDS root, a folder per site, a CSV/TSV (path, subject, site, ...), a
    MONAI datalist or a medvae.yaml naming one; by default ./medvae.yaml.

    Example: medvae cohort my_bids
    """
    from medvae.cohort import examined_cohort

    with progress_bar("Checking") as progress:
        examined = examined_cohort(
            data or Path("medvae.yaml"),
            site_from,
            header_only=headers_only,
            progress=progress,
        )
    found, rows = examined.cohort, examined.rows
    errors = [p for p in found.problems if p.severity == "error"]
    if json:
        content = {
            "layout": found.layout,
            "sites": rows,
            "problems": [
                {"path": str(p.path), "message": p.message, "severity": p.severity}
                for p in found.problems
            ],
        }
        emit_json(content)
    else:
        say(f"{found.root}: {found.layout}, {counted(len(found), 'scan')}")
        if rows:
            show_table(list(rows[0]), [list(row.values()) for row in rows])
        for problem in found.problems:
            (fail if problem.severity == "error" else warn)(str(problem))
    if errors:
        raise typer.Exit(2)
