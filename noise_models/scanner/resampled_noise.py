"""Noise on any other grid: magnitudes that were resampled after they were taken."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from noise_models.base import Params
from noise_models.scanner.fields import LEAST
from noise_models.scanner.local import Local, coil_counts, filled, steady_power
from noise_models.scanner.rice import rice_moments
from noise_models.scanner.spectrum import Spectra, coloured_noise, lacking_spectrum
from noise_models.voxelwise import in_blocks

_AIR, _TISSUE = 1.2, 1.5  # mean magnitude over that of noise alone
_FAINT = -80.0  # exponentials below are no numbers that a processor likes
_BENT = 0.15  # largest bend, in SD: a skewness of .9
_KEPT = 0.25  # of the variance of B's air, at most, is A's: blurred, and so too even


def add_resampled(
    local: Local, params: Params, both: Spectra, rng: Generator
) -> Tensor:
    """Add what resampled magnitudes of B have over those of A: mean and coloured noise.

    Moments of the Rice distribution at the local signal; variance and skewness pass
    each scanner's resampling, the mean does not notice it. Where A is noisier than B
    its noise stays, except in air: nothing else is there, so B's can take its place.
    """
    y, fields, curve = local.signal, local.fields, local.curve
    coils_a, coils_b = coil_counts(params, y)
    steady_a = steady_power(coils_a)
    gains = {
        name: getattr(both, name).to(y)[:, None]
        for name in ("power_a", "power_b", "skew_a", "skew_b")
    }
    spectrum = lacking_spectrum(both, fields.sigma["source"], fields.sigma["target"], y)
    fresh = coloured_noise(spectrum, y, rng).flatten(1)

    def work(volumes: slice, voxels: slice) -> None:
        here = volumes, voxels
        part, level = local.parts(*here)
        gain = {name: value[volumes] for name, value in gains.items()}
        shading_a, shading_b = (
            fields.shading("source", *here),
            fields.shading("target", *here),
        )
        sigma_a, sigma_b = fields.noise("source", *here), fields.noise("target", *here)
        steady = sigma_a * steady_a[volumes].sqrt()  # mean of A's air
        seen = level * shading_a  # mean magnitude in A's scan
        present_a = filled(seen, sigma_a, steady_a[volumes])
        air = _air_share(seen / steady)
        signal_a = _signal(seen, sigma_a, coils_a[volumes], steady_a[volumes])
        signal_a.mul_(1 - air)
        expected = torch.lerp(seen, steady.expand_as(seen), air * present_a)
        expected = curve.at(expected.div_(shading_a), volumes).mul_(shading_b)
        signal_b = curve.at(signal_a / shading_a, volumes).mul_(shading_b)
        slope = curve.slope_at(level, volumes).mul_(shading_b).div_(shading_a)
        _, carried, skew_a = rice_moments(signal_a, sigma_a, coils_a[volumes].flatten())
        mean_b, wanted, skew_b = rice_moments(
            signal_b, sigma_b, coils_b[volumes].flatten()
        )
        wanted.mul_(gain["power_b"])
        carried.mul_(slope.square()).mul_(present_a).mul_(gain["power_a"])
        share = _kept(carried, wanted, air)
        carried.mul_(share).mul_(share)
        deviation = wanted.sub_(carried).clamp_min_(0).sqrt_()
        skew_a.mul_(slope.mul_(share).pow_(3)).mul_(present_a).mul_(gain["skew_a"])
        skew = skew_b.mul_(gain["skew_b"]).sub_(skew_a)
        noise = _skewed(fresh[here].mul(deviation), deviation, skew)
        part.mul_(shading_b).sub_(expected).mul_(share)
        part.add_(noise).add_(mean_b).clamp_min_(0)

    in_blocks(y, work)
    return y


def _kept(carried: Tensor, wanted: Tensor, air: Tensor) -> Tensor:
    """Share of A's noise that stays: in air, without anatomy, a part of what B has.

    The rest is drawn, with the colour and skewness of B's.
    """
    share = (wanted / carried.clamp_min(LEAST**2)).mul_(_KEPT).sqrt_().clamp_max_(1)
    return share.sub_(1).mul_(air).add_(1)


def _air_share(ratio: Tensor) -> Tensor:
    """1 where a mean magnitude is that of noise alone, 0 from half as much again.

    Args:
        ratio: Mean magnitude over that of noise alone; overwritten.
    """
    return ratio.sub_(_TISSUE).div_(_AIR - _TISSUE).clamp_(0, 1)


def _skewed(noise: Tensor, deviation: Tensor, third: Tensor) -> Tensor:
    """Gaussian noise bent to a third moment: ``n + (m3 / 6 s^4) (n^2 - s^2)``.

    To first order (Cornish & Fisher 1938, doi:10.2307/1400905); the bend is kept
    small enough that the noise keeps its order, and its SD is set back.
    """
    width = deviation.clamp_min(LEAST)
    power = width.square()
    share = third.div_(power * width).div_(6).clamp_(-_BENT, _BENT)  # of one SD
    bend = (noise.square().sub_(power)).mul_(share).div_(width)
    return noise.add_(bend).div_(share.square_().mul_(2).add_(1).sqrt_())


def _signal(magnitude: Tensor, sigma: Tensor, coils: Tensor, alone: Tensor) -> Tensor:
    """Signal under a mean magnitude: in tissue E[M]^2 less (2 L - 1) sigma^2."""
    noise, tissue = sigma.square(), 2 * coils - 1
    power = magnitude.square().div_(noise)
    air = torch.sub(alone, power).clamp_(_FAINT, 0).exp_()
    power.sub_(tissue).addcmul_(air, tissue - alone)
    return power.clamp_min_(0).mul_(noise).sqrt_()
