"""Timing in turn: A, B, A, B, ... and the ratios of neighbours."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def interleaved(
    work: Mapping[str, Callable[[], object]],
    runs: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of every piece of work, done in turn ``runs`` times after a warm-up.

    What slows the machine down for a while slows all of them down.
    """
    for one in work.values():
        one()
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(runs):
        for name, one in work.items():
            start = clock()
            one()
            seconds[name].append(clock() - start)
    return seconds


def ratio(above: Sequence[float], below: Sequence[float]) -> dict[str, Any]:
    """Median and quartiles of the ratios of neighbours."""
    found = sorted(a / b for a, b in zip(above, below, strict=True))
    return spread(found)


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles and number of values."""
    ordered = sorted(values)
    if len(ordered) < 2:
        low = high = ordered[0]
    else:
        low, _, high = statistics.quantiles(ordered, n=4, method="inclusive")
    return {
        "median": round(statistics.median(ordered), 6),
        "quartiles": [round(low, 6), round(high, 6)],
        "n": len(ordered),
    }
