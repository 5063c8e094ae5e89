"""The only place that prints: results, progress and one-line errors."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from medvae.plain import one_line, plain

Progress = Callable[[int, int, str], None]

PLAIN_SECONDS = 5.0  # without a terminal, a line at most this often

PLAIN_WIDTH = 160  # a pipe has no width; tables must not lose columns in it

out = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
err = Console(stderr=True, highlight=False)


def be_quiet(quiet: bool) -> None:
    """Whether results and progress stay unsaid; JSON, warnings and errors do not."""
    out.quiet, out.stderr = quiet, False


def leave_stdout(json: bool) -> None:
    """Say results on standard error from here on, if the output is to be JSON alone."""
    out.stderr = json


def say(text: str) -> None:
    """Print a line for a person to read."""
    out.print(plain(text), markup=False, soft_wrap=True)


def hush() -> None:
    """Print no results from here on: another process of the same run does."""
    out.quiet = True


def warn(text: str) -> None:
    """Print a warning to standard error."""
    err.print(
        f"warning: {one_line(text)}", markup=False, soft_wrap=True, style="yellow"
    )


def fail(text: str) -> None:
    """Print what went wrong, as one line, to standard error."""
    err.print(f"error: {one_line(text)}", markup=False, soft_wrap=True, style="red")


def emit_json(content: Any) -> None:  # noqa: ANN401 (anything JSON holds)
    """Print JSON for a machine, unstyled."""
    sys.stdout.write(json.dumps(content, indent=2, allow_nan=False) + "\n")


def emit_line(content: Any) -> None:  # noqa: ANN401 (anything JSON holds)
    """Print JSON for a machine on one line, as a log holds it."""
    sys.stdout.write(json.dumps(content, allow_nan=False) + "\n")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a header; numbers stand to the right."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 3, 0, 0))
    for i, column in enumerate(columns):
        numeric = all(isinstance(row[i], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def _cell(value: object) -> Text:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return Text(plain(text))


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A bar on a terminal, plain lines elsewhere; call with (done, total, label)."""
    if out.quiet:
        yield lambda done, total, label: None
        return
    if not err.is_terminal:
        yield _plain(title)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[label]}", style="dim", markup=False),
    )
    with Progress(*columns, console=err) as bars:
        task = bars.add_task(title, total=None, label="", visible=False)
        yield lambda done, total, label: bars.update(
            task,
            completed=done,
            total=total,
            label=plain(label),
            visible=True,  # what is known already shows no bar that never moved
        )


def _plain(title: str) -> Progress:
    last = time.monotonic()

    def report(done: int, total: int, label: str) -> None:
        nonlocal last
        now = time.monotonic()
        if done < total and now - last < PLAIN_SECONDS:
            return
        last = now
        err.print(
            plain(f"{title}: {done}/{total}  {label}".rstrip()),
            markup=False,
            soft_wrap=True,
        )

    return report


def quiet_libraries() -> None:
    """Keep the training library's banners out of the words we choose."""
    import logging

    for name in ("pytorch_lightning", "lightning_fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
