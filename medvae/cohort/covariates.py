"""Cells of a table as values: what is missing, an age, a sex."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

SITE_COLUMNS = ("site", "site_id", "institution_id", "center", "centre", "scanner_site")
AGE_COLUMNS = ("age", "age_at_scan", "age_years", "ageatscan", "age_at_scan_1")
SEX_COLUMNS = ("sex", "gender")

_MISSING = {"", "n/a", "na", "nan", "none", "null", "-9999"}
_SEX = {"m": "M", "male": "M", "f": "F", "female": "F"}


def cell(row: Mapping[str, str], columns: Iterable[str]) -> str | None:
    """First present value among some columns, their case ignored.

    Example:
        >>> cell({"SITE_ID": "NYU", "age": "n/a"}, SITE_COLUMNS)
        'NYU'
    """
    folded = {key.strip().casefold(): value for key, value in row.items()}
    for column in columns:
        value = present(folded.get(column.casefold()))
        if value is not None:
            return value
    return None


def present(value: str | None) -> str | None:
    """The value without blanks, or None where it says that there is none."""
    text = (value or "").strip()
    return None if text.casefold() in _MISSING else text


def parse_age(value: str | None) -> float | None:
    """Years; BIDS writes ages over 89 as ``89+``.

    Raises:
        ValueError: Not an age between 0 and 130.

    Example:
        >>> parse_age("89+"), parse_age("n/a")
        (89.0, None)
    """
    text = present(value)
    if text is None:
        return None
    try:
        age = float(text.removesuffix("+"))
    except ValueError:
        age = math.nan
    if not 0 <= age <= 130:
        raise ValueError(f"age must be a number of years, got {text!r}")
    return age


def parse_sex(value: str | None) -> str | None:
    """``F`` or ``M`` where the word says so; codes such as 1 and 2 stay as written.

    ABIDE codes male as 1, CoRR female: guessing would be wrong half the time.
    """
    text = present(value)
    return _SEX.get(text.casefold(), text) if text is not None else None


def other_columns(row: Mapping[str, str], used: Iterable[str]) -> dict[str, str]:
    """The present cells that no known column claims."""
    known = {column.casefold() for column in used}
    return {
        key: value
        for key, cell_text in row.items()
        if key.strip().casefold() not in known
        and (value := present(cell_text)) is not None
    }
