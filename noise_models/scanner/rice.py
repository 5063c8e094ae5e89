"""Moments of the Rice distribution, the magnitude of a signal in complex noise."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from scipy import special
from torch import Tensor

from noise_models.scanner.tabulated import Tabulated, at_coils, places

_FAR = 31.0  # signal over sigma from which a series is as good
RAYLEIGH_MEAN = math.sqrt(math.pi / 2)  # of noise alone, over sigma


def rice_mean(signal: Tensor, sigma: Tensor) -> Tensor:
    """E |A + n1 + i n2| (Gudbjartsson & Patz 1995, doi:10.1002/mrm.1910340618).

    ``sigma sqrt(pi/2) [(1 + t) I0(t/2) + t I1(t/2)] e^(-t/2)`` with
    ``t = A^2 / (2 sigma^2)``.

    Args:
        signal: A, any shape, not negative.
        sigma: SD per channel, positive, broadcast against ``signal``.

    Example:
        >>> zero, one = torch.tensor(0.0), torch.tensor(1.0)
        >>> round(rice_mean(zero, one).item(), 4)
        1.2533
        >>> round(rice_mean(torch.tensor(100.0), one).item(), 3)
        100.005
    """
    t = (signal / sigma).square_() / 2
    half = t / 2
    bessel: Tensor = (1 + t) * torch.special.i0e(half) + t * torch.special.i1e(half)
    return bessel * (RAYLEIGH_MEAN * sigma)


def rice_variance(signal: Tensor, sigma: Tensor) -> Tensor:
    """Variance of the magnitude: ``2 sigma^2 + A^2 - E[M]^2``.

    Above 30 sigma the difference is lost in rounding and sigma^2 is returned.

    Example:
        >>> zero, one = torch.tensor(0.0), torch.tensor(1.0)
        >>> round(rice_variance(zero, one).item(), 3)
        0.429
        >>> rice_variance(torch.tensor(100.0), one).item()
        1.0
    """
    ratio = signal / sigma
    mean = rice_mean(ratio, torch.ones_like(sigma))
    exact = 2 + ratio.square() - mean.square()
    return torch.where(ratio > 30, 1.0, exact) * sigma.square()


def rice_moments(
    signal: Tensor, sigma: Tensor, coils: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, variance and third central moment of the magnitude: for volumes.

    From a table (`moments_table`), right to 1e-5 sigma for one coil and many times as
    fast as Bessel functions; far out, by the first terms of the asymptotic series,
    right to 1e-3 for up to 16 coils.

    Args:
        signal: A, (n, ...), not negative.
        sigma: SD per channel, positive, broadcast against ``signal``.
        coils: Channels combined by sum of squares, (n,), whole; 1 when not given.

    Example:
        >>> signal, one = torch.tensor([0.0, 3.0]), torch.ones(2)
        >>> mean, variance, third = rice_moments(signal, one)
        >>> bool((mean - rice_mean(signal, one)).abs().max() < 1e-5)
        True
    """
    ratio = signal / sigma
    counts = torch.ones(len(signal)) if coils is None else coils
    excess, variance, third = at_coils(ratio, counts, moments_table)
    power = sigma.square()
    return (
        excess.add_(ratio).mul_(sigma),
        variance.mul_(power),
        third.mul_(power).mul_(sigma),
    )


def air_power(coils: int) -> float:
    """E[M]^2 / sigma^2 of a magnitude of noise alone, from ``coils`` channels.

    Example:
        >>> round(air_power(1) / (math.pi / 2), 6)
        1.0
    """
    return float(special.poch(coils, 0.5) ** 2 * 2)


@lru_cache(maxsize=32)
def moments_table(coils: int, dtype: torch.dtype, device: torch.device) -> Tabulated:
    """Mean less signal, variance and third moment of unit noise, by signal.

    The k-th moment of L coils is that of the noncentral chi distribution,
    ``2^(k/2) Gamma(L + k/2) / Gamma(L) 1F1(-k/2; L; -A^2 / 2)`` (Constantinides et al.
    1997, doi:10.1002/mrm.1910380524).

    Example:
        >>> table = moments_table(1, torch.float32, torch.device("cpu"))
        >>> excess, variance, _ = table.at(torch.tensor([0.0, 1e6]))
        >>> [round(v, 3) for v in (*excess.tolist(), *variance.tolist())]
        [1.253, 0.0, 0.429, 1.0]
    """
    signal = places()
    near = signal.clamp(max=_FAR)
    half = -(near.numpy() ** 2) / 2
    mean, second, cube = (
        torch.as_tensor(
            2 ** (k / 2)
            * special.poch(coils, k / 2)
            * special.hyp1f1(-k / 2, coils, half)
        )
        for k in (1, 2, 3)
    )
    variance = (second - mean.square()).clamp_max(1)
    third = cube - 3 * mean * second + 2 * mean**3
    inverse, odd = 1 / signal.clamp_min(1), 2 * coils - 1
    tail = odd / 2 * inverse - odd * (odd - 2) / 8 * inverse**3
    far = signal > _FAR
    columns = (
        torch.where(far, tail, mean - near),
        torch.where(far, 1 - odd / 2 * inverse**2, variance),
        torch.where(far, 0.0, third),
    )
    return Tabulated.of(columns, dtype, device)
