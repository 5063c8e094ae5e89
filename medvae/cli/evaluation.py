"""evaluate."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.cohorts import (
    Cache,
    Data,
    SiteFrom,
    SkipBad,
    check_known,
    open_cohort,
    show_left_out,
)
from medvae.cli.console import emit_json, leave_stdout, progress_bar, say
from medvae.cli.hints import codes_of, command
from medvae.cli.outcome import end
from medvae.cli.scans import DryRun
from medvae.lock import sole_writer


def evaluate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder that medvae train wrote.")
    ],
    data: Data = None,
    held_out: Annotated[
        list[str] | None,
        typer.Option(help="Site to treat as never seen, once for each; the run's."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder; the run's own.")
    ] = None,
    cache: Cache = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    seed: Annotated[
        int, typer.Option(min=0, help="Of intervals, folds and permutations.")
    ] = 0,
    copies: Annotated[
        int,
        typer.Option(min=0, help="Corrupted copies to average codes over; 0: none."),
    ] = 4,
    site_from: SiteFrom = None,
    skip_bad: SkipBad = False,
    dry_run: DryRun = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print evaluation.json.")
    ] = False,
) -> None:
    """Measure what a run keeps and what it forgets, on sites it never saw too.

    Writes evaluation.json and report.html, one file that opens offline.

    Example: medvae evaluate runs/scanner --data my_bids
    """
    from medvae.model.folder import check_sites

    check_sites(run)
    check_known(held_out or (), data, site_from)
    scans = open_cohort(data, site_from, skip_bad=skip_bad)
    show_left_out(scans, one_site_will_do=True)
    from medvae.evaluation.report import describe
    from medvae.evaluation.run import evaluate_run, sites_apart, write_run_report

    folder = out or run
    unseen = tuple(held_out) if held_out else None
    if dry_run:
        apart = ", ".join(sites_apart(run, scans, unseen)) or "no site"
        what = f"{run} and {len(scans)} scans of {scans.root}; unseen: {apart}"
        where = f"{folder / 'evaluation.json'} and {folder / 'report.html'}"
        leave_stdout(json)
        end([f"would read {what}", f"would write {where}"], json=json)
        return
    with sole_writer(folder):
        with progress_bar("Evaluating") as progress:
            found = evaluate_run(
                run,
                scans,
                held_out=unseen,
                cache=cache,
                jobs=jobs,
                seed=seed,
                copies=copies,
                progress=progress,
                command=shlex.join(["medvae", *sys.argv[1:]]),
            )
        found.write(folder / "evaluation.json")
        report = write_run_report(folder / "report.html", run, found, scans, cache)
    if json:
        emit_json(found.as_dict())
        return
    for sentence in describe(found):
        say(f"- {sentence}")
    for note in found.notes:
        say(f"note: {note}")
    for row in found.unanswered:
        say(f"not answered: {row.question}: {row.reason}.")
    then = command(
        *("encode", run, data or "medvae.yaml"),
        site_from=site_from,
        out=codes_of(run, scans),
    )
    say(f"every number: {folder / 'evaluation.json'} and {report}. Next: {then}")
