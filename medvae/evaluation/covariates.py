"""Taking out of features what age and sex explain, so that a probe cannot use it.

Sites recruit different people. A probe that reads the site through the people's age
reads biology, not the scanner.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from medvae.evaluation.estimate import FloatArray, IntArray


def residuals(
    train: FloatArray,
    test: FloatArray,
    known: FloatArray,
    asked: FloatArray,
    group: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """Features less the covariates' effect, as it is within groups of training rows.

    The slope is that of a linear fit with one intercept a group. Without these, where
    one site's people are older, age would take the scanner's shift with it.

    Args:
        train: (n, d) features that the fit is made on.
        test: (m, d) features it is applied to.
        known: (n, c) covariates of ``train``.
        asked: (m, c) covariates of ``test``.
        group: (n,) site of ``train``.

    Example:
        >>> age, site = np.arange(10.0)[:, None], np.repeat([0, 1], 5)
        >>> left, _ = residuals(2 * age + 7 * site[:, None], 2 * age, age, age, site)
        >>> bool(np.allclose(left - left[0], 7 * site[:, None]))
        True
    """
    own = (group[:, None] == np.unique(group)).astype(np.float64)
    weight = np.linalg.lstsq(np.column_stack([own, known]), train, rcond=None)[0]
    slope = np.asarray(weight, dtype=np.float64)[own.shape[1] :]
    centre = known.mean(axis=0)
    return train - (known - centre) @ slope, test - (asked - centre) @ slope


def covariate_table(ages: ArrayLike, sexes: list[str | None]) -> tuple[FloatArray, str]:
    """Age and its square in decades, and sex where everyone's is known.

    Args:
        ages: (n,) years.
        sexes: As written; more than one value and none missing, or sex is left out.

    Returns:
        (n, c) covariates, and their names joined by an underscore.

    Example:
        >>> table, names = covariate_table([20.0, 40.0], ["F", "M"])
        >>> table.tolist(), names
        ([[-1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], 'age_sex')
    """
    years = np.asarray(ages, dtype=np.float64)
    decades = (years - years.mean()) / 10
    columns, names = [decades, decades**2], "age"
    kinds = sorted({sex for sex in sexes if sex is not None})
    if None not in sexes and len(kinds) > 1:
        columns += [
            np.array([sex == kind for sex in sexes], float) for kind in kinds[1:]
        ]
        names = "age_sex"
    return np.column_stack(columns), names


def is_told_apart(table: FloatArray, sites: Sequence[str]) -> bool:
    """Whether what covariates do can be told from what sites do: they differ within.

    Example:
        >>> is_told_apart(np.array([[0.0], [0.0], [1.0], [1.0]]), ["A", "A", "B", "B"])
        False
    """
    where = np.asarray(sites, dtype=str)
    own = (where[:, None] == np.unique(where)).astype(np.float64)
    design = np.column_stack([own, table])
    return bool(np.linalg.matrix_rank(design) == design.shape[1])
