"""The smooth fields of two scanners: shading, and how strong the noise is where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from noise_models.base import Params, of_volumes
from noise_models.bias_field import in_plane
from noise_models.cosine import CosineField, cosine_basis
from noise_models.scanner.head import CENTRE_BELOW_VERTEX_MM
from noise_models.scanner.tissue import BIAS_EXTENT_MM, BIAS_ORDER, brain_mean_rows

ENDS = ("source", "target")
LEAST = 1e-6  # noise below this is none; nothing is divided by zero
GRID_BELOW_VERTEX_MM = 90.0
"""Where a training grid's middle lies; that of a low one so that the brain's top is in.

A scan's head centre is `head.CENTRE_BELOW_VERTEX_MM` below it.
"""
GRID_LOSES_MM = 10.0  # skin and skull above the brain, of a head in a low grid


@dataclass(frozen=True)
class Fields:
    """Shading and sigma of A and of B, made block by block (`noise_models.voxelwise`).

    Attributes:
        logs: Log of the shading of ``"source"`` and ``"target"``, and of sigma where
            the shading is taken off, ``"source, flat"`` and ``"target, flat"``.
        sigma: Level of sigma on the native grid, (n, 1).

    Example:
        >>> lines, planes = torch.ones(1, 2, 1), torch.zeros(1, 1, 3)
        >>> one = {"source": CosineField(lines, planes)}
        >>> fields = Fields(one, {"source": torch.ones(1, 1)})
        >>> fields.shading("source", slice(0, 1), slice(0, 3)).tolist()
        [[1.0, 1.0, 1.0]]
    """

    logs: Mapping[str, CosineField]
    sigma: Mapping[str, Tensor]

    def shading(
        self, end: str, volumes: slice, voxels: slice, *, off: bool = False
    ) -> Tensor:
        """Factor on the signal, or its inverse: a tensor of the caller's own."""
        log = self.logs[end].at(volumes, voxels)
        return (log.neg_() if off else log).exp_()

    def flat_noise(self, end: str, volumes: slice, voxels: slice) -> Tensor:
        """Noise SD in the units of a signal without shading, (m, voxels)."""
        return self.logs[f"{end}, flat"].at(volumes, voxels).exp_()


def fields_of(x: Tensor, params: Params, grid_mm: Sequence[float]) -> Fields:
    """What ``params`` say of the scans ``x`` (n, C, X, Y[, Z])."""
    sigma = {
        end: of_volumes(params, f"sigma_{end}", x).clamp_min(LEAST)[:, None]
        for end in ENDS
    }
    rows = torch.from_numpy(brain_mean_rows()).to(x)
    kinds = ("coefficients", "noise_field")  # of the lower order are the first terms
    found = [of_volumes(params, f"{kind}_{end}", x) for kind in kinds for end in ENDS]
    terms = torch.cat([pad(part, (0, len(rows) - part.shape[1])) for part in found])
    constant = -(terms @ rows)  # the mean over a typical brain is 0
    if x.ndim == 4:
        terms = in_plane(terms, BIAS_ORDER)
    # Shadings of both ends, then sigmas less shadings.
    terms, constant = (part.view(2, -1, *part.shape[1:]) for part in (terms, constant))
    terms[1] -= terms[0]
    constant[1] += torch.cat([sigma[end][:, 0] for end in ENDS]).log() - constant[0]
    factors = cosine_basis(
        x.shape[2:],
        grid_mm,
        head_centres(x, params, grid_mm),
        BIAS_EXTENT_MM,
        BIAS_ORDER,
    )
    fields = CosineField.of(
        terms.flatten(0, 1),
        [factor.repeat(4, 1, 1) for factor in factors],
        constant.flatten(),
        x.shape[1],
    )
    parts = zip(fields.lines.chunk(4), fields.planes.chunk(4), strict=True)
    names = (*ENDS, *(f"{end}, flat" for end in ENDS))
    logs = {name: CosineField(*part) for name, part in zip(names, parts, strict=True)}
    return Fields(logs, sigma)


def head_centres(x: Tensor, params: Params, grid_mm: Sequence[float]) -> Tensor:
    """Centre of the head in voxels, (n, ndim): known on a scan's own grid.

    A grid of any other shape is taken to lie over the head as a training grid does.
    """
    shape = torch.tensor(x.shape[2:], device=x.device)
    native = params["shape_source"].to(x.device)[:, : len(shape)]
    own = (native == shape).all(1, keepdim=True)
    centre = of_volumes(params, "centre_source_voxels", x)[:, : len(shape)]
    laid = (shape - 1).to(x) / 2
    if len(shape) == 3:
        height_mm = x.shape[-1] * grid_mm[2]
        middle_mm = min(GRID_BELOW_VERTEX_MM, height_mm / 2 + GRID_LOSES_MM)
        laid[2] += (middle_mm - CENTRE_BELOW_VERTEX_MM) / grid_mm[2]
    return torch.where(own, centre, laid)


def placed_at(
    params: Params, shape: Sequence[int], centre_voxels: Sequence[float]
) -> Params:
    """Params for scans on their own grid, their head at ``centre_voxels``.

    For scans of which the site alone was known when the params were drawn; those drawn
    from a scan's estimate know where its head is, and stay. So do those of any other
    corruption.

    Args:
        params: Drawn by `ScannerNoise`, or by a chain that holds one.
        shape: Size of the grid that the scans are on.
        centre_voxels: Centre of the head on it, as `head.find_head` has it.

    Example:
        >>> drawn = {"shape_source": torch.zeros(1, 3, dtype=torch.int64),
        ...          "centre_source_voxels": torch.zeros(1, 3)}
        >>> placed_at(drawn, (4, 4, 9), (1.5, 1.5, 6.0))["centre_source_voxels"]
        tensor([[1.5000, 1.5000, 6.0000]])
    """
    placed = dict(params)
    for key, known in params.items():
        prefix = key.removesuffix("shape_source")
        if prefix == key:
            continue
        centre, none = f"{prefix}centre_source_voxels", (known == 0).all(1)[:, None]
        for name, value in ((key, shape), (centre, centre_voxels)):
            old = params[name]
            placed[name] = torch.where(none, old.new_tensor(list(value)), old)
    return placed
