"""train."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.console import (
    hush,
    progress_bar,
    quiet_libraries,
    say,
    show_table,
    warn,
)
from medvae.cli.hints import command


def train(
    noise: Annotated[
        str | None,
        typer.Option(
            help="A model's name, a preset file, or a fitted file; 'scanner' finds "
            "scanner.yaml here. See: medvae noise list."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Scans; by default ./medvae.yaml.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML with settings.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override one setting: optimiser.epochs=20."),
    ] = None,
    held_out: Annotated[
        list[str] | None, typer.Option(help="Site that training must not see.")
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
    cache: Annotated[
        Path | None, typer.Option(help="Where prepared volumes are kept.")
    ] = None,
    site_from: Annotated[str | None, typer.Option(help="Where the site is.")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave unusable scans out, and say so.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be read and written.")
    ] = False,
) -> None:
    """Train a denoising VAE whose corruption is the noise of your choice.

    Settings come from the defaults, then --config, then --set, then named flags.

    Example: medvae train --noise scanner --held-out SITE_C -o runs/scanner
    """
    from medvae.cli.cohorts import open_cohort, show_left_out
    from medvae.training.config import load_config
    from medvae.training.ranks import process_rank

    if process_rank() > 0:
        hush()
    flags = {
        "noise": noise,
        "seed": seed,
        "device": device,
        "precision": precision,
        "jobs": jobs,
        "held_out": tuple(held_out) if held_out else None,
    }
    settings = load_config(config, set_ or (), **flags)
    run = out or Path("runs") / Path(settings.noise).stem
    scans = open_cohort(data, site_from, skip_bad=skip_bad)
    show_left_out(scans)
    from medvae.noise.named import open_noise
    from medvae.training.material import check_held_out, gather
    from medvae.training.run import accelerator_of, network_of

    check_held_out(scans, settings.held_out)
    accelerator_of(settings.device)
    network_of(settings)
    corruption, origin = open_noise(settings.noise, settings.dispersion)
    say(f"noise: {origin}")
    fitted = set(getattr(corruption, "labels", ())) & set(settings.held_out)
    if fitted:
        warn(
            f"the noise was fitted on scans of held-out {', '.join(sorted(fitted))}: "
            "report it as the regime 'fitted', not 'unseen'."
        )
    if dry_run:
        say(f"would train on {len(scans)} scans of {data or 'medvae.yaml'} into {run}")
        say(f"epochs {settings.optimiser.epochs}, grid {settings.grid.shape}")
        return
    from medvae.training.run import train as train_run

    quiet_libraries()
    with progress_bar("Preparing") as progress:
        material = gather(settings, scans, corruption, cache, progress=progress)
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
    _show_end(run, command("evaluate", run, **scans_of, cache=cache))


def _show_end(run: Path, then: str) -> None:
    import json

    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1])
    show_table(list(last), [list(last.values())])
    say(f"run written to {run}. Next: {then}")
