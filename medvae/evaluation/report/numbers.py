"""A measured number as text, and what too few people cannot say."""

from __future__ import annotations

from medvae.counted import counted
from medvae.evaluation.bootstrap import least_p
from medvae.evaluation.estimate import Estimate

LEVEL = 0.05
"""Of p, from which on a difference is said to be chance's, perhaps."""


def number(estimate: Estimate, digits: int = 2) -> str:
    """A value and its interval.

    Example:
        >>> number(Estimate(0.512, (0.4, 0.61), n=9))
        '0.51 (0.40 to 0.61)'
    """
    text = f"{estimate.value:.{digits}f}"
    if estimate.ci95 is None:
        return text
    low, high = (f"{v:.{digits}f}" for v in estimate.ci95)
    return f"{text} ({low} to {high})"


def on_travelers(n: int) -> str:
    """On how many people a sign-flip p rests, and whether so few can decide.

    Example:
        >>> on_travelers(6), on_travelers(3)
        ('6 travelers', '3 travelers cannot decide: p cannot fall below 0.25')
    """
    people = counted(n, "traveler")
    least = least_p(n)
    if least < LEVEL:
        return people
    return f"{people} cannot decide: p cannot fall below {least:.2f}"
