"""Means of few values, with the interval that few values allow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats


def spread(values: Sequence[float] | NDArray[np.floating]) -> dict[str, Any]:
    """Mean, standard deviation and 95 % interval (Student's t) of values.

    Example:
        >>> spread([1.0, 2.0, 3.0])
        {'mean': 2.0, 'sd': 1.0, 'ci95': [-0.484, 4.484]}
    """
    numbers = np.asarray(values, dtype=float)
    mean, sd = numbers.mean(), numbers.std(ddof=1)
    half = stats.t.ppf(0.975, len(numbers) - 1) * sd / math.sqrt(len(numbers))
    return {
        "mean": round(float(mean), 3),
        "sd": round(float(sd), 3),
        "ci95": [round(float(mean - half), 3), round(float(mean + half), 3)],
    }
