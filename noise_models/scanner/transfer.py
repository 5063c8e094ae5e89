"""From scanner A to scanner B: what has to be added, and what cannot be.

With the forward model ``y = |b * PSF[g(x)] + n1 + i n2|`` and Rician noise that
composes exactly (a circular complex noise added to a noisy signal is one noise),

    psf_add^2   = s_B^2 - s_A^2
    bias_add    = b_B / b_A
    sigma_add^2 = sigma_B^2 - (sum h^2) (g' b)^2 sigma_A^2

where h is the added PSF and g', b the local slopes. A corruption can only degrade:
negative differences are clipped to zero, counted, and reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from noise_models.blur import FWHM2_PER_VARIANCE
from noise_models.scanner.estimate import BIAS, levels_of
from noise_models.scanner.resampling import noise_gain, resampling_variance_mm2
from noise_models.scanner.sites import Site

_THROUGH_ANATOMY = slice(1, BIAS.stop)  # sharpness, contrast, shading
# Fat is a poor landmark: it may fade to the level of white matter (fat that is
# saturated at B is as dark), but stand out no more than so.
FLATTEST_ABOVE_WHITE, STEEPEST_ABOVE_WHITE = 0.02, 2.5
MOST_FAT = 2.5  # a ratio beyond is no sequence's


@dataclass(frozen=True)
class Pair:
    """What A -> B adds at typical scans of both, on A's native grid.

    Attributes:
        sigma_add: Median noise SD to add, reference units.
        psf_add_fwhm_mm: Median FWHM to add per axis.
        clipped_noise: Share of (A scan, B draw) pairs where B is cleaner than A
            can be made.
        clipped_psf: Share of axes where B is sharper than A.
        clipped_axes: The same for each axis.
        offset: What `calibration` adds to the mean of B for scans of A, (K,); empty
            when the pair was not calibrated.
        inherited: Share of a scan's deviation from A that it takes along to B.
        apodisation: How much faster than a Gaussian the transfer falls at high
            frequencies; see `spectrum.spectra`.
        grain: Log of how much further B's noise spreads about its mean, where A and B
            do not both store the grid, than its fitted colour says.

    Example:
        >>> Pair(0.02, (0.0, 0.0, 1.2), 0.1, 0.5).clipped_psf
        0.5
    """

    sigma_add: float = 0.0
    psf_add_fwhm_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    clipped_noise: float = 0.0
    clipped_psf: float = 0.0
    clipped_axes: tuple[float, float, float] = (0.0, 0.0, 0.0)
    offset: tuple[float, ...] = ()
    inherited: float = 0.0
    apodisation: float = 0.0
    grain: float = 0.0


def landmark_curve(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Knots (n, 5) of g: air, csf, gm, wm, upper of A to those of B.

    Args:
        source: Parameters of A, (n, K), transformed (`estimate.NAMES`).
        target: Parameters of B, (n, K).

    Example:
        >>> knots_in, knots_out = landmark_curve(torch.zeros(1, 26), torch.zeros(1, 26))
        >>> knots_in.tolist() == knots_out.tolist()
        True
    """
    below, above = (_levels(v) for v in (source, target))
    ratio = (above[:, 4] - 1) / (below[:, 4] - 1)
    ratio = ratio.clamp(FLATTEST_ABOVE_WHITE, STEEPEST_ABOVE_WHITE)
    above[:, 4] = 1 + (below[:, 4] - 1) * ratio
    return below, above


def fat_ratio(source: Tensor, target: Tensor) -> Tensor:
    """Brightness of fat at B over that at A, (n,), within a factor of `MOST_FAT`.

    Args:
        source: Parameters of A, (n, K), transformed (`estimate.NAMES`).
        target: Parameters of B, (n, K).

    Example:
        >>> fat_ratio(torch.zeros(1, 26), torch.zeros(1, 26)).tolist()
        [1.0]
    """
    ratio = _levels(target)[:, 4] / _levels(source)[:, 4]
    return ratio.clamp(1 / MOST_FAT, MOST_FAT)


def _levels(vector: Tensor) -> Tensor:
    csf, gm, upper = torch.as_tensor(levels_of(vector.double().cpu().numpy())).T
    zero, one = torch.zeros_like(gm), torch.ones_like(gm)
    return torch.stack([zero, csf, gm, one, upper], 1)


def added_variance_mm2(
    source: Tensor,
    target: Tensor,
    source_spacing_mm: Tensor,
    target_spacing_mm: Tensor,
    grid_mm: Sequence[float],
) -> Tensor:
    """Signed PSF variance to add per axis, (n, ndim), on a grid of ``grid_mm``.

    Both scans reach the grid through a kernel of their own, which counts as blur.

    Args:
        source: Apparent PSF variances of A, (n, >= ndim), mm^2.
        target: Those of B.
        source_spacing_mm: Native voxel size of A, (n, >= ndim).
        target_spacing_mm: That of B.
        grid_mm: Voxel size of the grid.

    Example:
        >>> one, two = torch.ones(1, 3), 2 * torch.ones(1, 3)
        >>> added_variance_mm2(one, two, one, one, (1, 1, 1)).tolist()
        [[1.0, 1.0, 1.0]]
    """
    rows = []
    for a, step in enumerate(grid_mm):
        kernels = [
            torch.tensor(
                [resampling_variance_mm2(s, step) for s in spacing[:, a].tolist()]
            )
            for spacing in (source_spacing_mm, target_spacing_mm)
        ]
        own = kernels[1].to(source) - kernels[0].to(source)
        rows.append(target[:, a] - source[:, a] + own)
    return torch.stack(rows, 1)


def gains(spacing_mm: Tensor, grid_mm: Sequence[float], blur_mm2: Tensor) -> Tensor:
    """`noise_gain` for every volume, (n,).

    Example:
        >>> gains(torch.ones(2, 3), (1, 1, 1), torch.zeros(2, 3)).tolist()
        [1.0, 1.0]
    """
    values = [
        noise_gain(native[: len(grid_mm)], grid_mm, blur)
        for native, blur in zip(spacing_mm.tolist(), blur_mm2.tolist(), strict=True)
    ]
    return torch.tensor(values, dtype=blur_mm2.dtype)


def summarise_pair(
    source: Site,
    target: Site,
    *,
    offset: Sequence[float] = (),
    inherited: float = 0.0,
    apodisation: float = 0.0,
    grain: float = 0.0,
    draws: int = 400,
    seed: int = 0,
) -> Pair:
    """Typical additions of A -> B and how often they are not attainable.

    Args:
        source: Site A.
        target: Site B.
        offset: Calibration of the pair, (K,).
        inherited: Likewise, the share that scans take along.
        apodisation: Likewise.
        grain: Likewise.
        draws: Number of simulated (A scan, B scan) pairs.
        seed: Of those draws.
    """
    rng = np.random.default_rng(seed)
    a, b = (_sample(site, draws, rng) for site in (source, target))
    b = inherit(a, b, source, target, inherited)
    if offset:
        b = b + torch.tensor(offset, dtype=b.dtype)
    spacing_a, spacing_b = (
        torch.tensor([site.spacing_mm] * draws, dtype=torch.float64)
        for site in (source, target)
    )
    grid = source.spacing_mm
    variance = added_variance_mm2(a[:, 1:4], b[:, 1:4], spacing_a, spacing_b, grid)
    attainable = variance.clamp_min(0)
    knots_in, knots_out = landmark_curve(a, b)
    slope = (1 - knots_out[:, 2]) / (1 - knots_in[:, 2])  # at the reference tissue
    none = torch.zeros_like(attainable)
    wanted = b[:, 0].exp() * gains(spacing_b, grid, none)
    left = slope * a[:, 0].exp() * gains(spacing_a, grid, attainable)
    power = wanted**2 - left**2
    clipped = (variance < 0).double().mean(0).tolist()
    fwhm = (attainable * FWHM2_PER_VARIANCE).sqrt().median(0).values
    return Pair(
        sigma_add=float(power.clamp_min(0).sqrt().median()),
        psf_add_fwhm_mm=(float(fwhm[0]), float(fwhm[1]), float(fwhm[2])),
        clipped_noise=float((power < 0).double().mean()),
        clipped_psf=float(np.mean(clipped)),
        clipped_axes=(clipped[0], clipped[1], clipped[2]),
        offset=tuple(offset),
        inherited=inherited,
        apodisation=apodisation,
        grain=grain,
    )


def inherit(
    own: Tensor, drawn: Tensor, source: Site, target: Site, share: float
) -> Tensor:
    """Draws of B (n, K) of which a share is the scans' own deviation from A.

    ``mu_B + rho d_A sd_B / sd_A + sqrt(1 - rho^2) d_B`` for what is read through
    anatomy; the noise, which is not, stays as drawn.

    Args:
        own: Parameters of the scans of A, (n, K).
        drawn: Draws of B, (n, K).
        source: A.
        target: B.
        share: rho, 0 to 1.

    Example:
        >>> from noise_models.scanner.estimate import NAMES, ScanEstimate
        >>> from noise_models.scanner.sites import summarise_site
        >>> flat = ScanEstimate((0.0,) * len(NAMES), (1.0, 1.0, 1.0), 1.0, "air")
        >>> site = summarise_site("A", [flat] * 3)
        >>> zeros = torch.zeros(1, len(NAMES), dtype=torch.float64)
        >>> inherit(zeros, zeros + 2, site, site, 0.6)[0, :2].tolist()
        [2.0, 1.6]
    """
    mean_a, mean_b = (own.new_tensor(site.mean) for site in (source, target))
    sd_a, sd_b = (
        own.new_tensor(np.sqrt(np.diag(np.array(site.covariance))))
        for site in (source, target)
    )
    rho = own.new_zeros(own.shape[1])
    rho[_THROUGH_ANATOMY] = share
    carried = (own - mean_a) * (sd_b / sd_a.clamp_min(1e-9)).clamp(0.5, 2)
    return mean_b + rho * carried + (1 - rho.square()).sqrt() * (drawn - mean_b)


def _sample(site: Site, count: int, rng: np.random.Generator) -> Tensor:
    root = matrix_root(np.array(site.covariance))
    normal = rng.standard_normal((count, len(site.mean)))
    return torch.as_tensor(np.array(site.mean) + normal @ root.T)


def matrix_root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """R with R R^T = covariance; directions without variance are left out.

    Example:
        >>> matrix_root(np.diag([4.0, 0.0])).round(3).tolist()
        [[2.0, 0.0], [0.0, 0.0]]
    """
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T)
