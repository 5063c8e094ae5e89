"""Noise on the grid that both scanners store: complex, then the magnitude."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from noise_models.base import Params, draw_normal
from noise_models.scanner.fields import ENDS, LEAST
from noise_models.scanner.local import Local, coil_counts, filled, steady_power
from noise_models.scanner.spectrum import Spectra, complex_noise, lacking_spectrum
from noise_models.voxelwise import in_blocks

_EVEN = 8  # power of |h|^2 as whose share A's air makes B's: log(mean / SD) within .01
_SCATTER = 3.5  # SDs by which a local mean of A's air may be off


def add_complex(local: Local, params: Params, both: Spectra, rng: Generator) -> Tensor:
    """Add circular complex noise and take the magnitude.

    Of L coils one holds the signal g(x), the others noise alone:

        y^2 = b_B^2 [(k g(x) + sigma n_1)^2 + sigma^2 (n_2^2 + chi^2_(2 L - 2))]

    In tissue k = 1 and variances compose, sigma^2 = sigma_B^2 - |h|^2 (g' sigma_A)^2.
    In air they do not: blur averages A's magnitudes, whose mean then stays where B's
    would not be, and which are too even. There A's air, times k, makes at most |h|^16
    of B's second moment, all of it where nothing is blurred and next to nothing where
    much is, and second moments are matched,
    2 L sigma^2 = 2 L sigma_B^2 - k^2 (g' sigma_A)^2 E[M_A^2] / sigma_A^2. Between the
    two both count, air by 1 / (1 + SNR^2 / 2): SNR^2 is what the local mean squared has
    over that of noise alone and its scatter, in units of B's noise. So dark tissue
    loses what blur has left there of A's own pedestal.
    """
    y, fields = local.signal, local.fields
    coils_a, coils_b = coil_counts(params, y)
    steady_a, power_a = steady_power(coils_a), both.power_a.to(y)[:, None]
    # E[M^2] of A's air over the blurred variance: blur leaves the mean as it is.
    air_a = steady_a / power_a + (2 * coils_a - steady_a)
    most_kept = power_a.clamp_max(1) ** _EVEN
    # A mean of 3 voxels an axis, squared, of Rayleigh noise: its SD over the mean.
    scattered = 1 + _SCATTER * 1.05 / 3 ** ((y.ndim - 2) / 2)
    noise = _complex_normals(local, both, rng)
    more = _other_coils(coils_b, y, rng).flatten(1) if (coils_b > 1).any() else None

    def work(volumes: slice, voxels: slice) -> None:
        # Tensors are used up where a step gives them a new name.
        here = volumes, voxels
        part, level = local.parts(*here)
        noise_a, noise_b = (fields.flat_noise(end, *here) for end in ENDS)
        slope = local.response.slope_at(level, *here)
        own = slope.mul_(noise_a).square_()  # (g' sigma_A)^2, before the blur
        present = filled(level, noise_a, steady_a[volumes])
        wanted = noise_b.square_()  # sigma_B^2
        noise_only = noise_a.square_().mul_(scattered * steady_a[volumes])
        own_here = own.mul_(power_a[volumes])  # after it
        tissue = torch.sub(wanted, own_here).clamp_min_(0)
        # Air: what its second moment lacks, as noise of B's degrees of freedom.
        freedom = 2 * coils_b[volumes]
        all_of_b = wanted * freedom
        have = present.mul_(own_here).mul_(air_a[volumes])
        kept = (all_of_b * most_kept[volumes]).div_(have.clamp_min(LEAST**2))
        kept.clamp_max_(1)  # k^2
        air = all_of_b.sub_(have.mul_(kept)).clamp_min_(0).div_(freedom)  # sigma^2
        # Each counts for its share of the voxel's SNR.
        snr2 = torch.sub(level.square(), noise_only).clamp_min_(0).div_(wanted)
        is_air = snr2.mul_(0.5).add_(1).reciprocal_()
        part.mul_(kept.sub_(1).mul_(is_air).add_(1).sqrt_())
        power = air.sub_(tissue).mul_(is_air).add_(tissue)  # sigma^2
        sigma = power.sqrt()
        real, imaginary = noise(*here)
        magnitude2 = part.addcmul_(real, sigma).square_()
        magnitude2.addcmul_(imaginary.square(), power)
        if more is not None:
            magnitude2.addcmul_(more[here], power)
        magnitude2.sqrt_().mul_(fields.shading("target", *here))  # into ``y``

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
