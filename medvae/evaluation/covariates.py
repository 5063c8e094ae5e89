"""Taking out of features what age and sex explain, so that a probe cannot use it.

Sites recruit different people. A probe that reads the site through the people's age
reads biology, not the scanner.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from medvae.evaluation.estimate import FloatArray


def residuals(
    train: FloatArray, test: FloatArray, known: FloatArray, asked: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Features less what a linear fit on the training rows predicts from covariates.

    Args:
        train: (n, d) features that the fit is made on.
        test: (m, d) features it is applied to.
        known: (n, c) covariates of ``train``.
        asked: (m, c) covariates of ``test``.

    Example:
        >>> age = np.arange(10.0)[:, None]
        >>> left, _ = residuals(2 * age + 1, 2 * age, age, age)
        >>> bool(np.abs(left).max() < 1e-9)
        True
    """
    design = np.column_stack([np.ones(len(known)), known])
    weight = np.linalg.lstsq(design, train, rcond=None)[0]
    beyond = np.column_stack([np.ones(len(asked)), asked])
    return train - design @ weight, test - beyond @ weight


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
