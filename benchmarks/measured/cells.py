"""Numbers of a comparison, and tables, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]


def shown(number: Result | None) -> str:
    """A mean with its interval.

    Example:
        >>> shown({"mean": 0.5, "ci95": [0.4, 0.6]}), shown(None)
        ('0.500 (0.400 to 0.600)', '–')
    """
    if number is None or number["mean"] is None:
        return "–"
    if number["ci95"] is None:
        return f"{number['mean']:.3f}"
    low, high = number["ci95"]
    return f"{number['mean']:.3f} ({low:.3f} to {high:.3f})"


def training_sites(found: Result) -> list[str]:
    """The sites of a phantom that its arms learned from."""
    plan = found["plan"]
    apart = {*found["held_out"], *plan.get("fit_only", ())}
    return [site for site in plan["phantom"]["sites"] if site not in apart]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def kind(change: Result) -> str:
    """Whether a difference speaks for the challenger, against it, or for neither."""
    ci95 = change["ci95"]
    if ci95 is None or ci95[0] <= 0 <= ci95[1]:
        return "not told apart"
    return "better" if (ci95[1] < 0) == (change["better"] == "lower") else "worse"


def verdict(change: Result | None) -> str:
    """A difference, marked where its interval leaves out zero.

    Example:
        >>> verdict({"mean": -0.1, "ci95": [-0.2, -0.05], "better": "lower"})
        '**-0.100** (-0.200 to -0.050)'
    """
    if change is None:
        return "–"
    text, ci95 = f"{change['mean']:.3f}", change["ci95"]
    if ci95 is None:
        return text
    low, high = ci95
    mark = {"better": "**", "worse": "*"}.get(kind(change), "")
    text = f"{mark}{text}{mark}"
    return f"{text} ({low:.3f} to {high:.3f})"
