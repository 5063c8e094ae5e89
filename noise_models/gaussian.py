"""Additive Gaussian noise."""

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
    draw_normal,
    of_volumes,
    per_volume,
)
from noise_models.registry import register


@register("gaussian")
@dataclass(frozen=True)
class Gaussian(NoiseModel):
    """Additive white Gaussian noise, ``y = x + sigma n``.

    The classical corruption of denoising autoencoders. It is never clamped, which
    would shift the mean of dark voxels; magnitude MR images need `Rician`.

    Args:
        sigma: Noise std in reference units. A range is drawn log-uniformly, one
            value per volume. The default is the range of `Rician`.

    Raises:
        ValueError: ``sigma`` is not ``0 < low <= high``.

    Example:
        >>> import torch
        >>> rng = torch.Generator().manual_seed(0)
        >>> noisy = Gaussian(sigma=0.1)(torch.ones(1, 1, 64, 64), rng=rng)
        >>> round(noisy.std().item(), 2)
        0.1
    """

    sigma: Level = (0.01, 0.1)

    def __post_init__(self) -> None:
        check_range("gaussian: sigma", self.sigma, open_low=True)

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
        sigma = per_volume(of_volumes(params, "sigma", clean), clean)
        return as_given(draw_normal(clean, rng).mul_(sigma).add_(clean), x)
