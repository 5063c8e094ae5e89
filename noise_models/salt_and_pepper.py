"""Voxels replaced by the brightest or the darkest value."""

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
    check_number,
    check_range,
    computable,
    draw_uniform,
    of_volumes,
    per_volume,
)
from noise_models.registry import register

_SAMPLES = 2**14
_TAIL = 1e-3
_FEW = 0.25
"""Largest share of voxels of which places are drawn: above it that takes longer."""

Value = float | Tensor
"""Of pepper or salt: one for all, or one for each volume and channel."""


@register("salt_and_pepper")
@dataclass(frozen=True)
class SaltAndPepper(NoiseModel):
    """Voxels replaced by the brightest (salt) or the darkest value (pepper).

    A voxel is hit with probability ``p``, and a hit is salt with probability
    ``salt_fraction``: two settings, because in the denoising-VAE literature one
    number did both and its salt-and-pepper was nine tenths pepper.

    Salt is the image's own 99.9 % quantile and pepper its 0.1 % quantile, not its
    extremes: one bright vessel would otherwise set the level of all salt. Images
    whose range is known (0 and 1, say) can state ``low`` and ``high``.

    Args:
        p: Probability that a voxel is replaced. A range is drawn uniformly.
        salt_fraction: Share of salt among the replaced.
        low: Value of pepper; the image's own when None.
        high: Value of salt; the image's own when None.

    Raises:
        ValueError: A probability is outside 0 to 1, a value is not a finite number,
            or ``low`` is not below ``high``.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> grey = torch.full((1, 1, 100, 100), 0.5)
        >>> noise = SaltAndPepper(p=0.2, salt_fraction=0.5, low=0.0, high=1.0)
        >>> y = noise(grey, rng=rng)
        >>> round((y == 1).float().mean().item(), 1)
        0.1
    """

    p: Level = (0.02, 0.1)
    salt_fraction: Level = 0.5
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        check_range("salt_and_pepper: p", self.p, high=1)
        check_range("salt_and_pepper: salt_fraction", self.salt_fraction, high=1)
        low, high = self.low, self.high
        for name, value in (("low", low), ("high", high)):
            if value is not None:
                check_number(f"salt_and_pepper: {name}", value)
        if low is not None and high is not None and not low < high:
            raise ValueError(
                f"salt_and_pepper: low must be below high, got {low!r} and {high!r}."
            )

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        p = draw_uniform(self.p, n, rng)
        return {"p": p, "salt_fraction": draw_uniform(self.salt_fraction, n, rng)}

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
        pepper = p * (1 - of_volumes(params, "salt_fraction", clean))
        low, high = levels(clean, self.low, self.high)
        return as_given(replace(clean, p, pepper, low, high, rng), x)


def levels(x: Tensor, low: float | None, high: float | None) -> tuple[Value, Value]:
    """Values of pepper and salt: as given, or per volume and channel, (B, C, 1, ...).

    Quantiles come from at most 16384 voxels, evenly spread: sorting them all would
    take longer than the rest of the model.
    """
    if low is not None and high is not None:
        return low, high
    voxels = x.flatten(2)
    stride = -(-voxels.shape[2] // _SAMPLES) | 1  # odd: not locked to even axes
    tails = torch.tensor([_TAIL, 1 - _TAIL], dtype=x.dtype, device=x.device)
    found = torch.quantile(voxels[..., ::stride], tails, dim=2)
    shape = (*x.shape[:2], *[1] * (x.ndim - 2))
    pair = zip(found, (low, high), strict=True)
    a, b = (f.view(shape) if v is None else v for f, v in pair)
    return a, b


@torch.no_grad()
def replace(
    x: Tensor, p: Tensor, pepper: Tensor, low: Value, high: Value, rng: Generator
) -> Tensor:
    """Set voxels to ``low`` with probability ``pepper``, else to ``high`` up to ``p``.

    Where few are hit, a number for each voxel is mostly wasted: places are drawn, if
    all volumes share their levels. A range of levels has another for each volume.
    """
    hit, dark = _shared(p), _shared(pepper)
    if hit is None or dark is None or hit > _FEW:
        return _each_asked(x, p, pepper, low, high, rng)
    y = x.clone(memory_format=torch.contiguous_format)
    salt_places, pepper_places = _places(hit, dark, y, rng)
    _put(y, salt_places, high)
    _put(y, pepper_places, low)
    return y


def _shared(share: Tensor) -> float | None:
    """The share of all volumes, None if they differ or there are none."""
    each: list[float] = share.tolist()
    return each[0] if each and each.count(each[0]) == len(each) else None


def _places(hit: float, dark: float, x: Tensor, rng: Generator) -> tuple[Tensor, ...]:
    """Where darts fall in ``x.view(-1)``: those of salt, and those of pepper.

    Of Poisson many darts every voxel gets Poisson many of its own, independently: at
    a rate of -log(1 - s) a voxel is hit with probability s, some more than once.
    Pepper covers the salt that falls on it, so that salt's rate is what is left of
    all.
    """
    peppers = -math.log1p(-dark)
    expected = [x.numel() * (-math.log1p(-hit) - peppers), x.numel() * peppers]
    rates = torch.tensor(expected, dtype=torch.float64, device=rng.device)
    salt, pepper = map(int, torch.poisson(rates, generator=rng).tolist())
    places = torch.randint(
        x.numel(), (salt + pepper,), generator=rng, device=rng.device
    )
    places = places.to(x.device)
    return places[:salt], places[salt:]


def _put(y: Tensor, places: Tensor, level: Value) -> None:
    """Set places to one level, or to that of their volume and channel."""
    if isinstance(level, Tensor):
        y.view(-1)[places] = level.flatten()[places // y[0, 0].numel()]
    else:
        y.view(-1).index_fill_(0, places, level)


def _each_asked(
    x: Tensor, p: Tensor, pepper: Tensor, low: Value, high: Value, rng: Generator
) -> Tensor:
    """As `replace`, with a number drawn for each voxel.

    One uniform number u per voxel decides both whether and which. As 0 <= u < 1, the
    ceiling of p - u is 1 where u < p and else 0, and a step of that length towards a
    level is all of the way or none of it, to the bit. `torch.where` says the same and
    takes twice as long. New memory counts too, so both buffers are used twice.
    """
    u = torch.rand(x.shape, generator=rng, device=rng.device).to(x)
    step = (per_volume(p, x) - u).ceil_()
    y = torch.lerp(
        x, torch.as_tensor(high, dtype=x.dtype, device=x.device), step, out=step
    )
    step = torch.sub(per_volume(pepper, x), u, out=u).ceil_()
    return y.lerp_(torch.as_tensor(low, dtype=x.dtype, device=x.device), step)
