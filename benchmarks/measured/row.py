"""A row of docs/performance.md: one target and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One target and what was measured.

    Args:
        what: In words.
        limit: The target; positive for at least, negative for at most; 0 for none.
        found: ``median``, ``n`` and, where there is a spread, ``quartiles``.
        unit: Behind the numbers.
    """

    what: str
    limit: float
    found: Mapping[str, Any]
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the median reaches the target."""
        median = self.found["median"]
        return median >= self.limit if self.limit > 0 else median <= -self.limit

    def line(self) -> str:
        """As a row of a Markdown table."""
        sign = "≥" if self.limit > 0 else "≤"
        target = f"{sign} {abs(self.limit):g}{self.unit}" if self.limit else "-"
        verdict = "" if not self.limit else "yes" if self.is_met else "**no**"
        cells = (
            self.what,
            target,
            f"{number(self.found['median'])}{self.unit}{self._spread()}",
            str(self.found["n"]),
            verdict,
        )
        return f"| {' | '.join(cells)} |"

    def _spread(self) -> str:
        if self.found["n"] == 1 or "quartiles" not in self.found:
            return ""
        low, high = self.found["quartiles"]
        return f" ({number(low)} to {number(high)})"


def once(value: float) -> dict[str, Any]:
    """A number that was measured one time."""
    return {"median": value, "n": 1}


def number(value: float) -> str:
    """Three digits, and whole from a thousand on."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
