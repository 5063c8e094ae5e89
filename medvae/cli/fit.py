"""fit-noise: how the scanners of several sites differ."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.console import progress_bar, say, warn
from medvae.cli.hints import command, data_of
from medvae.errors import UserError
from medvae.files import refuse_unlike, refuse_unwritable
from medvae.inputs import DAMAGED, is_there


def fit_noise(
    sites: Annotated[
        list[str],
        typer.Argument(
            metavar="SITES",
            help="Two or more: directories of scans, or labels in --data.",
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(help="Scans that carry the labels; ./medvae.yaml.")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write.")] = Path(
        "scanner.yaml"
    ),
    with_travelers: Annotated[
        bool,
        typer.Option(
            "--with-travelers",
            help="Fit on people seen at several sites too, else kept for tests.",
        ),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="HTML to write; beside the fit by default.")
    ] = None,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Write no report.")
    ] = False,
    paired: Annotated[
        bool,
        typer.Option(
            "--paired", help="Compare the scans of people seen at several sites."
        ),
    ] = False,
    adjust: Annotated[
        str | None,
        typer.Option(
            help="Columns that contrast and sharpness are adjusted for, or none; "
            "by default age and sex, where they vary.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of bootstrap and folds.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    dask: Annotated[
        str | None,
        typer.Option(help="Dask scheduler whose workers measure: tcp://host:8786."),
    ] = None,
    site_from: Annotated[str | None, typer.Option(help="Where the site is.")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave unusable scans out, and say so.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be read and written.")
    ] = False,
) -> None:
    """Fit how the scanners of two or more sites differ.

    Every scan is measured on its own grid: noise, sharpness, bias field, contrast. A
    site is the distribution of its scans; every pair of sites gets a transfer. What
    came out is told in a report, one HTML file.

    Examples: medvae fit-noise siteA/ siteB/ or
    medvae fit-noise NYU UM_1 --data my_bids -o scanner.yaml
    """
    from medvae.cli.cohorts import (
        other_sites,
        residents_of,
        show_left_out,
        show_travelers,
        site_scans,
    )

    refuse_unwritable(out)
    page = _report_path(out, report, no_report)
    refuse_unwritable(page)
    refuse_unlike(page, ".html", ".htm")
    chosen = site_scans(sites, data, site_from, skip_bad=skip_bad)
    show_left_out(chosen)
    if paired:
        show_travelers(chosen)
    elif not with_travelers:
        chosen = residents_of(chosen)
    counts = {site: len(chosen.at(site)) for site in chosen.sites}
    check_kept(out, counts, paired=paired)
    if dry_run:
        written = out if page is None else f"{out} and {page}"
        say(f"would fit {counts} and write {written}")
        return
    from medvae.cli.fitted import show_fit
    from medvae.noise.fitted import fit_sites

    with progress_bar("Measuring") as progress:
        fitted = fit_sites(
            chosen,
            out,
            paired=paired,
            adjust=None if adjust is None else _columns(adjust),
            seed=seed,
            jobs=jobs,
            dask=dask,
            progress=progress,
            command=_command(
                sites,
                {"--data": data, "--adjust": adjust, "--site-from": site_from}
                | {"--seed": seed or None},
                {"--paired": paired, "--with-travelers": with_travelers}
                | {"--skip-bad": skip_bad},
            ),
        )
    show_fit(fitted)
    others = other_sites(sites, data, site_from)
    scans = {"site_from": site_from, "skip_bad": skip_bad, "held_out": others}
    then = command("train", noise=out, data=data_of(sites, data), **scans)
    say(f"written to {out}. Next: {then}")
    if others:
        say(
            f"{' and '.join(others)}: not in the fit, so held out; a site that is "
            "trained on, too, is not unseen any more."
        )
    stale = out.with_suffix(".html")
    if page is None and is_there(stale):
        warn(f"{stale}: not written by this command, so perhaps of the fit before.")
    if page is not None:
        from medvae.noise.report import write_fit_report
        from noise_models.scanner import load_scanner

        kept = load_scanner(out)  # the page tells what the file holds, to the digit
        with progress_bar("Drawing") as progress:
            write_fit_report(page, kept, chosen.scans, jobs=jobs, progress=progress)
        say(f"report: {page}")


def check_kept(out: Path, sites: Collection[str], *, paired: bool) -> None:
    """Refuse to write over what this fit does not replace.

    It replaces a fit of no more sites and of the same kind.

    Raises:
        UserError: Names the file, what it holds, and the remedy.

    Example:
        >>> check_kept(Path("nothing_there.yaml"), ["NYU", "UM_1"], paired=False)
    """
    if not is_there(out):
        return
    from noise_models.scanner import load_scanner

    try:
        before = load_scanner(out)
    except (*DAMAGED, UserError):
        holds = "no fit that is whole"
    else:
        labels, kind = [site.label for site in before.sites], before.record.evidence
        if {*labels} <= {*sites} and (kind == "paired") == paired:
            return
        holds = f"the {kind} fit of {', '.join(labels)}"
    raise UserError(
        f"{out}: holds {holds}, and would be overwritten. Choose another file with -o, "
        "or remove it."
    )


def _report_path(out: Path, report: Path | None, no_report: bool) -> Path | None:
    """Where the report goes; None for nowhere."""
    if no_report:
        if report is not None:
            raise UserError(f"--report {report} and --no-report exclude each other.")
        return None
    page = report or out.with_suffix(".html")
    if page.resolve() == out.resolve():
        raise UserError(f"{out} cannot hold both the fit and its report. Use --report.")
    return page


def _command(
    sites: Sequence[str], values: Mapping[str, object], flags: Mapping[str, bool]
) -> str:
    """What to type to have it again, without what decides only where and how fast."""
    words = ["medvae", "fit-noise", *sites]
    for option, value in values.items():
        words += [] if value is None else [option, str(value)]
    words += [flag for flag, is_given in flags.items() if is_given]
    return shlex.join(words)


def _columns(words: str) -> list[str]:
    """Names between commas; ``none`` names none."""
    names = [word.strip() for word in words.split(",") if word.strip()]
    if not names:
        raise UserError(f"--adjust {words!r}: must name columns, or none.")
    return [] if names == ["none"] else names
