"""Noise on any other grid: magnitudes that were resampled after they were taken."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Generator, Tensor

from noise_models.base import Params, of_volumes
from noise_models.scanner.fields import ENDS, LEAST
from noise_models.scanner.local import Local, coil_counts, filled, steady_power
from noise_models.scanner.rice import air_power, moments_table, rice_moments
from noise_models.scanner.spectrum import Spectra, coloured_noise, lacking_spectrum
from noise_models.scanner.tabulated import Tabulated, at_coils, places
from noise_models.voxelwise import in_blocks

_AIR, _TISSUE = 1.2, 1.5  # mean magnitude over that of noise alone
_BENT = 0.15  # largest bend, in SD: a skewness of .9
_KEPT = 0.25  # of the variance of B's air, at most, is A's: blurred, and so too even


def add_resampled(
    local: Local, params: Params, both: Spectra, rng: Generator
) -> Tensor:
    """Add what resampled magnitudes of B have over those of A: mean and coloured noise.

    With the Rice moments of A at its local signal s and of B at g(s), where resampling
    leaves P of a variance and S of a third moment, and does not touch a mean:

        y              = b_B max(0, c (g(x) - mean_A) + mean_B + noise)
        var(noise)     = P_B var_B - P_A var_A (c g')^2, or 0
        third(noise)   = S_B third_B - S_A third_A (c g')^3

    Where A is noisier than B its noise stays, c = 1, except in air: nothing else is
    there, so B's can take its place (`_kept`).
    """
    y, fields, g = local.signal, local.fields, local.response
    coils_a, coils_b = coil_counts(params, y)
    middle = steady_power(coils_a).sqrt()  # mean of A's air over its sigma
    gains = {
        name: getattr(both, name).to(y)[:, None]
        for name in ("power_a", "power_b", "skew_a", "skew_b")
    }
    grain = of_volumes(params, "grain", y)[:, None].exp()
    gains["power_b"] = gains["power_b"] * grain**2
    gains["skew_b"] = gains["skew_b"] * grain**3
    spectrum = lacking_spectrum(both, fields.sigma["source"], fields.sigma["target"], y)
    fresh = coloured_noise(spectrum, y, rng).flatten(1)

    def work(volumes: slice, voxels: slice) -> None:
        # All of it in units of the signal without shading; B's comes on at the end.
        # Tensors are used up where a step gives them a new name.
        here = volumes, voxels
        part, level = local.parts(*here)
        gain = {name: value[volumes] for name, value in gains.items()}
        noise_a, noise_b = (fields.flat_noise(end, *here) for end in ENDS)
        ratio = level / noise_a
        air = _air_share(ratio / middle[volumes])
        to_signal, to_mean, variance_a, third_a = at_coils(
            ratio, coils_a[volumes].flatten(), _magnitudes
        )
        signal_b = g.at(to_signal.add_(ratio).mul_(noise_a), *here)
        mean_a = g.at(to_mean.add_(ratio).mul_(noise_a), *here)
        mean_b, variance_b, third_b = rice_moments(
            signal_b, noise_b, coils_b[volumes].flatten()
        )
        wanted = variance_b.mul_(gain["power_b"])
        slope = g.slope_at(level, *here).mul_(noise_a)  # the moments are of unit noise
        carried = variance_a.mul_(slope.square()).mul_(gain["power_a"])
        share = _kept(carried, wanted, air)
        kept = carried.mul_(share).mul_(share)
        deviation = wanted.sub_(kept).clamp_min_(0).sqrt_()
        kept_third = third_a.mul_(slope.mul_(share).pow_(3)).mul_(gain["skew_a"])
        third = third_b.mul_(gain["skew_b"]).sub_(kept_third)
        noise = _skewed(fresh[here], deviation, third)
        part.sub_(mean_a).mul_(share).add_(mean_b).add_(noise).clamp_min_(0)
        part.mul_(fields.shading("target", *here))

    in_blocks(y, work)
    return y


@lru_cache(maxsize=32)
def _magnitudes(coils: int, dtype: torch.dtype, device: torch.device) -> Tabulated:
    """What a mean magnitude of A tells, by its ratio to sigma, in units of sigma.

    The signal under it, less the magnitude; the mean that B is to replace, less the
    magnitude; variance and third moment of A's noise, both 0 where air was zeroed.
    """
    ratio, steady = places(), air_power(coils)
    air = _air_share(ratio / math.sqrt(steady))
    present = filled(ratio, torch.ones_like(ratio), torch.tensor(steady))
    bare = _signal(ratio, coils, steady).mul_(1 - air)
    _, variance, third = moments_table(coils, ratio.dtype, ratio.device).at(bare)
    columns = (
        (bare - ratio).nan_to_num_(0),  # the last place is at infinity
        (math.sqrt(steady) - ratio).mul_(air).mul_(present).nan_to_num_(0),
        variance.mul_(present),
        third.mul_(present),
    )
    return Tabulated.of(columns, dtype, device)


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


def _skewed(fresh: Tensor, deviation: Tensor, third: Tensor) -> Tensor:
    """Gaussian noise bent to a third moment: ``s (n + (m3 / 6 s^3) (n^2 - 1))``.

    To first order (Cornish & Fisher 1938, doi:10.2307/1400905); the bend is kept
    small enough that the noise keeps its order, and its SD is set back.

    Args:
        fresh: Unit noise n.
        deviation: s; used up.
        third: m3; used up.
    """
    bend = third.div_(deviation.clamp_min(LEAST).pow_(3)).div_(6).clamp_(-_BENT, _BENT)
    bent = fresh.square().sub_(1).mul_(bend).add_(fresh)
    return bent.mul_(bend.square_().mul_(2).add_(1).rsqrt_()).mul_(deviation)


def _signal(ratio: Tensor, coils: int, steady: float) -> Tensor:
    """Signal under a mean magnitude: in tissue E[M]^2 less (2 L - 1) sigma^2."""
    tissue = 2 * coils - 1
    power = ratio.square()
    air = (steady - power).clamp_max_(0).exp_()
    return power.sub_(tissue).add_(air * (tissue - steady)).clamp_min_(0).sqrt_()
