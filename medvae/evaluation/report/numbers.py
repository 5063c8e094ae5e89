"""A measured number as text."""

from __future__ import annotations

from medvae.evaluation.estimate import Estimate


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
