"""Magnitude noise of a single-coil MR scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator, Tensor

from noise_models.base import (
    Level,
    NoiseModel,
    Params,
    as_given,
    check_range,
    computable,
    draw_log_uniform,
    of_volumes,
)
from noise_models.normals import magnitude
from noise_models.registry import register


@register("rician")
@dataclass(frozen=True)
class Rician(NoiseModel):
    """Magnitude noise of a single-coil MR scan.

    Complex Gaussian noise is added to the signal and the modulus kept,
    ``y = |x + n1 + i n2|`` (Gudbjartsson & Patz 1995, doi:10.1002/mrm.1910340618).
    Bright voxels look Gaussian with std ``sigma``; an empty background settles at
    ``sigma * sqrt(pi / 2)``. Two of them compose into one: variances add.

    Args:
        sigma: Noise std in reference units. A range is drawn log-uniformly, one
            value per volume. The default spans the ABIDE sites, whose air has a std
            (0.66 sigma) of 0.009 to 0.03, and goes on to visibly poor scans.

    Raises:
        ValueError: ``sigma`` is not ``0 < low <= high``.

    Example:
        >>> import torch
        >>> rng = torch.Generator().manual_seed(0)
        >>> air = Rician(sigma=0.1)(torch.zeros(1, 1, 32, 32, 32), rng=rng)
        >>> round(air.mean().item() / 0.1, 2)            # sqrt(pi / 2)
        1.25
    """

    sigma: Level = (0.01, 0.1)

    def __post_init__(self) -> None:
        check_range("rician: sigma", self.sigma, open_low=True)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        return {"sigma": draw_log_uniform(self.sigma, n, rng)}

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        clean = computable(x)
        sigma = of_volumes(params, "sigma", clean)
        return as_given(magnitude(clean, sigma, rng), x)

    def spend(
        self,
        y: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        given = computable(y).contiguous()
        sigma = of_volumes(params, "sigma", given)
        return magnitude(given, sigma, rng, out=given).to(y.dtype)
