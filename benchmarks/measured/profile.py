"""Where processor time goes: named stages of a piece of work, each without the others.

Functions are clocked in their places, so what is measured is the program as it is. A
stage that calls another stops its own clock meanwhile.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch

OTHER = "everything else"

Stages = Mapping[str, Sequence[str]]
"""Of every stage the functions that do it, as ``package.module.name``."""


class Stopwatch:
    """Processor seconds of the innermost stage at any time.

    Example:
        >>> ticks = iter([0.0, 1.0, 3.0, 6.0, 7.0, 7.0])
        >>> watch = Stopwatch(lambda: next(ticks))
        >>> watch.enter("a"); watch.enter("b"); watch.leave(); watch.leave()
        >>> watch.lap()
        {'everything else': 1.0, 'a': 3.0, 'b': 3.0}
    """

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._clock, self._seconds = clock, dict[str, float]()
        self._inside, self._since = [OTHER], clock()

    def lap(self) -> dict[str, float]:
        """Seconds of every stage since the last lap."""
        self._stop()
        done, self._seconds = self._seconds, {}
        return done

    def enter(self, stage: str) -> None:
        """From now on time goes to ``stage``."""
        self._stop()
        self._inside.append(stage)

    def leave(self) -> None:
        """From now on it goes to the stage before."""
        self._stop()
        self._inside.pop()

    def _stop(self) -> None:
        now, stage = self._clock(), self._inside[-1]
        self._seconds[stage] = self._seconds.get(stage, 0.0) + now - self._since
        self._since = now


@contextmanager
def clocked(stages: Stages, watch: Stopwatch) -> Iterator[None]:
    """Clock the functions of ``stages`` wherever they are called by these names."""
    with ExitStack() as places:
        for stage, names in stages.items():
            for name in names:
                places.enter_context(
                    patch(name, _watched(resolve_name(name), stage, watch))
                )
        yield


def _watched(
    function: Callable[..., Any], stage: str, watch: Stopwatch
) -> Callable[..., Any]:
    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (whatever it takes)
        watch.enter(stage)
        try:
            return function(*args, **kwargs)
        finally:
            watch.leave()

    return run


def profile(
    work: Callable[[], object], stages: Stages, runs: int
) -> dict[str, dict[str, float]]:
    """Milliseconds of processor time and share of every stage, the median run's.

    Args:
        work: What is done, once to warm up and ``runs`` times after.
        stages: Which functions to clock.
        runs: How often.
    """
    work()
    watch, found = Stopwatch(), list[dict[str, float]]()
    with clocked(stages, watch):
        for _ in range(runs):
            watch.lap()
            work()
            found.append(watch.lap())
    return table(found, stages)


def table(
    found: Sequence[Mapping[str, float]], stages: Stages
) -> dict[str, dict[str, float]]:
    """Median of every stage over runs, in milliseconds and as a share of them all."""
    medians = {
        stage: statistics.median(run.get(stage, 0.0) for run in found)
        for stage in (*stages, OTHER)
    }
    total = sum(medians.values())
    return {
        stage: {"ms": round(1000 * value, 3), "share": round(value / total, 4)}
        for stage, value in medians.items()
    }


def over(
    stages: Mapping[str, Mapping[str, Mapping[str, float]]], above: str, below: str
) -> float:
    """What one piece of work takes of another, all stages together.

    Example:
        >>> over({"a": {"x": {"ms": 3}}, "b": {"y": {"ms": 2}}}, "a", "b")
        1.5
    """
    total = {
        name: sum(stage["ms"] for stage in stages[name].values()) for name in stages
    }
    return total[above] / total[below]
