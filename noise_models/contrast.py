"""A monotone change of tissue contrast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from noise_models.base import (
    Level,
    NoiseModel,
    Params,
    check_range,
    computable,
    draw_log_uniform,
    of_volumes,
    per_volume,
)
from noise_models.registry import register


@register("contrast")
@dataclass(frozen=True)
class Contrast(NoiseModel):
    """A monotone intensity curve: the same tissues under another pulse sequence.

    The curve is piecewise linear. Its slopes between ``knots`` equally spaced levels
    from air (0) to the reference tissue (1) are log-normal with log-std ``strength``;
    then all are scaled so that air stays 0 and the reference stays 1, because that is
    how images are normalised. Beyond the knots the end slopes go on. Order of
    intensities is kept: a curve cannot turn T1 weighting into T2.

    Args:
        strength: Std of the logarithm of the slopes. A range is drawn
            log-uniformly. At 0.3 a grey/white ratio of 0.7 varies by 0.05 (std);
            the medians of the ABIDE sites run from 0.58 to 0.85.
        knots: Number of levels where the slope may change, ends included.

    Raises:
        ValueError: ``strength`` is not ``0 < low <= high``, or ``knots`` < 2.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> y = Contrast(strength=0.5)(torch.tensor([[[[0.0, 0.5, 1.0]]]]), rng=rng)
        >>> [round(v, 2) for v in y.flatten().tolist()][::2]
        [0.0, 1.0]
    """

    strength: Level = (0.05, 0.5)
    knots: int = 6

    def __post_init__(self) -> None:
        check_range("contrast: strength", self.strength, open_low=True)
        if not isinstance(self.knots, int) or self.knots < 2:
            raise ValueError(f"contrast: knots must be at least 2, got {self.knots}.")

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        strength = draw_log_uniform(self.strength, n, rng)
        size = (n, self.knots - 1)
        normal = torch.randn(size, generator=rng, device=rng.device)
        heights = (strength[:, None] * normal).exp().cumsum(1)
        start = heights.new_zeros(n, 1)
        levels = torch.linspace(0, 1, self.knots, device=rng.device)
        return {
            "knots_in": levels.expand(n, -1).clone(),
            "knots_out": torch.cat([start, heights / heights[:, -1:]], 1),
        }

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        """Map ``x`` through each volume's curve; ``rng`` is not used.

        ``params["knots_in"]`` and ``params["knots_out"]`` are (n, K), K >= 2, the first
        strictly ascending. A curve is a line plus one hinge ``bend * max(x - knot, 0)``
        at each inner knot: a few cheap passes, far less than a search per voxel.
        """
        clean = computable(x)
        knots = of_volumes(params, "knots_in", clean).double()
        levels = of_volumes(params, "knots_out", clean).double()
        steps = knots.diff(dim=1)
        if knots.shape != levels.shape or knots.shape[1] < 2 or not (steps > 0).all():
            raise ValueError(
                "contrast: knots_in must ascend strictly, at least two, one for each "
                f"of knots_out, got {knots.tolist()} and {levels.tolist()}."
            )
        slopes = levels.diff(dim=1) / steps
        if (slopes < 0).any():
            raise ValueError(
                f"contrast: knots_out must not fall, got {levels.tolist()}."
            )
        start = levels[:, 0] - slopes[:, 0] * knots[:, 0]
        y = torch.addcmul(_column(start, clean), clean, _column(slopes[:, 0], clean))
        bends = slopes.diff(dim=1)
        for knot, bend in zip(knots[:, 1:-1].T, bends.T, strict=True):
            hinge = (clean - _column(knot, clean)).relu_()
            y.addcmul_(hinge, _column(bend, clean))
        return y.to(x.dtype)


def _column(value: Tensor, x: Tensor) -> Tensor:
    """(n,) with the dtype of ``x``, to multiply whole volumes."""
    return per_volume(value.to(x), x)
