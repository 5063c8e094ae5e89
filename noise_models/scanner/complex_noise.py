"""Noise on the grid that both scanners store: complex, then the magnitude."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from noise_models.base import Params, draw_normal
from noise_models.scanner.fields import ENDS
from noise_models.scanner.local import Local, coil_counts, filled, steady_power
from noise_models.scanner.spectrum import Spectra, complex_noise, lacking_spectrum
from noise_models.voxelwise import in_blocks


def add_complex(local: Local, params: Params, both: Spectra, rng: Generator) -> Tensor:
    """Add circular complex noise and take the magnitude.

    Blur averages A's magnitudes in air, whose mean then stays where B's would not be:
    there the second moments are matched, by a floor where noise cannot.
    """
    y, fields = local.signal, local.fields
    coils_a, coils_b = coil_counts(params, y)
    steady_a, power_a = steady_power(coils_a), both.power_a.to(y)[:, None]
    air_a = steady_a + (2 * coils_a - steady_a) * power_a
    noise = _complex_normals(local, both, rng)
    more = _other_coils(coils_b, y, rng).flatten(1) if (coils_b > 1).any() else None

    def work(volumes: slice, voxels: slice) -> None:
        here = volumes, voxels
        part, level = local.parts(*here)
        noise_a, noise_b = (fields.flat_noise(end, *here) for end in ENDS)
        slope = local.response.slope_at(level, *here)
        own = slope.mul_(noise_a).square_()  # variance of A's noise, before the blur
        present = filled(level, noise_a, steady_a[volumes])
        freedom = 2 * coils_b[volumes]
        wanted, noise_only = (
            noise_b.square_(),
            noise_a.square_().mul_(steady_a[volumes]),
        )
        have = present.mul_(own).mul_(air_a[volumes])
        tissue = torch.addcmul(wanted, own, power_a[volumes], value=-1).clamp_min_(0)
        lack = torch.sub(wanted * freedom, have).clamp_min_(0)
        air = torch.minimum(tissue, lack / freedom)
        snr2 = torch.sub(level.square(), noise_only).clamp_min_(0).div_(wanted)
        is_air = snr2.mul_(0.5).add_(1).reciprocal_()
        floor = lack.sub_(air * freedom).clamp_min_(0).mul_(is_air)
        power = air.sub_(tissue).mul_(is_air).add_(tissue)  # sigma^2 of what is added
        sigma = power.sqrt()
        real, imaginary = noise(*here)
        part.addcmul_(real, sigma).square_()
        part.addcmul_(imaginary.square(), power).add_(floor)
        if more is not None:
            part.addcmul_(more[here], power)
        part.sqrt_().mul_(fields.shading("target", *here))

    in_blocks(y, work)
    return y


def _complex_normals(
    local: Local, both: Spectra, rng: Generator
) -> Callable[[slice, slice], Sequence[Tensor]]:
    """Real and imaginary part of the noise to add, scaled to SD 1, of any block."""
    y, sigma = local.signal, local.fields.sigma
    if not both.is_coloured:
        white = [draw_normal(y, rng).flatten(1) for _ in range(2)]
        return lambda *block: [part[block] for part in white]
    spectrum = lacking_spectrum(both, sigma["source"], sigma["target"], y)
    pairs = complex_noise(spectrum, y, rng).view(len(y), -1, 2)
    return lambda *block: pairs[block].unbind(-1)


def _other_coils(coils: Tensor, like: Tensor, rng: Generator) -> Tensor:
    """Power of the noise in all coils but one, over sigma^2: chi^2 of 2 (L - 1).

    By the cube of a normal (Wilson & Hilferty 1931, doi:10.1073/pnas.17.12.684).
    """
    normal = draw_normal(like, rng).flatten(1)
    freedom = (2 * (coils - 1)).clamp_min(1)
    spread = 2 / (9 * freedom)
    cube = normal.mul_(spread.sqrt()).add_(1 - spread).clamp_min_(0).pow_(3)
    return cube.mul_(freedom).mul_(coils > 1)
