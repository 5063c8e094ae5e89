"""Features in units in which the spread between scans is a ball."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noise_models.scanner.two_sample import LEAST_SD


def whitening(rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """What makes the spread of deviations from a mean a unit ball, half shrunk.

    Args:
        rest: Deviations, a row for each scan, (N, F).

    Returns:
        (F, F), to be multiplied with a column of features.

    Example:
        >>> whitening(np.array([[2.0], [-2.0]])).round(2).tolist()
        [[0.5]]
    """
    scale = np.sqrt((rest**2).mean(0) + LEAST_SD**2)
    z = rest / scale
    correlation = 0.5 * z.T @ z / len(z) + 0.5 * np.eye(len(scale))
    values, vectors = np.linalg.eigh(correlation)
    return np.asarray((vectors / np.sqrt(values)).T / scale)
