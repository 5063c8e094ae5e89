"""What few seeds can say: their own differences between arms, by Student's t."""

from __future__ import annotations

from collections.abc import Mapping

from measured.cells import Result, table, verdict
from measured.students import spread

_WORDS = """## What {count} seeds can say

Training differs from seed to seed, and {count} seeds are few. Here are the differences
of each seed's own arms, which meet the same people, with Student's t over the seeds
({freedom} degrees of freedom); what is told apart here holds whatever the seed.
"""


def few_seeds_section(found: Result, measures: Mapping[str, str]) -> str:
    """A table of differences over seeds alone; empty for one seed.

    Args:
        found: The comparison.
        measures: Of an evaluation, less being better, and their names.
    """
    seeds, challenger = found["per_seed"], found["plan"]["challenger"]
    count = len(found["seeds"])
    if count < 2 or challenger not in seeds:
        return ""
    others = [arm["name"] for arm in found["plan"]["arms"] if not arm["baseline"]]
    pairs = [(challenger, other) for other in others if other != challenger]
    pairs += [
        ("scanner_fitted", other)
        for other in ("randomised", "randomised_full")
        if {"scanner_fitted", other} <= {*others}
    ]
    rows = [
        [f"{arm} less {other}", *(_cell(seeds[arm], seeds[other], k) for k in measures)]
        for arm, other in pairs
        if other in seeds
    ]
    words = _WORDS.format(count=count, freedom=count - 1)
    return f"{words}\n{table(['', *measures.values()], rows)}"


def _cell(arm: Result, other: Result, key: str) -> str:
    if not all(key in numbers for run in (arm, other) for numbers in run.values()):
        return "–"
    apart = [arm[seed][key] - other[seed][key] for seed in arm if seed in other]
    if len(apart) < 2:
        return "–"
    return verdict({**spread(apart), "better": "lower"})
