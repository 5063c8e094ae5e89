"""train."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from medvae.cli.console import (
    hush,
    leave_stdout,
    progress_bar,
    quiet_libraries,
    say,
    warn,
)
from medvae.cli.hints import command
from medvae.cli.outcome import Json, end
from medvae.cli.scans import DryRun
from medvae.counted import counted

if TYPE_CHECKING:
    from medvae.cohort import Cohort
    from medvae.training.config import TrainConfig
    from noise_models.base import NoiseModel


def train(
    noise: Annotated[
        str | None,
        typer.Option(
            help="A model's name, a preset file, or a fitted file; 'scanner' finds "
            "scanner.yaml here. See: medvae noise list."
        ),
    ] = None,
    data: Data = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="YAML with settings; train: all of them, explained; train-small: for "
            "two cores."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override one setting: optimiser.epochs=20."),
    ] = None,
    held_out: Annotated[
        list[str] | None,
        typer.Option(
            help="Site that training must not see; once for each: --held-out A "
            "--held-out B."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Run folder; runs/NOISE.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after an interruption.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of split, weights and corruption.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, mps.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="32-true, bf16-mixed or 16-mixed.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes.")] = None,
    cache: Cache = None,
    site_from: SiteFrom = None,
    skip_bad: SkipBad = False,
    prepare_only: Annotated[
        bool, typer.Option("--prepare-only", help="Fill the cache, then stop.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Train a denoising VAE whose corruption is the noise of your choice.

    Settings come from the defaults, then --config, then --set, then named flags.

    Example: medvae train --noise scanner --held-out SITE_C -o runs/scanner
    """
    from medvae.training.config import load_config
    from medvae.training.ranks import check_processes, process_rank

    if process_rank() > 0:
        hush()
        json = False
    leave_stdout(json)
    settings = load_config(
        config,
        set_ or (),
        noise=noise,
        seed=seed,
        device=device,
        precision=precision,
        jobs=jobs,
        held_out=tuple(held_out) if held_out else None,
    )
    if not prepare_only:
        check_processes(settings.devices, settings.nodes)
    run = out or Path("runs") / Path(settings.noise).stem
    check_known(settings.held_out, data, site_from)
    from medvae.training.loggers import check_logger  # these load torch
    from medvae.training.run_folder import refuse_used

    if process_rank() == 0:
        refuse_used(run, resume=resume)
    check_logger(settings.logger)
    scans = open_cohort(data, site_from, skip_bad=skip_bad)
    show_left_out(scans)
    corruption = _opened_noise(settings, scans)
    from medvae.training.split import assign_splits, told, told_scans

    splits = assign_splits(scans, settings.held_out, settings.seed)
    say(told(splits, scans, settings.held_out))
    if dry_run:
        would_use = told_scans(splits, scans, settings.held_out)
        say(f"would use {would_use} of {data or 'medvae.yaml'}, into {run}")
        end(
            f"epochs {settings.optimiser.epochs}, grid {settings.grid.shape}", json=json
        )
        return
    from medvae.training.material import gather
    from medvae.training.run import train as train_run

    quiet_libraries()
    with progress_bar("Preparing") as progress:
        material = gather(settings, scans, corruption, cache, progress=progress)
    if prepare_only:
        end(
            f"{counted(len(material.scans), 'scan')} prepared. Train without "
            "--prepare-only.",
            json=json,
        )
        return
    with progress_bar("Training") as progress:
        train_run(
            settings,
            scans,
            material,
            corruption,
            run,
            resume=resume,
            progress=progress,
            command=shlex.join(["medvae", *sys.argv[1:]]),
        )
    scans_of = {"data": data, "site_from": site_from, "skip_bad": skip_bad}
    _show_end(run, command("evaluate", run, **scans_of, cache=cache), json=json)


def _opened_noise(settings: TrainConfig, scans: Cohort) -> NoiseModel:
    """The corruption, once scans, device and network are known to do."""
    from medvae.noise.named import open_noise
    from medvae.training.material import check_held_out
    from medvae.training.run import accelerator_of, network_of

    check_held_out(scans, settings.held_out)
    accelerator_of(settings.device, settings.precision)
    network_of(settings)
    corruption, origin = open_noise(settings.noise, settings.dispersion)
    say(f"noise: {origin}")
    fitted = set(getattr(corruption, "labels", ())) & set(settings.held_out)
    if fitted:
        warn(
            f"the noise was fitted on scans of held-out {', '.join(sorted(fitted))}: "
            "report it as the regime 'fitted', not 'unseen'."
        )
    return corruption


def _show_end(run: Path, then: str, *, json: bool = False) -> None:
    from medvae.training.progress import read_metrics

    rows = read_metrics(run / "metrics.jsonl")
    epochs = counted(len(rows), "epoch")
    best_epoch: int | None = None
    watched = [row for row in rows if "validation_bound" in row]
    if watched:
        best = max(watched, key=lambda row: row["validation_bound"])
        best_epoch = int(best["epoch"]) + 1
        kept, last = best["validation_bound"], watched[-1]["validation_bound"]
        say(
            f"{epochs}; the weights kept are those of epoch "
            f"{best_epoch}, best on the validation scans: bound {kept:.0f} nats "
            f"a scan (higher is better), {last:.0f} at the end. All numbers: "
            f"{run / 'metrics.jsonl'}"
        )
    else:
        say(f"{epochs}; no validation scans, so the last weights are kept.")
    end(
        f"run written to {run}.",
        then=then,
        json=json,
        written=[run],
        epochs=len(rows),
        best_epoch=best_epoch,
    )
