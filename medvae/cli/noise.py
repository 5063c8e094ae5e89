"""fit-noise, and the group noise: list, show, report, preview, apply, score."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medvae.cli.console import emit_json, progress_bar, say, show_table, warn
from medvae.errors import UserError

if TYPE_CHECKING:
    from noise_models.base import NoiseModel
    from noise_models.scanner import ScannerNoise

group = typer.Typer(no_args_is_help=True, help="Look at corruption models, use them.")

Name = Annotated[str, typer.Argument(help="A model's name, a preset or fitted file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def fit_noise(
    sites: Annotated[
        list[str],
        typer.Argument(help="Two or more: directories of scans, or labels in --data."),
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
            help="Fit on people seen at several sites too; they are kept for tests.",
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
        residents_of,
        show_left_out,
        show_travelers,
        site_scans,
    )

    page = _report_path(out, report, no_report)
    _not_a_folder(out, page)
    chosen = site_scans(sites, data, site_from, skip_bad=skip_bad)
    show_left_out(chosen)
    if paired:
        show_travelers(chosen)
    elif not with_travelers:
        chosen = residents_of(chosen)
    counts = {site: len(chosen.at(site)) for site in chosen.sites}
    if dry_run:
        written = out if page is None else f"{out} and {page}"
        say(f"would fit {counts} and write {written}")
        return
    from medvae.noise.fitted import fit_sites

    with progress_bar("Measuring") as progress:
        fitted = fit_sites(
            chosen,
            out,
            paired=paired,
            adjust=None if adjust is None else _columns(adjust),
            seed=seed,
            jobs=jobs,
            progress=progress,
        )
    _show_fit(fitted)
    say(f"written to {out}. Next: medvae train --noise {out}")
    if page is not None:
        from medvae.noise.report import write_fit_report
        from noise_models.scanner import load_scanner

        kept = load_scanner(out)  # the page tells what the file holds, to the digit
        with progress_bar("Drawing") as progress:
            write_fit_report(page, kept, chosen.scans, jobs=jobs, progress=progress)
        say(f"report: {page}")


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


def _not_a_folder(*outputs: Path | None) -> None:
    """Say it before the work, and not after."""
    for path in outputs:
        if path is not None and path.is_dir():
            raise UserError(f"{path} is a folder. Name a file.")


def _columns(words: str) -> list[str]:
    """Names between commas; ``none`` names none."""
    names = [word.strip() for word in words.split(",") if word.strip()]
    if not names:
        raise UserError(f"--adjust {words!r}: must name columns, or none.")
    return [] if names == ["none"] else names


def _show_fit(fitted: ScannerNoise) -> None:
    from medvae.cli.evidence import show_covariates, show_paired
    from noise_models.scanner import show

    content = show(fitted)
    for warning in content["warnings"]:
        warn(warning)
    say(f"evidence: {content['evidence']}")
    for sentence in content["summary"]:
        say(sentence)
    show_covariates(content["covariates"])
    rows: list[list[object]] = [
        [
            site,
            values["scans"],
            values["noise_sigma"]["median"],
            values["bias_rms"],
            values["tissue_contrast"]["gm_over_wm"],
            values["tissue_contrast"]["csf_over_wm"],
        ]
        for site, values in content["sites"].items()
    ]
    show_table(("site", "scans", "noise sigma", "bias rms", "gm/wm", "csf/wm"), rows)
    pairs: list[list[object]] = []
    for pair, values in content["pairs"].items():
        fit = content["goodness"].get(pair, {})
        blur = [values["psf_add_fwhm_mm"][axis] for axis in "xyz"]
        pairs.append(
            [
                pair,
                values["sigma_add"],
                " ".join(f"{width:.2f}" for width in blur),
                values["clipped"]["noise"],
                values["clipped"]["psf"],
                _or_dash(fit.get("auc_before")),
                _or_dash(fit.get("auc_after")),
                _or_dash(fit.get("auc_floor")),
                fit.get("verdict", "-"),
            ]
        )
    show_table(
        (
            "pair",
            "sigma added",
            "blur added mm",
            "clipped noise",
            "clipped psf",
            "AUC before",
            "after",
            "floor",
            "verdict",
        ),
        pairs,
    )
    show_paired(content["paired"])


def _or_dash(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"


@group.command("list")
def list_models(json: Json = False) -> None:
    """List every corruption model that --noise takes."""
    import inspect

    import noise_models
    from noise_models.registry import model_class

    rows = []
    for name in noise_models.names():
        doc = inspect.getdoc(model_class(name)) or ""
        rows.append([name, doc.splitlines()[0] if doc else ""])
    if json:
        emit_json([{"name": name, "summary": text} for name, text in rows])
        return
    show_table(("name", "what it is"), rows)


@group.command("show")
def show_model(name: Name, json: Json = False) -> None:
    """Show what a corruption model does, a fitted one with all its numbers."""
    noise = _open(name)
    from noise_models.scanner import ScannerNoise, show

    if isinstance(noise, ScannerNoise):
        if json:
            emit_json(show(noise))
        else:
            _show_fit(noise)
        return
    settings = dataclasses.asdict(noise)  # type: ignore[call-overload]  # every model is a dataclass
    if json:
        emit_json({"model": noise.name, **settings})
        return
    say(f"{noise.name}")
    show_table(("setting", "value"), [[k, str(v)] for k, v in settings.items()])


@group.command("report")
def report_fit(
    file: Annotated[Path, typer.Argument(help="A file that fit-noise wrote.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="HTML to write.")],
    data: Annotated[
        Path | None, typer.Option(help="The scans that it was fitted to.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    site_from: Annotated[str | None, typer.Option(help="Where the site is.")] = None,
) -> None:
    """Write the report of a fit again; with --data also pictures of its scans.

    Example: medvae noise report scanner.yaml --data my_bids -o scanner.html
    """
    noise = _open(str(file))
    from noise_models.scanner import ScannerNoise

    if not isinstance(noise, ScannerNoise):
        raise UserError(
            f"{file}: only a fitted scanner noise has a report, got {noise.name}. "
            "Make one with: medvae fit-noise SITE_A SITE_B"
        )
    from medvae.noise.report import inputs_among, write_fit_report

    _not_a_folder(out)
    if out.resolve() == file.resolve():
        raise UserError(f"{out} would be overwritten by its report. Name another file.")
    scans = []
    if data is not None:
        from medvae.cohort import read_cohort

        scans = inputs_among(noise, read_cohort(data, site_from), file)
    with progress_bar("Drawing") as progress:
        write_fit_report(out, noise, scans, jobs=jobs, progress=progress)
    said = "" if scans else "; without --data it shows no scans"
    say(f"written to {out}{said}")


@group.command("preview")
def preview(
    name: Name,
    scan: Annotated[Path, typer.Argument(help="A NIfTI file.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="PNG to write.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="Site it is from.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Site it goes to.")] = None,
    draws: Annotated[int, typer.Option(min=1, max=8)] = 3,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Draw a scan beside corruptions of it.

    Example: medvae noise preview rician scan.nii.gz -o rician.png
    """
    from medvae.noise.scan import preview as draw_preview

    if out.resolve() == scan.resolve():
        raise UserError(f"{out} is the scan itself. Name another file with -o.")
    noise = _open(name, from_, to)
    draw_preview(noise, name, scan, out, seeds=range(seed, seed + draws))
    say(f"written to {out}")


@group.command("apply")
def apply(
    name: Name,
    scans: Annotated[list[Path], typer.Argument(help="NIfTI files.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="Site they are from.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Site they go to.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run")] = False,
) -> None:
    """Write corrupted copies of scans, each on its own grid, under its own name.

    Example: medvae noise apply scanner.yaml a.nii.gz --from NYU --to UM_1 -o as_um
    """
    from medvae.encoding.images import write_image
    from medvae.encoding.names import check_outputs
    from medvae.noise.scan import corrupt_scan
    from medvae.training.seeds import seed_of

    noise = _open(name, from_, to)
    check_outputs(out, [path.name for path in scans], scans)
    if dry_run:
        say(f"would write {len(scans)} corrupted scans into {out}")
        return
    with progress_bar("Corrupting") as progress:
        for done, path in enumerate(scans, start=1):
            _, image = corrupt_scan(noise, path, seed=seed_of(seed, path.name))
            write_image(image, out / path.name)
            progress(done, len(scans), path.name)
    say(f"{len(scans)} scans in {out}")


@group.command("score")
def score(
    file: Annotated[Path, typer.Argument(help="What fit-noise wrote.")],
    scans: Annotated[list[Path], typer.Argument(help="NIfTI files.")],
    site: Annotated[
        str | None, typer.Option(help="The site they are said to be from.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    json: Json = False,
) -> None:
    """Say how far scans lie outside a fitted site: drift, or a wrong label.

    Every scan is measured on its own grid. p is the share of the site's own scans that
    would lie as far out: 'unusual' below .05, 'outside' below .01. With --site and
    three scans or more, their common drift is tested, too.

    Example: medvae noise score scanner.yaml new/*.nii.gz --site NYU
    """
    from medvae.noise.scored import not_comparable, score_scans

    fitted = _open_fit(file)
    shut = not_comparable(fitted)
    if shut and not json:
        say(f"not compared, since the fit was adjusted or paired: {', '.join(shut)}")
    with progress_bar("Measuring") as progress:
        rows, moved = score_scans(
            fitted, scans, site=site, jobs=jobs, progress=progress
        )
    if json:
        emit_json(
            {
                "scans": [row.as_dict() for row in rows],
                "not_compared": list(shut),
                "drift": dataclasses.asdict(moved) if moved else None,
            }
        )
        return
    show_table(
        ("scan", "site", "distance", "p", "verdict", "likeliest", "what is strange"),
        [
            [
                row.path.name,
                best.site,
                best.distance,
                best.p,
                best.verdict,
                row.likeliest,
                ", ".join(f"{name} {sd:+.1f} SD" for name, sd in best.strange[:3])
                or "-",
            ]
            for row in rows
            for best in row.scores[:1]
        ],
    )
    if moved:
        say(
            f"together: {moved.parameter} moved by {moved.change:+.3f} from {site} "
            f"(p {moved.p:.3f} over {moved.scans} scans, all parameters counted)"
        )


def _open_fit(file: Path) -> ScannerNoise:
    from noise_models.scanner import ScannerNoise

    noise = _open(str(file))
    if not isinstance(noise, ScannerNoise):
        raise UserError(
            f"{file}: holds a {noise.name}, but scores need a fitted scanner noise. "
            "Make one with: medvae fit-noise SITE_A SITE_B"
        )
    return noise


def _open(
    name: str, source: str | None = None, target: str | None = None
) -> NoiseModel:
    import noise_models
    from medvae.noise.named import FITTED

    given = {"source": source, "target": target}
    options = {key: value for key, value in given.items() if value is not None}
    path = str(FITTED) if name == "scanner" else name
    try:
        return noise_models.load(path, **options)
    except UnicodeDecodeError:
        raise UserError(
            f"{name}: not a text file. Give a preset or a fitted file."
        ) from None
    except FileNotFoundError as error:
        if name == "scanner":
            raise UserError(
                f"{FITTED} not found. Make it with: medvae fit-noise SITE_A SITE_B"
            ) from None
        raise UserError(str(error)) from None
    except (ValueError, TypeError) as error:
        raise UserError(str(error)) from None
