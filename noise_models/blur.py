"""Loss of resolution: a Gaussian point-spread function, per axis, in mm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Generator, Tensor

from noise_models.base import (
    Level,
    NoiseModel,
    Params,
    check_range,
    computable,
    draw_uniform,
    of_volumes,
    spacing_of,
)
from noise_models.registry import register
from noise_models.separable import along_all

FWHM2_PER_VARIANCE = 8 * math.log(2)
FWHM_PER_STD = math.sqrt(FWHM2_PER_VARIANCE)
"""Full width at half maximum of a Gaussian, in standard deviations."""


@register("blur")
@dataclass(frozen=True)
class Blur(NoiseModel):
    """Loss of resolution: a Gaussian point-spread function, per axis, in mm.

    The transfer function is the continuous Gaussian's, ``exp(-2 pi^2 s^2 f^2)`` with
    ``s = fwhm / sqrt(8 ln 2)``, at the frequencies of the cosine transform. So it is
    exact for a PSF narrower than a voxel, blurs compose exactly (squared widths
    add), the mean is kept, and the far side of the head does not wrap around: the
    image is mirrored at its faces.

    Args:
        fwhm_mm: Full width at half maximum, mm. A range is drawn uniformly, for each
            axis of each volume on its own.

    Raises:
        ValueError: ``fwhm_mm`` is not ``0 <= low <= high``.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> point = torch.zeros(1, 1, 31, 31, 31)
        >>> point[..., 15, 15, 15] = 1
        >>> spread = Blur(fwhm_mm=3.0)(point, rng=rng)
        >>> profile = spread[0, 0, :, 15, 15] / spread.max()
        >>> round((profile[13] + profile[14]).item() / 2, 1)  # 1.5 mm away: one half
        0.5
    """

    fwhm_mm: Level = (0.0, 3.0)

    def __post_init__(self) -> None:
        check_range("blur: fwhm_mm", self.fwhm_mm)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        """Widths (n, 3); a 2-D image uses the first two."""
        return {"fwhm_mm": draw_uniform(self.fwhm_mm, n, rng, columns=3)}

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        """Blur by ``params["fwhm_mm"]`` (n, at least ndim); 0 is exactly no blur."""
        clean = computable(x)
        y = self._blurred(clean, params, spacing_mm, spare=None)
        return y.to(x.dtype, copy=y is x)

    def spend(
        self,
        y: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        given = computable(y).contiguous()
        return self._blurred(given, params, spacing_mm, spare=given).to(y.dtype)

    def _blurred(
        self,
        clean: Tensor,
        params: Params,
        spacing_mm: Sequence[float] | None,
        spare: Tensor | None,
    ) -> Tensor:
        widths = of_volumes(params, "fwhm_mm", clean)
        spacing = spacing_of(clean, spacing_mm)
        if widths.ndim != 2 or widths.shape[1] < len(spacing) or (widths < 0).any():
            raise ValueError(
                f"blur: fwhm_mm must be at least 0 for each of {len(spacing)} axes, "
                f"got {widths.tolist()}."
            )
        matrices = {}
        for axis, step in enumerate(spacing, start=2):
            std_voxels = widths[:, axis - 2] / (FWHM_PER_STD * step)
            if std_voxels.any():
                matrices[axis] = psf_matrix(clean.shape[axis], std_voxels)
        return along_all(clean, matrices, spare)


def psf_matrix(size: int, std_voxels: Tensor) -> Tensor:
    """Gaussian blur along one axis as matrices (n, size, size), one per volume.

    ``C^T diag(transfer) C`` with C the orthonormal cosine transform (DCT-II), whose
    frequencies are ``k / (2 size)`` cycles per voxel. Zero width is the exact identity.

    Example:
        >>> matrix = psf_matrix(8, torch.tensor([0.0, 1.0]))
        >>> torch.equal(matrix[0], torch.eye(8))
        True
        >>> torch.allclose(matrix[1].sum(0), torch.ones(8))
        True
    """
    std = std_voxels.double()[:, None]
    k = torch.arange(size, dtype=torch.float64, device=std.device)
    transfer = torch.exp(-2 * (math.pi * std * k / (2 * size)) ** 2)
    matrix = transfer_matrix(transfer)
    identity = torch.eye(size, dtype=matrix.dtype, device=matrix.device)
    return torch.where(std[:, :, None] > 0, matrix, identity).to(std_voxels)


def transfer_matrix(transfer: Tensor) -> Tensor:
    """A filter along one axis, given at frequencies ``k / (2 size)``, as matrices.

    Args:
        transfer: Response at ``k = 0 .. size - 1``, (n, size).

    Returns:
        ``C^T diag(transfer) C``, (n, size, size), float64.

    Example:
        >>> matrix = transfer_matrix(torch.ones(1, 3))
        >>> torch.allclose(matrix[0], torch.eye(3, dtype=matrix.dtype))
        True
    """
    cosines = cosine_transform(transfer.shape[1], transfer.device)
    return cosines.T @ (transfer.double()[:, :, None] * cosines)


@lru_cache(maxsize=16)
def cosine_transform(size: int, device: torch.device | None = None) -> Tensor:
    """The orthonormal DCT-II as a matrix (frequency, place), float64; not to write to.

    Example:
        >>> c = cosine_transform(4)
        >>> torch.allclose(c @ c.T, torch.eye(4, dtype=c.dtype))
        True
    """
    k = torch.arange(size, dtype=torch.float64, device=device)
    cosines = torch.cos(math.pi / size * k[:, None] * (k + 0.5)) * math.sqrt(2 / size)
    cosines[0] /= math.sqrt(2)
    return cosines
