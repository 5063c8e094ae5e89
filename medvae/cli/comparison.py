"""compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medvae.cli.cohorts import check_known, refuse_unknown
from medvae.cli.console import (
    emit_json,
    leave_stdout,
    progress_bar,
    quiet_libraries,
    say,
    show_table,
)
from medvae.cli.hints import command
from medvae.cli.outcome import end
from medvae.errors import UserError

if TYPE_CHECKING:
    from medvae.comparison import Plan


def compare(
    noise: Annotated[
        str | None,
        typer.Option(
            help="Arms, comma-separated: none, gaussian, salt_and_pepper, randomised, "
            "scanner, scanner_wide, scanner_fitted; on a phantom oracle, oracle_wide; "
            "baselines pca, combat, combat_fitted, nyul; or any arm of the config. "
            "By default all of the config."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Scans; by default the config's phantom.")
    ] = None,
    held_out: Annotated[
        list[str] | None,
        typer.Option(help="Site that no arm is trained on; give it once for each."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Runs of each arm.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML, or compare-small, compare-medium, compare."),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write.")] = Path(
        "compare"
    ),
    cache: Annotated[
        Path | None, typer.Option(help="Where prepared volumes are kept; OUT/cache.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Arms at a time.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print compare.json.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be run.")
    ] = False,
) -> None:
    """Train arms alike but for the corruption, and set them side by side.

    Finished arms are kept: interrupted, the same command goes on where it stopped.
    Writes compare.json and report.html.

    Example: medvae compare --config compare-small -o compare
    """
    from medvae.comparison.plan import NO_DATA, check_holds_out, load_plan

    names = [name.strip() for name in (noise or "").split(",") if name.strip()]
    if noise is not None and not names:
        raise UserError(f"--noise {noise!r}: must name arms, such as none,scanner.")
    plan = load_plan(config, noise=names, held_out=held_out or (), seeds=seeds)
    if data is not None:
        check_known(plan.held_out, data, None)
    elif plan.phantom is None:
        raise UserError(NO_DATA)
    else:
        check_holds_out(plan, plan.phantom.sites)
        refuse_unknown(plan.held_out, plan.phantom.sites)
    if dry_run:
        if data is not None:
            _refuse_unfit(plan, data)
        runs = sum(len(arm.settings) for arm in plan.arms) * plan.seeds
        source = data or f"a phantom in {out}"
        arms = ", ".join(arm.name for arm in plan.arms)
        unseen = ", ".join(plan.held_out) or "no site"
        leave_stdout(json)
        lines = [
            f"would read {source}; held out: {unseen}",
            f"would run {runs} settings of {arms}, {plan.seeds} seed(s), into {out}",
        ]
        end(lines, json=json)
        return
    from medvae.comparison.run import open_data, run_comparison, table_of

    leave_stdout(json)
    quiet_libraries()
    cohort = open_data(plan, data, out, jobs, progress_bar, cache)
    result = run_comparison(
        plan,
        cohort,
        out,
        cache=cache or out / "cache",
        jobs=jobs,
        command=_command(names, data, held_out, seeds, config),
        say=say,
        bar=progress_bar,
    )
    if json:
        emit_json(result.content)
        return
    show_table(*table_of(result.content))
    say(f"result: {result.result}")
    say(f"report: {result.report}")


def _refuse_unfit(plan: Plan, data: Path) -> None:
    """Sites and arms that the data cannot carry, without a look at any voxel."""
    from medvae.cohort import read_cohort
    from medvae.comparison.run import check_comparable

    check_comparable(plan, read_cohort(data))


def _command(
    names: list[str],
    data: Path | None,
    held_out: list[str] | None,
    seeds: int | None,
    config: Path | None,
) -> str:
    """What to type to have it again, without what decides only where and how fast."""
    return command(
        "compare",
        noise=",".join(names) or None,
        data=data.name if data else None,
        held_out=held_out,
        seeds=seeds,
        config=config.as_posix() if config else None,
    )
