"""Voxels replaced by the darkest value: masking noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator, Tensor

from noise_models.base import (
    Level,
    NoiseModel,
    Params,
    as_given,
    check_number,
    check_range,
    computable,
    draw_uniform,
    of_volumes,
)
from noise_models.registry import register
from noise_models.salt_and_pepper import levels, replace


@register("pepper")
@dataclass(frozen=True)
class Pepper(NoiseModel):
    """Voxels replaced by the darkest value: masking noise.

    The corruption of the first denoising autoencoders (Vincent et al. 2008,
    doi:10.1145/1390156.1390294), which set inputs to zero. It is `SaltAndPepper`
    without the salt.

    Args:
        p: Probability that a voxel is replaced. A range is drawn uniformly.
        low: Value of pepper; the image's own 0.1 % quantile when None, which in a
            scan is the air.

    Raises:
        ValueError: ``p`` is outside 0 to 1, or ``low`` is not a finite number.

    Example:
        >>> import torch
        >>> rng = torch.Generator().manual_seed(0)
        >>> y = Pepper(p=0.3, low=0.0)(torch.ones(1, 1, 100, 100), rng=rng)
        >>> round(y.mean().item(), 1)
        0.7
    """

    p: Level = (0.02, 0.1)
    low: float | None = None

    def __post_init__(self) -> None:
        check_range("pepper: p", self.p, high=1)
        if self.low is not None:
            check_number("pepper: low", self.low)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        return {"p": draw_uniform(self.p, n, rng)}

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        clean = computable(x)
        p = of_volumes(params, "p", clean)
        low, high = levels(clean, self.low, None if self.low is None else 1.0)
        return as_given(replace(clean, p, p, low, high, rng), x)
