"""A stripe pattern over the whole image, from one corrupted k-space sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from noise_models.base import (
    Level,
    NoiseModel,
    Params,
    as_given,
    check_range,
    computable,
    draw_log_uniform,
    draw_uniform,
    of_volumes,
    per_volume,
)
from noise_models.registry import register


@register("spike")
@dataclass(frozen=True)
class Spike(NoiseModel):
    """A stripe pattern over the whole image, from one corrupted k-space sample.

    A spark in the scanner room adds a point to k-space, hence a plane wave to the
    complex image: ``y = |x + a exp(i theta)|`` with ``theta = 2 pi f.r + phase``, which
    is ``sqrt(x^2 + 2 a x cos(theta) + a^2)``. Tissue shows stripes of amplitude ``a``;
    air, having no phase to beat against, is lifted to ``a``.

    Args:
        amplitude: Amplitude of the wave, in reference units. A range is drawn
            log-uniformly. Where in k-space it falls is uniform.

    Raises:
        ValueError: ``amplitude`` is not ``0 < low <= high``.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> y = Spike(amplitude=0.1)(torch.zeros(1, 1, 8, 8, 8), rng=rng)
        >>> torch.allclose(y, torch.tensor(0.1))
        True
    """

    amplitude: Level = (0.02, 0.2)

    def __post_init__(self) -> None:
        check_range("spike: amplitude", self.amplitude, open_low=True)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        """Amplitude (n,), frequency (n, 3) in cycles per voxel, phase (n,)."""
        return {
            "amplitude": draw_log_uniform(self.amplitude, n, rng),
            "frequency": draw_uniform((-0.5, 0.5), n, rng, columns=3),
            "phase": draw_uniform((0.0, 2 * math.pi), n, rng),
        }

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        """Add the wave, its frequency moved to the nearest sample of k-space."""
        clean = computable(x)
        keys = ("amplitude", "frequency", "phase")
        amplitude, frequency, phase = (of_volumes(params, k, clean) for k in keys)
        a = per_volume(amplitude, clean)
        y = clean * _stripes(clean.shape[2:], frequency, phase).unsqueeze(1)
        y.mul_(2 * a).addcmul_(clean, clean).add_(a.square())
        return as_given(y.clamp_min_(0).sqrt_(), x)  # rounding can pass below 0


def _stripes(shape: Sequence[int], frequency: Tensor, phase: Tensor) -> Tensor:
    """``cos(theta)`` over the grid, (n, X, Y[, Z]).

    The last axis is split off, ``cos(p + q) = cos p cos q - sin p sin q``, so that
    cosines are taken of a plane and a line instead of a volume.
    """
    theta = []
    for axis, size in enumerate(shape):
        cycles = (frequency[:, axis, None].double() * size).round() / size
        voxel = torch.arange(size, dtype=torch.float64, device=frequency.device)
        theta.append(2 * math.pi * cycles * voxel)
    theta[0] = theta[0] + phase.double()[:, None]
    p, q = theta[0], theta[-1]
    if len(shape) == 3:
        p = (theta[0][:, :, None] + theta[1][:, None, :]).flatten(1)
    left = torch.stack([p.cos(), -p.sin()], 2).to(frequency)
    right = torch.stack([q.cos(), q.sin()], 1).to(frequency)
    return (left @ right).view(-1, *shape)
