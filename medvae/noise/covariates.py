"""Age, sex and other columns of a cohort as numbers that a fit can adjust for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medvae.cohort import Cohort, Scan
from medvae.errors import UserError

USUAL = ("age", "sex")

Values = dict[str, dict[str, list[float]]]


def covariate_values(
    cohort: Cohort, wanted: Sequence[str] | None = None
) -> tuple[Values, list[str]]:
    """Site to covariate to one number per scan, and which of them to adjust for.

    Age and sex are described wherever the cohort has them, adjusted for or not. Of two
    sexes the second in alphabetical order counts 1, and stands in the name: ``sex=M``.

    Args:
        cohort: Scans of the sites to be fitted.
        wanted: Columns to adjust for; None for those of age and sex that vary,
            empty for none.

    Raises:
        UserError: A wanted column is not there or holds no numbers.

    Example:
        >>> from pathlib import Path
        >>> scans = Scan(Path("a"), "1", "A", age=30.0), Scan(Path("b"), "2", "B")
        >>> covariate_values(Cohort(Path("."), "table", scans))[0]
        {'A': {'age': [30.0]}, 'B': {'age': [nan]}}
    """
    values: Values = {site: {} for site in cohort.sites}
    adjust = []
    for name in dict.fromkeys((*USUAL, *(wanted or ()))):
        cells = {s: [_cell(scan, name) for scan in cohort.at(s).scans] for s in values}
        found = {cell for row in cells.values() for cell in row if cell is not None}
        is_wanted = name in wanted if wanted is not None else len(found) > 1
        if wanted and is_wanted and not found:
            raise UserError(
                f"--adjust {name}: no scan of {', '.join(values)} has it. "
                f"Known: {', '.join(_columns(cohort)) or 'none'}; or --adjust none."
            )
        codes = _codes(name, found, is_named=bool(wanted) and is_wanted)
        if not codes:
            continue
        shown = f"sex={max(found)}" if name == "sex" else name
        for site, row in cells.items():
            values[site][shown] = [codes.get(cell, math.nan) for cell in row]
        if is_wanted:
            adjust.append(shown)
    return values, adjust


def _cell(scan: Scan, name: str) -> str | None:
    if name == "age":
        return None if scan.age is None else str(scan.age)
    return scan.sex if name == "sex" else scan.covariates.get(name)


def _columns(cohort: Cohort) -> list[str]:
    usual = [n for n in USUAL if any(_cell(scan, n) for scan in cohort.scans)]
    return usual + sorted({name for scan in cohort.scans for name in scan.covariates})


def _codes(name: str, found: set[str], *, is_named: bool) -> dict[str | None, float]:
    """Number of every cell; empty for a column that has none to offer."""
    codes: dict[str | None, float] = {}
    if name == "sex":
        if len(found) == 2:
            codes.update(zip(sorted(found), (0.0, 1.0), strict=True))
        elif is_named:
            listed = ", ".join(sorted(found))
            raise UserError(f"--adjust sex: two sexes are needed, got {listed}.")
        return codes
    for cell in found:
        try:
            codes[cell] = float(cell)
        except ValueError:
            raise UserError(
                f"--adjust {name}: must hold numbers, got {cell!r}."
            ) from None
    return codes
