"""How much of what a code does not hold is the head's own, by spatial frequency.

A code is small, and what is painted from it is blurred; a scan moved to another site
should keep its detail. But what the painting lacks is not detail alone: of a scanner
that training has not met, its contrast and shading are in it, too. The corruption of
training tells the two apart. Of a clean scan x of site s and its corruption x~, with
z the code of x~, the harmonised image

    dec(z, s) + k (x~ - dec(z))

should be x, dec(z) painted with the mean site input: the corrupted scan stands for one
of a scanner that training has not met. The gain that comes nearest in least squares in
each band of spatial frequency f, read between the middles of the bands where it is
used,

    k = < X . R* > / < |R|^2 >,   X = F(x - dec(z, s)),   R = F(x~ - dec(z)),

is a Wiener filter (Wiener 1949, ISBN 978-0-262-73005-1), learned without anybody who
travelled: near 0 where the corruption changed scans most, 1 where it left them alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

BANDS = 16
"""Of equal width, from 0 to half a cycle per voxel of the finest axis."""


def frequency(shape: Sequence[int], spacing_mm: Sequence[float]) -> Tensor:
    """Radial frequency over that of the finest axis' Nyquist, for `torch.fft.rfftn`.

    Args:
        shape: Voxels along each axis.
        spacing_mm: Voxel size along each axis.

    Example:
        >>> frequency((4, 4), (1.0, 2.0))[:, 0]
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    along = [torch.fft.fftfreq(n, mm) for n, mm in zip(shape, spacing_mm, strict=True)]
    along[-1] = torch.fft.rfftfreq(shape[-1], spacing_mm[-1])
    axes = torch.meshgrid(*along, indexing="ij")
    return torch.as_tensor(torch.stack(axes).norm(dim=0) * 2 * min(spacing_mm))


def kept(residual: Tensor, gain: Tensor, spacing_mm: Sequence[float]) -> Tensor:
    """What of the difference between a scan and its painting stays in the scan.

    Args:
        residual: (..., X, Y, Z), or (..., X, Y), float32 or float64.
        gain: (BANDS,), at the middle of each band; between them it is linear.
        spacing_mm: Voxel size along the last axes.

    Example:
        >>> x = torch.randn(8, 8, 8)
        >>> torch.allclose(kept(x, torch.ones(BANDS), (4.0, 4.0, 4.0)), x, atol=1e-5)
        True
    """
    if bool((gain == 1).all()):
        return residual
    axes = tuple(range(-len(spacing_mm), 0))
    shape = residual.shape[-len(spacing_mm) :]
    place = frequency(shape, spacing_mm).to(residual.device) * BANDS - 0.5
    place = place.clamp(0, BANDS - 1)
    below = place.floor().long()
    above = (below + 1).clamp(max=BANDS - 1)
    own = gain.to(residual)
    at = torch.lerp(own[below], own[above], (place - below).to(own))
    spectrum = torch.fft.rfftn(residual, dim=axes)
    return torch.as_tensor(torch.fft.irfftn(spectrum * at, s=shape, dim=axes))


class DetailFit:
    """Sums over pairs of volumes, from which the gain is solved.

    Args:
        spacing_mm: Voxel size of the volumes.

    Example:
        >>> fit = DetailFit((4.0, 4.0, 4.0))
        >>> lacking = torch.randn(2, 8, 8, 8)
        >>> fit.add(0.5 * lacking, lacking)  # half of what is lacking is the head's own
        >>> fit.gain()[:8]
        tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000])
    """

    def __init__(self, spacing_mm: Sequence[float]) -> None:
        self.spacing_mm = tuple(spacing_mm)
        self.both = torch.zeros(BANDS, dtype=torch.float64)
        self.power = torch.zeros(BANDS, dtype=torch.float64)

    def add(self, lacks: Tensor, residual: Tensor) -> None:
        """Count some pairs.

        Args:
            lacks: Clean volumes less their paintings for their own site, (B, X, Y, Z).
            residual: Corrupted volumes less their paintings, (B, X, Y, Z).
        """
        axes = tuple(range(-len(self.spacing_mm), 0))
        shape = residual.shape[-len(self.spacing_mm) :]
        place = frequency(shape, self.spacing_mm) * BANDS
        band = place.long().clamp(max=BANDS - 1).flatten()
        # A half spectrum stands for both halves, but where it mirrors itself.
        twice = torch.full(place.shape, 2.0, dtype=torch.float64)
        twice[..., 0] = 1.0
        if shape[-1] % 2 == 0:
            twice[..., -1] = 1.0
        x, r = (torch.fft.rfftn(v.cpu().double(), dim=axes) for v in (lacks, residual))
        for total, value in (
            (self.both, (x * r.conj()).real),
            (self.power, r.abs() ** 2),
        ):
            weighed = (value * twice).reshape(-1, *place.shape).sum(0).flatten()
            total.index_add_(0, band, weighed)

    def gain(self) -> Tensor:
        """The gain of every band, from 0 to 1, (BANDS,).

        A band that no frequency of the volumes falls into has that of its neighbours; 1
        where nothing was lacking at all.
        """
        known = (self.power > 0).numpy()
        if not known.any():
            return torch.ones(BANDS)
        share = (self.both / self.power).clamp(0, 1).numpy()
        every = np.arange(BANDS)
        return torch.from_numpy(np.interp(every, every[known], share[known])).float()
