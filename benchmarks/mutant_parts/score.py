"""What a sample of mutants says of the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

FOUND = ("killed", "timeout")


@dataclass
class Row:
    """One mutant that was tried.

    Args:
        word: What came of it.
        seconds: Of processor time.
        tests: How many reach it.
        lines: What was changed, as in a diff; of survivors only.
        was: What came of it before new tests were written.
    """

    word: str
    seconds: float
    tests: int
    lines: Sequence[str] = ()
    was: str | None = None


def summary(rows: Mapping[str, Row]) -> dict[str, Any]:
    """Counts, scores before and after new tests, and who survives.

    A mutant that makes a test hang is found, too. What could not be run (``errors``)
    is no evidence either way and outside of the score.
    """
    words = [row.word for row in rows.values()]
    retried = [name for name, row in rows.items() if row.was is not None]
    first = [row.was or row.word for row in rows.values()]
    return {
        "tried": len(rows),
        **counts(words),
        "unreached": sum(not row.tests for row in rows.values()),
        "before_new_tests": counts(first) if retried else None,
        "seconds_of_processor": round(sum(row.seconds for row in rows.values())),
        "survivors": [[n, *r.lines] for n, r in rows.items() if r.word == "survived"],
        "errors": [[n, r.word] for n, r in rows.items() if r.word.startswith("error")],
    }


def counts(words: Sequence[str]) -> dict[str, Any]:
    """Killed, survived, timeouts, and their share with its 95 % Wilson interval.

    Example:
        >>> found = counts(["killed"] * 9 + ["survived"])
        >>> found["score"], [round(end, 2) for end in found["ci95"]]
        (0.9, [0.6, 0.98])
    """
    found = sum(word in FOUND for word in words)
    n = found + words.count("survived")
    test = stats.binomtest(found, n) if n else None
    interval = test.proportion_ci(method="wilson") if test else (0.0, 1.0)
    return {
        "killed": words.count("killed"),
        "survived": words.count("survived"),
        "timeouts": words.count("timeout"),
        "score": round(found / n, 4) if n else None,
        "ci95": [round(float(end), 4) for end in interval],
    }
