"""A p value as text, the same in sentences, tables and plots."""

from __future__ import annotations


def p_value(p: float) -> str:
    """A p value with the digits it deserves; never 0, which no p is.

    Example:
        >>> p_value(0.03125), p_value(0.0042), p_value(0.0005)
        ('p = 0.03', 'p = 0.004', 'p < 0.001')
    """
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.01 else f"p = {p:.2f}"
