"""How many of what: one scan, two scans."""

from __future__ import annotations


def counted(n: int, one: str, many: str = "") -> str:
    """A number and its noun, singular for one.

    Args:
        n: How many.
        one: The noun for one.
        many: For any other number; by default ``one`` and an s.

    Example:
        >>> counted(1, "scan"), counted(0, "scan"), counted(2, "person", "people")
        ('1 scan', '0 scans', '2 people')
    """
    return f"{n} {one}" if n == 1 else f"{n} {many or one + 's'}"
