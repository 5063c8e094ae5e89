"""The likelihood of intensities stored as whole numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from medvae.model.likelihood.scaled import Scaled


class DiscretisedLogistic(Scaled):
    """A logistic density integrated over the bin that each voxel was rounded to.

    P(x | z) = prod_i [ S((x_i - f_i + step/2) / s_i) - S((x_i - f_i - step/2) / s_i) ]

    with S the sigmoid; the lowest and the highest bin take what lies beyond (Kingma et
    al. 2016, arXiv:1606.04934). A probability, not a density: never above 0 nats, and
    no normalisation of the intensities changes it.

    Args:
        step: Distance of neighbouring levels, in reference units.
        low: The lowest level.
        high: The highest level.
        scale: s to start from, in reference units.
        smallest: s is never trusted below this.
        shape: Of one volume, for an s of its own in every voxel.
        fixed: Whether training leaves s alone.

    Raises:
        ValueError: ``step`` is not positive, ``low`` is not below ``high``, or
            ``scale`` is not above ``smallest``; when called, a voxel lies outside the
            levels, or between two.

    Example:
        >>> likelihood = DiscretisedLogistic(step=1 / 255, low=0.0, high=1.0)
        >>> levels = torch.arange(256).view(256, 1) / 255
        >>> painted = torch.full((256, 1), 0.3)
        >>> round(likelihood(levels, painted).exp().sum().item(), 4)
        1.0
    """

    def __init__(
        self,
        step: float,
        low: float,
        high: float,
        scale: float = 0.05,
        smallest: float = 1e-3,
        *,
        shape: Sequence[int] | None = None,
        fixed: bool = False,
    ) -> None:
        super().__init__(scale, smallest, shape=shape, fixed=fixed)
        if not (step > 0 and low < high):
            raise ValueError(
                f"step must be positive and low below high, got step {step}, "
                f"low {low} and high {high}."
            )
        self.step, self.low, self.high = step, low, high

    def forward(self, x: Tensor, painted: Tensor) -> Tensor:
        """Log probability of ``x`` (B, C, ...) around ``painted``, in nats, (B,)."""
        level = self._levels(x)
        inverse = (-self.log_scale_of(x)).exp()
        above = (x - painted + self.step / 2) * inverse
        below = (x - painted - self.step / 2) * inverse
        # log(S(a) - S(b)) = log S(a) + log S(-b) + log(1 - exp(b - a)), all stable
        inside = (
            nn.functional.logsigmoid(above)
            + nn.functional.logsigmoid(-below)
            + torch.log(-torch.expm1(below - above))
        )
        top = round((self.high - self.low) / self.step)
        mass = torch.where(level <= 0, nn.functional.logsigmoid(above), inside)
        mass = torch.where(level >= top, nn.functional.logsigmoid(-below), mass)
        return mass.flatten(1).sum(1)

    def _levels(self, x: Tensor) -> Tensor:
        exact = (x - self.low) / self.step
        level = exact.round()
        top = round((self.high - self.low) / self.step)
        off = ((exact - level).abs() > 0.01) | (level < 0) | (level > top)
        if off.any():
            raise ValueError(
                f"DiscretisedLogistic needs levels from {self.low:g} to {self.high:g} "
                f"in steps of {self.step:g}, got {x[off][0].item():g}. "
                "Use a density, such as Gaussian."
            )
        return level
