"""A number and what is needed to believe it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


def ratio_or_nan(top: FloatArray, bottom: FloatArray, above: float = 0.0) -> FloatArray:
    """``top / bottom`` where ``bottom`` exceeds ``above``, NaN elsewhere.

    Example:
        >>> ratio_or_nan(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
        [0.5, nan]
    """
    top, bottom = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    unknown = np.full(top.shape, np.nan)
    result: FloatArray = np.divide(top, bottom, out=unknown, where=bottom > above)
    return result


@dataclass(frozen=True)
class Estimate:
    """One measured number with its interval, sample size and chance level.

    Args:
        value: The number.
        ci95: Lowest and highest value of the 95 % interval; None where a single
            subject, or a quantity counted rather than sampled, allows none.
        n: How many independent units (mostly subjects) it rests on.
        chance: What knowing nothing would score; None where there is no such thing.
        p: Permutation p value; None where no permutation was run.

    Example:
        >>> Estimate(0.8, (0.7, 0.9), n=20, chance=0.5).is_above_chance
        True
    """

    value: float
    ci95: tuple[float, float] | None
    n: int
    chance: float | None = None
    p: float | None = None

    @property
    def is_above_chance(self) -> bool:
        """True if the whole interval lies above the chance level."""
        if self.ci95 is None or self.chance is None:
            return False
        return self.ci95[0] > self.chance

    @property
    def is_finite(self) -> bool:
        """True if the value and every number beside it is one that JSON can hold."""
        beside = [
            *(self.ci95 or ()),
            *(v for v in (self.chance, self.p) if v is not None),
        ]
        return bool(np.isfinite([self.value, *beside]).all())

    def as_dict(self) -> dict[str, Any]:
        """The numbers as JSON types."""
        ci95 = None if self.ci95 is None else [float(v) for v in self.ci95]
        return {
            "value": float(self.value),
            "ci95": ci95,
            "n": int(self.n),
            "chance": None if self.chance is None else float(self.chance),
            "p": None if self.p is None else float(self.p),
        }
