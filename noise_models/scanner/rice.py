"""Moments of the Rice distribution, the magnitude of a signal in complex noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

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
