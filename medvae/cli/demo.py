"""demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medvae.cli.console import progress_bar, quiet_libraries, say


def demo(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Decides every number.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written.")
    ] = False,
) -> None:
    """Run the whole pipeline on simulated hospitals and write a report.

    Nothing is downloaded. Interrupted, the same command goes on where it stopped.

    Example: medvae demo demo
    """
    if dry_run:
        say(f"would write a phantom, a fitted noise, two runs and a report into {out}")
        return
    from medvae.demo import DemoSize, run_demo

    quiet_libraries()
    result = run_demo(
        out, seed=seed, size=DemoSize(jobs=jobs), say=say, bar=progress_bar
    )
    say("")
    say(f"The report: {result.report}")
    for finding in result.findings:
        say(f"- {finding}")
