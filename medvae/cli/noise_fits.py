"""noise report and noise score: what a fitted noise is good for beside training."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medvae.cli.console import emit_json, progress_bar, say, show_table, warn
from medvae.cli.named import open_fit
from medvae.cli.outcome import AsJson, end
from medvae.cli.scans import DryRun, files_of
from medvae.counted import counted
from medvae.errors import UserError
from medvae.files import refuse_unlike

if TYPE_CHECKING:
    from medvae.noise.scored import Scored
    from noise_models.scanner import ScannerNoise


def report_fit(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file that fit-noise wrote.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="HTML to write.")],
    data: Annotated[
        Path | None, typer.Option(help="The scans that it was fitted to.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    site_from: Annotated[str | None, typer.Option(help="Where the site is.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Write the report of a fit again; with --data also pictures of its scans.

    Example: medvae noise report scanner.yaml --data my_bids -o scanner.html
    """
    noise = open_fit(file, "a report needs")
    from medvae.noise.report import inputs_among, write_fit_report

    refuse_unlike(out, ".html", ".htm")
    if out.resolve() == file.resolve():
        raise UserError(f"{out} would be overwritten by its report. Name another file.")
    scans = []
    if data is not None:
        from medvae.cohort import read_cohort

        scans = inputs_among(noise, read_cohort(data, site_from), file)
    said = "" if scans else "; without --data it shows no scans"
    if dry_run:
        say(f"would read {file} and {len(scans)} of its scans, and write {out}{said}")
        return
    with progress_bar("Drawing") as progress:
        write_fit_report(out, noise, scans, jobs=jobs, progress=progress)
    say(f"written to {out}{said}")


def score(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What fit-noise wrote.")],
    scans: Annotated[
        list[Path],
        typer.Argument(metavar="SCANS", help="NIfTI files, or a cohort (see cohort)."),
    ],
    site: Annotated[
        str | None, typer.Option(help="The site they are said to be from.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    json: AsJson = False,
) -> None:
    """Say how far scans lie outside a fitted site: drift, or a wrong label.

    Every scan is measured on its own grid, and held against the site named or else the
    likeliest, the fitted site that explains it best. Distance is of all parameters
    together (Mahalanobis): of 25 parameters a scan of the site itself lies about 5
    away, and more where few scans judge. p counts that in: it is the share of the
    site's own scans that would lie as far out, 'unusual' below .05, 'outside' below
    .01, else 'inside'. Strange is what lies more than 3 SD off. With --site and scans
    of three people or more, their common drift is tested, too; a person is told by a
    cohort, or by sub- in the file's name.

    A bad scan is named at the end and stops no other (exit code 2).

    Example: medvae noise score scanner.yaml new/*.nii.gz --site NYU
    """
    from medvae.noise.scored import (
        FEWEST_FOR_DRIFT,
        drift_told,
        not_comparable,
        people_shown,
        score_scans,
    )
    from noise_models.scanner.words import PARAMETERS

    fitted = open_fit(file, "scores need")
    items, doubts = files_of(scans)
    files, subjects = [one.path for one in items], [one.subject for one in items]
    for doubt in doubts:
        warn(str(doubt))
    shut = not_comparable(fitted)
    if shut and not json:
        names = ", ".join(PARAMETERS[name] for name in shut)
        say(f"not compared, since the fit was adjusted or paired: {names}")
    with progress_bar("Measuring") as progress:
        rows, moved, problems = score_scans(
            fitted,
            files,
            subjects=subjects,
            site=site,
            jobs=jobs,
            progress=progress,
        )
    if json:
        emit_json(
            {
                "scans": [row.as_dict() for row in rows],
                "not_compared": list(shut),
                "drift": dataclasses.asdict(moved) if moved else None,
                "failed": problems,
            }
        )
    elif rows:
        told = {one.path: one.subject for one in items}
        good = [row.path for row in rows]
        people = {*people_shown(good, [told[path] for path in good])}
        _show_scores(fitted, rows, site)
        if moved and site:
            say(f"together: {drift_told(moved, site)}")
        elif site and len(rows) >= FEWEST_FOR_DRIFT:
            say(
                f"no drift is tested: {len(rows)} scans of "
                f"{counted(len(people), 'person', 'people')}, and what their heads "
                f"share would pass for it; {FEWEST_FOR_DRIFT} people are the fewest"
            )
    end([], problems)


def _show_scores(noise: ScannerNoise, rows: Sequence[Scored], site: str | None) -> None:
    """A line a scan against the site named, or else its likeliest; and who judges."""
    from noise_models.scanner.words import PARAMETERS

    show_table(
        (
            *("scan", "likeliest site", f"distance from {site or 'it'}"),
            *("p", "verdict", "what is strange, SD"),
        ),
        [
            [
                row.path.name,
                row.likeliest,
                best.distance,
                best.p,
                best.verdict,
                "; ".join(f"{PARAMETERS[k]} {sd:+.1f}" for k, sd in best.strange[:3])
                or "-",
            ]
            for row in rows
            for best in row.scores[:1]
        ],
    )
    judges = [
        f"{one.scans} scans of {one.label}"
        for one in noise.sites
        if site in (None, one.label)
    ]
    say(f"judged by {', '.join(judges)}")
