"""The smooth fields of two scanners: shading, and how strong the noise is where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from noise_models.base import Params, of_volumes, per_volume
from noise_models.bias_field import in_plane
from noise_models.cosine import cosine_basis, cosine_field, cosine_terms
from noise_models.scanner.noise_field import FIELD_ORDER
from noise_models.scanner.tissue import BIAS_EXTENT_MM, BIAS_ORDER, brain_mean_rows

ENDS = ("source", "target")
LEAST = 1e-6  # noise below this is none; nothing is divided by zero


@dataclass(frozen=True)
class Fields:
    """Shading and sigma of A and of B, kept as logarithms of whole volumes.

    Exponentials are taken block by block, as in `noise_models.voxelwise`.

    Attributes:
        shadings: Log-shading of ``"source"`` and ``"target"``, (n, voxels).
        maps: Likewise, log of sigma less that of its level; absent where it is flat.
        sigma: Level of sigma on the native grid, (n, 1).

    Example:
        >>> one = {"source": torch.zeros(1, 2)}
        >>> Fields(one, {}, {"source": torch.ones(1, 1)}).shading("source").tolist()
        [[1.0, 1.0]]
    """

    shadings: Mapping[str, Tensor]
    maps: Mapping[str, Tensor]
    sigma: Mapping[str, Tensor]

    def shading(
        self, end: str, volumes: slice = slice(None), voxels: slice = slice(None)
    ) -> Tensor:
        """Factor on the signal: a tensor of the caller's own."""
        return self.shadings[end][volumes, voxels].exp()

    def noise(
        self, end: str, volumes: slice = slice(None), voxels: slice = slice(None)
    ) -> Tensor:
        """Noise SD, (m, voxels), or (m, 1) where it is flat."""
        level = self.sigma[end][volumes]
        if end not in self.maps:
            return level
        return self.maps[end][volumes, voxels].exp().mul_(level)


def fields_of(x: Tensor, params: Params, grid_mm: Sequence[float]) -> Fields:
    """What ``params`` say of the scans ``x`` (n, C, X, Y[, Z])."""
    centre = head_centres(x, params)
    shadings, maps, sigma = {}, {}, {}
    for end in ENDS:
        coefficients = of_volumes(params, f"coefficients_{end}", x)
        shadings[end] = _log_field(x, coefficients, centre, grid_mm, BIAS_ORDER)
        coefficients = of_volumes(params, f"noise_field_{end}", x)
        if bool(coefficients.any()):
            maps[end] = _log_field(x, coefficients, centre, grid_mm, FIELD_ORDER)
        sigma[end] = of_volumes(params, f"sigma_{end}", x).clamp_min(LEAST)[:, None]
    return Fields(shadings, maps, sigma)


def _log_field(
    x: Tensor,
    coefficients: Tensor,
    centre_voxels: Tensor,
    grid_mm: Sequence[float],
    order: int,
) -> Tensor:
    """A field whose mean over a typical brain is 0, for all channels, (n, voxels)."""
    rows = torch.from_numpy(brain_mean_rows()[: coefficients.shape[1]])
    mean = coefficients @ rows.to(coefficients)
    if x.ndim == 4 and coefficients.shape[1] == len(cosine_terms(3, order)):
        coefficients = in_plane(coefficients, order)
    factors = cosine_basis(x.shape[2:], grid_mm, centre_voxels, BIAS_EXTENT_MM, order)
    field = cosine_field(coefficients, factors)
    field = field.sub_(per_volume(mean, x)[:, 0]).unsqueeze(1)
    return field.expand(x.shape).flatten(1)


def head_centres(x: Tensor, params: Params) -> Tensor:
    """Centre of the head in voxels, (n, ndim): known on a scan's own grid.

    A grid of any other shape is taken to be centred on the head, as a training
    grid is.
    """
    shape = torch.tensor(x.shape[2:], device=x.device)
    native = params["shape_source"].to(x.device)[:, : len(shape)]
    own = (native == shape).all(1, keepdim=True)
    centre = of_volumes(params, "centre_source_voxels", x)[:, : len(shape)]
    return torch.where(own, centre, (shape - 1).to(x) / 2)
