"""Valid files with something changed, slice by slice: a stopped run goes on."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from fuzz_parts.tally import Tally

SLICE_S = 5.0


def fuzz_by_chance(
    tallies: dict[str, Tally], minutes: float, seed: int, keep: Callable[[], None]
) -> None:
    """Feed the readers in turn until each has had its share of the time.

    Every slice has a seed of its own: a run that was stopped goes on with new files.
    A reader may take half a gigabyte beyond what is there (`bad_input.MORE_MEMORY`).

    Args:
        tallies: By reader; those of an earlier run are gone on with.
        minutes: Of processor time, shared equally.
        seed: Of the changes.
        keep: Called after every slice.
    """
    from readers import READERS

    share = 60 * minutes / len(tallies)
    while waiting := [name for name, t in tallies.items() if t.seconds < share]:
        for name in waiting:
            tally = tallies[name]
            rng = random.Random(f"{seed} {name} {tally.slices}")
            _slice(READERS[name], tally, rng, min(SLICE_S, share - tally.seconds))
            keep()


def _slice(
    reader: Any,  # noqa: ANN401 (a Reader)
    tally: Tally,
    rng: random.Random,
    seconds: float,
) -> None:
    from bad_input import little_memory
    from mangling import mangled

    seeds = reader.seeds()
    started = time.process_time()
    spent = 0.0
    with little_memory():
        while spent < seconds:
            tally.feed(reader, mangled(rng.choice(seeds), rng))
            spent = time.process_time() - started
    tally.seconds += spent
    tally.slices += 1
