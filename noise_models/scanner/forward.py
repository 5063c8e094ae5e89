"""A scan of A, as scanner B would have made it: the forward model, step by step.

    y = | b * PSF[ g(x) ] + n1 + i n2 |

after A's own shading is taken off. Two ways of adding noise, because a magnitude is
taken once, on the native grid, and never again:

- on the grid that both scanners store, the noise is complex and the rule of `transfer`
  exact: Rician on Rician is Rician;
- on any other grid real noise was resampled after the magnitude. Its mean is the
  Rician mean, smooth; the rest is close to Gaussian, of known variance and colour.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from noise_models.base import Params, of_volumes, per_volume
from noise_models.bias_field import BiasField
from noise_models.blur import Blur
from noise_models.contrast import Contrast
from noise_models.cosine import cosine_basis, cosine_field
from noise_models.scanner.noise_field import FIELD_ORDER
from noise_models.scanner.resampling import is_same_spacing
from noise_models.scanner.rice import air_power, rice_moments
from noise_models.scanner.spectrum import (
    Spectra,
    coloured_noise,
    filtered,
    lacking_spectrum,
    spectra,
)
from noise_models.scanner.tissue import BIAS_EXTENT_MM, BIAS_ORDER, brain_mean_rows

_ENDS = ("source", "target")
_LEAST = 1e-6  # noise below this is none; nothing is divided by zero
_BENT = 0.15  # largest bend, in SD: a skewness of .9
MOST_COILS = 64  # beyond, air looks as if it were interpolated


def on_native_grid(params: Params, grid_mm: Sequence[float]) -> Tensor:
    """Whether A and B both store the grid that the volume is on, (n,).

    Example:
        >>> one = torch.ones(1, 3)
        >>> spacing = {"spacing_source_mm": one, "spacing_target_mm": one}
        >>> on_native_grid(spacing, (1, 1, 1)), on_native_grid(spacing, (2, 2, 2))
        (tensor([True]), tensor([False]))
    """
    pairs = zip(
        params["spacing_source_mm"].tolist(),
        params["spacing_target_mm"].tolist(),
        strict=True,
    )
    size = len(grid_mm)
    same = [all(is_same_spacing(s[:size], grid_mm) for s in pair) for pair in pairs]
    return torch.tensor(same, dtype=torch.bool)


def degrade(
    x: Tensor,
    params: Params,
    rng: Generator,
    grid_mm: Sequence[float],
    *,
    is_native: bool,
) -> Tensor:
    """Contrast, sharpness, shading and noise of B, for scans of A.

    Args:
        x: Scans, (n, C, X, Y[, Z]), reference units.
        params: What `ScannerNoise.draw` returns.
        rng: Where the noise comes from.
        grid_mm: Voxel size of ``x``.
        is_native: Which of the two noises is meant (`on_native_grid`).
    """
    centre = _head_centres(x, params)
    field_a, field_b = (
        _shading(x, of_volumes(params, f"coefficients_{end}", x), centre, grid_mm)
        for end in _ENDS
    )
    flat = x / field_a
    widths = torch.tensor([[2 * step for step in grid_mm]] * len(x)).to(x)
    level = Blur().apply(flat, {"fwhm_mm": widths}, rng, spacing_mm=grid_mm)
    slope = _local_slope(level, params) * (field_b / field_a)  # g' b
    both = spectra(
        params["variance_target_mm2"] - params["variance_source_mm2"],
        params["spacing_source_mm"],
        params["spacing_target_mm"],
        x.shape[2:],
        grid_mm,
        (params["extent_source"], params["extent_target"]),
        params["apodisation"],
    )
    y = filtered(Contrast().apply(flat, params, rng), both.transfer) * field_b
    noise = tuple(_noise_map(x, params, end, centre, grid_mm) for end in _ENDS)
    add = _add_complex if is_native else _add_resampled
    return add(
        y, level, slope, (field_a, field_b), (noise[0], noise[1]), params, both, rng
    )


def _add_complex(
    y: Tensor,
    level: Tensor,
    slope: Tensor,
    fields: tuple[Tensor, Tensor],
    noise: tuple[Tensor, Tensor],
    params: Params,
    both: Spectra,
    rng: Generator,
) -> Tensor:
    """Add circular complex noise and take the magnitude.

    Blur averages A's magnitudes in air, whose mean then stays where B's would not be:
    there the second moments are matched, by a floor where noise cannot.
    """
    sigma_a, sigma_b = noise
    coils_a, coils_b = _coils(params, y)
    power_a = per_volume(both.power_a.to(y), y)
    own = slope * sigma_a  # SD of A's noise, before the blur
    tissue = sigma_b.square() - own.square() * power_a
    tissue = tissue.clamp_min_(0)
    steady_a = _air_power(coils_a)
    air_a = steady_a + (2 * coils_a - steady_a) * power_a
    have = own.square() * air_a * _filled(level * fields[0], sigma_a, coils_a)
    lack = (2 * coils_b * sigma_b.square() - have).clamp_min_(0)
    air = torch.minimum(tissue, lack / (2 * coils_b))
    noise_only = sigma_a.square() * steady_a
    snr2 = (level.square() - noise_only).clamp_min_(0) / sigma_b.square()
    is_air = 1 / (1 + snr2 / 2)
    sigma = (is_air * air + (1 - is_air) * tissue).sqrt_()
    floor = (lack - 2 * coils_b * air).clamp_min_(0) * is_air
    if both.is_coloured:
        colour = lacking_spectrum(both, *_sigmas(params, y), y)
        real, imaginary = coloured_noise(colour, y, rng, copies=2)
    else:
        real, imaginary = (
            torch.empty(y.shape, device=rng.device).normal_(generator=rng).to(y)
            for _ in range(2)
        )
    real.mul_(sigma).add_(y)
    imaginary.mul_(sigma)
    power = real.square_().add_(imaginary.square_()).add_(floor)
    if bool((coils_b > 1).any()):
        power += sigma.square() * _other_coils(coils_b, y, rng)
    return power.sqrt_()


def _add_resampled(
    y: Tensor,
    level: Tensor,
    slope: Tensor,
    fields: tuple[Tensor, Tensor],
    noise: tuple[Tensor, Tensor],
    params: Params,
    both: Spectra,
    rng: Generator,
) -> Tensor:
    """Add what resampled magnitudes of B have over those of A: mean and coloured noise.

    Moments of the Rice distribution at the local signal; variance and skewness pass
    each scanner's resampling, the mean does not notice it.
    """
    sigma_a, sigma_b = noise
    coils_a, coils_b = _coils(params, y)
    seen = level * fields[0]  # mean magnitude in A's scan
    signal_a = _signal(seen, sigma_a, coils_a)
    present = Contrast().apply(level, params, rng) * fields[1]
    signal_b = Contrast().apply(signal_a / fields[0], params, rng) * fields[1]
    _, carried, skew_a = rice_moments(signal_a, sigma_a, coils_a.flatten())
    present_a = _filled(seen, sigma_a, coils_a)
    carried *= slope.square() * present_a * per_volume(both.power_a.to(y), y)
    mean_b, wanted, skew_b = rice_moments(signal_b, sigma_b, coils_b.flatten())
    wanted *= per_volume(both.power_b.to(y), y)
    deviation = (wanted - carried).clamp_min_(0).sqrt_()
    colour = lacking_spectrum(both, *_sigmas(params, y), y)
    (fresh,) = coloured_noise(colour, y, rng)
    skew_a *= slope**3 * present_a * per_volume(both.skew_a.to(y), y)
    skew = skew_b.mul_(per_volume(both.skew_b.to(y), y)).sub_(skew_a)
    fresh = _skewed(fresh.mul_(deviation), deviation, skew)
    shift = mean_b.sub_(present)
    return fresh.add_(y).add_(shift).clamp_min_(0)


def _skewed(noise: Tensor, deviation: Tensor, third: Tensor) -> Tensor:
    """Gaussian noise bent to a third moment: ``n + (m3 / 6 s^4) (n^2 - s^2)``.

    To first order (Cornish & Fisher 1938, doi:10.2307/1400905); the bend is kept
    small enough that the noise keeps its order, and its SD is set back.
    """
    power = deviation.square().clamp_min(_LEAST**2)
    share = (third / power.pow(1.5)).div_(6).clamp_(-_BENT, _BENT)  # of one SD
    bend = share / power.sqrt()
    bent = noise + bend * (noise.square() - power)
    return bent.div_((1 + 2 * share.square()).sqrt_())


def _sigmas(params: Params, x: Tensor) -> tuple[Tensor, Tensor]:
    """Noise SD of A and of B on their native grids, (n,)."""
    a, b = (of_volumes(params, f"sigma_{end}", x) for end in ("source", "target"))
    return a.clamp_min(_LEAST), b.clamp_min(_LEAST)


def _noise_map(
    x: Tensor,
    params: Params,
    end: str,
    centre_voxels: Tensor,
    grid_mm: Sequence[float],
) -> Tensor:
    """Noise SD at every voxel: shaped like ``x``, or (n, 1, ...) where it is flat."""
    sigma = of_volumes(params, f"sigma_{end}", x).clamp_min(_LEAST)
    level = per_volume(sigma.to(x), x)
    coefficients = of_volumes(params, f"noise_field_{end}", x)
    if not bool(coefficients.any()):
        return level
    factors = cosine_basis(
        x.shape[2:], grid_mm, centre_voxels, BIAS_EXTENT_MM, FIELD_ORDER
    )
    mean = coefficients @ torch.from_numpy(
        brain_mean_rows()[: coefficients.shape[1]]
    ).to(coefficients)
    field = cosine_field(coefficients, factors).sub_(per_volume(mean, x)[:, 0])
    return field.exp_().unsqueeze(1).to(x) * level


def _coils(params: Params, x: Tensor) -> tuple[Tensor, Tensor]:
    """Channels of A and of B, whole numbers, (n, 1, ...)."""
    a, b = (per_volume(of_volumes(params, f"coils_{end}", x), x) for end in _ENDS)
    return a.round().clamp(1, MOST_COILS), b.round().clamp(1, MOST_COILS)


def _air_power(coils: Tensor) -> Tensor:
    values = [air_power(int(count)) for count in coils.flatten().tolist()]
    return torch.tensor(values).to(coils).view_as(coils)


def _other_coils(coils: Tensor, like: Tensor, rng: Generator) -> Tensor:
    """Power of the noise in all coils but one, over sigma^2: chi^2 of 2 (L - 1).

    By the cube of a normal (Wilson & Hilferty 1931, doi:10.1073/pnas.17.12.684).
    """
    normal = torch.empty(like.shape, device=rng.device).normal_(generator=rng).to(like)
    freedom = (2 * (coils - 1)).clamp_min(1)
    spread = 2 / (9 * freedom)
    cube = normal.mul_(spread.sqrt()).add_(1 - spread).clamp_min_(0).pow_(3)
    return cube.mul_(freedom) * (coils > 1)


def _signal(magnitude: Tensor, sigma: Tensor, coils: Tensor) -> Tensor:
    """Signal under a mean magnitude: in tissue E[M]^2 less (2 L - 1) sigma^2."""
    noise = sigma.square()
    power = magnitude.square() / noise
    tissue, alone = 2 * coils - 1, _air_power(coils)
    air = torch.exp(-(power - alone).clamp_min(0))
    return ((power - tissue - (alone - tissue) * air).clamp_min_(0) * noise).sqrt_()


def _filled(magnitude: Tensor, sigma: Tensor, coils: Tensor) -> Tensor:
    """1 where A's own noise is there, 0 where its air was zeroed."""
    alone = sigma.square() * _air_power(coils)
    return (4 * magnitude.square() / alone).clamp_max_(1)


def _shading(
    x: Tensor, coefficients: Tensor, centre_voxels: Tensor, grid_mm: Sequence[float]
) -> Tensor:
    """A shading whose logarithm has mean 0 over a typical brain, shaped like ``x``."""
    shading = BiasField(order=BIAS_ORDER, extent_mm=BIAS_EXTENT_MM)
    none = torch.Generator()  # BiasField.apply draws nothing
    params = {"coefficients": coefficients, "centre_voxels": centre_voxels}
    mean = coefficients @ torch.from_numpy(brain_mean_rows()).to(coefficients)
    scale = per_volume((-mean).exp(), x).expand_as(x)
    return shading.apply(scale.contiguous(), params, none, spacing_mm=grid_mm)


def _head_centres(x: Tensor, params: Params) -> Tensor:
    """Centre of the head in voxels, (n, 3): known on a scan's own grid.

    A grid of any other shape is taken to be centred on the head, as a training
    grid is.
    """
    shape = torch.tensor(x.shape[2:], device=x.device)
    native = params["shape_source"].to(x.device)[:, : len(shape)]
    own = (native == shape).all(1, keepdim=True)
    centre = of_volumes(params, "centre_source_voxels", x)[:, : len(shape)]
    return torch.where(own, centre, (shape - 1).to(x) / 2)


def _local_slope(level: Tensor, params: Params) -> Tensor:
    """G' at the local signal level: what the curve does to the noise there."""
    knots = of_volumes(params, "knots_in", level)
    slopes = of_volumes(params, "knots_out", level).diff(dim=1) / knots.diff(dim=1)
    inner = knots[:, 1:-1].contiguous()
    segment = torch.searchsorted(inner, level.flatten(1).contiguous())
    return slopes.gather(1, segment).view(level.shape)
