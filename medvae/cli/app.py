"""Puts the verbs together; nothing heavy is imported until one of them runs."""

from __future__ import annotations

import typer

import medvae
from medvae.cli import (
    axes,
    comparison,
    config,
    console,
    corrupting,
    data,
    demo,
    encoding,
    evaluation,
    export,
    fit,
    noise,
    noise_fits,
    painting,
    training,
    verify,
)
from medvae.cli.usage import use_verbs

app = typer.Typer(
    name="medvae",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Fit how scanners differ, train an autoencoder that sees through it, and "
        "measure on a site it never saw whether it does.\n\n"
        "Start here: [bold]medvae demo[/bold], or with your own scans, "
        "[bold]medvae cohort DATA[/bold]."
    ),
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"medvae {medvae.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
    quiet: bool = typer.Option(
        False, "-q", "--quiet", envvar="MEDVAE_QUIET", help="Only warnings and errors."
    ),
) -> None:
    del version  # its callback has done the work
    console.be_quiet(quiet)


app.command("demo")(demo.demo)
app.command("phantom")(data.phantom)
app.command("cohort")(data.cohort)
app.command("fit-noise")(fit.fit_noise)
noise.group.command("apply")(corrupting.apply)
noise.group.command("report")(noise_fits.report_fit)
noise.group.command("score")(noise_fits.score)
app.add_typer(noise.group, name="noise")
app.command("train")(training.train)
app.command("axes")(axes.axes)
app.command("encode")(encoding.encode)
app.command("decode")(painting.decode)
app.command("harmonize")(painting.harmonize)
app.command("evaluate")(evaluation.evaluate)
app.command("compare")(comparison.compare)
app.command("verify")(verify.verify)
app.command("export")(export.export)
app.add_typer(config.group, name="config")
use_verbs(app, noise.group, config.group)
