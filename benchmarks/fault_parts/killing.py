"""Running a verb in a process of its own, and killing it at a random moment."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ending:
    """How a run of a verb ended."""

    seconds: float
    code: int  # negative: the signal that ended it


def run(words: Sequence[str], log: Path, kill_after: float | None = None) -> Ending:
    """Run ``medvae WORDS``; killed with SIGKILL after a while.

    Nobody kills what it started: that has to end by itself. The process is forked from
    this one, which has the libraries loaded already, so that kills fall into the work
    and not into the imports.
    """
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _become(words, log)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        elapsed = time.monotonic() - started
        if done:
            return Ending(elapsed, os.waitstatus_to_exitcode(status))
        if kill_after is not None and elapsed > kill_after:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            return Ending(elapsed, os.waitstatus_to_exitcode(status))
        time.sleep(0.002)


def _become(words: Sequence[str], log: Path) -> None:
    code = 70
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.argv = ["medvae", *words]
        from medvae.cli import main

        main()
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@dataclass(frozen=True)
class Survival:
    """What a verb went through until it was done.

    Args:
        kills: Moments of the kills, seconds after the start.
        seconds: Of the last, undisturbed run.
    """

    kills: list[float]
    seconds: float


def survive(
    words: Sequence[str],
    log: Path,
    *,
    again: Sequence[str],
    most: int,
    lasts: float,
    rng: random.Random,
) -> Survival:
    """Kill a verb up to ``most`` times, then let the same command end.

    Args:
        words: The command.
        log: What it prints.
        again: Words added after the first kill, such as ``--resume``.
        most: Kills.
        lasts: Seconds that an undisturbed run takes.
        rng: Chooses the moments.

    Raises:
        RuntimeError: The command did not end well after the kills.
    """
    kills = []
    for _ in range(most):
        given = [*words, *(again if kills else ())]
        moment = rng.uniform(0.02, 1.0) * lasts
        ending = run(given, log, moment)
        if ending.code == 0:  # done before the kill
            return Survival(kills, ending.seconds)
        if ending.code != -signal.SIGKILL:
            raise RuntimeError(f"{given}: exit {ending.code}; see {log}")
        kills.append(round(ending.seconds, 3))
    given = [*words, *(again if kills else ())]
    ending = run(given, log)
    if ending.code != 0:
        raise RuntimeError(f"{given}: exit {ending.code} after {kills}; see {log}")
    return Survival(kills, ending.seconds)
