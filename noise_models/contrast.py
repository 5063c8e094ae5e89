"""A monotone change of tissue contrast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from noise_models.base import (
    Level,
    NoiseModel,
    Params,
    as_given,
    check_range,
    check_whole,
    computable,
    draw_log_uniform,
    of_volumes,
)
from noise_models.registry import register
from noise_models.voxelwise import in_blocks


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
        check_whole("contrast: knots", self.knots, low=2)

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
        strictly ascending. A curve is a line plus one hinge ``bend * min(x, knot)``
        at each inner knot: a few cheap passes, far less than a search per voxel.
        """
        clean = computable(x)
        curve = Curve.of(params, clean)
        y = torch.empty(clean.shape, dtype=clean.dtype, device=clean.device)
        before, after = clean.flatten(1), y.view(len(y), -1)

        def work(volumes: slice, voxels: slice) -> None:
            curve.at(before[volumes, voxels], volumes, out=after[volumes, voxels])

        in_blocks(clean, work)
        return as_given(y, x)


@dataclass(frozen=True)
class Curve:
    """Piecewise linear curves, one a volume: a line plus hinges at the inner knots.

    ``start + slope x + sum of bend min(x, knot)``: one pass less a hinge than with the
    usual ``max(x - knot, 0)``.

    Attributes:
        start: Height of the first line at 0, (n, 1).
        slope: Slope of the last line, (n, 1).
        knots: Inner knots, (n, K - 2).
        bends: How much steeper it is below each, (n, K - 2).

    Example:
        >>> knots = {"knots_in": torch.tensor([[0.0, 1.0, 2.0]]),
        ...          "knots_out": torch.tensor([[0.0, 1.0, 4.0]])}
        >>> curve = Curve.of(knots, torch.zeros(1, 1, 1, 2))
        >>> x = torch.tensor([[0.5, 1.5]])
        >>> curve.at(x).tolist(), curve.slope_at(x).tolist()
        ([[0.5, 2.5]], [[1.0, 3.0]])
    """

    start: Tensor
    slope: Tensor
    knots: Tensor
    bends: Tensor

    @classmethod
    def of(cls, params: Params, like: Tensor) -> Curve:
        """The curves of ``knots_in`` and ``knots_out`` (n, K), K >= 2.

        Raises:
            ValueError: Knots that do not ascend, or a curve that falls.
        """
        knots = of_volumes(params, "knots_in", like).double()
        levels = of_volumes(params, "knots_out", like).double()
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
        start = levels[:, :1] - slopes[:, :1] * knots[:, :1]
        parts = (start, slopes[:, -1:], knots[:, 1:-1], -slopes.diff(dim=1))
        first, slope, inner, bends = (part.to(like) for part in parts)
        return cls(first, slope, inner, bends)

    def at(
        self, x: Tensor, volumes: slice = slice(None), out: Tensor | None = None
    ) -> Tensor:
        """Heights at ``x`` (m, voxels) of the m ``volumes``."""
        y = torch.mul(x, self.slope[volumes], out=out).add_(self.start[volumes])
        hinge = torch.empty_like(x)
        for knot, bend in self._hinges(volumes):
            y.addcmul_(torch.minimum(x, knot, out=hinge), bend)
        return y

    def slope_at(self, x: Tensor, volumes: slice = slice(None)) -> Tensor:
        """Slopes there; at a knot that of the segment below."""
        y = self.slope[volumes].expand(x.shape).contiguous()
        below = torch.empty_like(x)
        for knot, bend in self._hinges(volumes):
            y.addcmul_(torch.le(x, knot, out=below), bend)
        return y

    def _hinges(self, volumes: slice) -> Iterator[tuple[Tensor, Tensor]]:
        for k in range(self.knots.shape[1]):
            yield self.knots[volumes, k : k + 1], self.bends[volumes, k : k + 1]
