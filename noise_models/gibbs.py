"""Ringing beside edges, from k-space that was cut off."""

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
    draw_uniform,
    of_volumes,
    per_volume,
)
from noise_models.registry import register
from noise_models.separable import along


@register("gibbs")
@dataclass(frozen=True)
class Gibbs(NoiseModel):
    """Ringing beside edges, from k-space that was cut off.

    Frequencies beyond a share ``kept`` of the way to Nyquist are set to zero on each
    axis, as when a small acquisition matrix is zero-filled to a larger image, and
    the magnitude is kept. A step edge overshoots by 9 % of its height, however
    much is kept; the width of the ringing is what changes.

    Args:
        kept: Share of k-space kept per axis, 0 to 1. A range is drawn uniformly,
            for each axis of each volume on its own; 1 is exactly no change.

    Raises:
        ValueError: ``kept`` is outside 0 to 1, or 0.

    Example:
        >>> step = torch.ones(1, 1, 256, 8)
        >>> step[..., :128, :] = 0
        >>> y = Gibbs(kept=0.2)(step, rng=torch.Generator())
        >>> round(y.max().item(), 2)
        1.09
    """

    kept: Level = (0.5, 1.0)

    def __post_init__(self) -> None:
        check_range("gibbs: kept", self.kept, high=1, open_low=True)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        """Shares (n, 3); a 2-D image uses the first two."""
        return {"kept": draw_uniform(self.kept, n, rng, columns=3)}

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        clean = computable(x)
        kept = of_volumes(params, "kept", clean)
        y = clean
        for axis in range(clean.ndim - 2):
            if (kept[:, axis] < 1).any():
                y = along(y, axis + 2, _truncation(y.shape[axis + 2], kept[:, axis]))
        whole = (kept[:, : clean.ndim - 2] >= 1).all(1)
        return as_given(torch.where(per_volume(whole, clean), clean, y.abs()), x)


def _truncation(size: int, kept: Tensor) -> Tensor:
    """Matrices (n, size, size) that drop frequencies beyond ``kept`` of Nyquist."""
    position = torch.arange(size, dtype=torch.float64, device=kept.device)
    frequency = torch.fft.fftfreq(size, dtype=torch.float64, device=kept.device)
    phase = 2 * math.pi * position[:, None] * frequency
    passed = frequency.abs() <= kept.double()[:, None] / 2  # (n, frequency)
    wave = torch.cat([phase.cos(), phase.sin()], 1) / math.sqrt(size)
    matrix = (wave * passed.repeat(1, 2)[:, None]) @ wave.T
    identity = torch.eye(size, dtype=torch.float64, device=kept.device)
    return torch.where(kept[:, None, None] < 1, matrix, identity).to(kept)
