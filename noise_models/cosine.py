"""Smooth fields as sums of a few cosines, on coordinates that follow the head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor


@lru_cache(maxsize=32)
def cosine_terms(ndim: int, order: int) -> tuple[tuple[int, ...], ...]:
    """Index tuples of the basis: total order 1 to ``order``, the constant left out.

    This is the order of the columns of ``coefficients`` everywhere. In-plane terms
    (last index 0) of a 3-D basis come in the same order as the 2-D basis.

    Example:
        >>> cosine_terms(2, 2)
        ((0, 1), (1, 0), (0, 2), (1, 1), (2, 0))
        >>> len(cosine_terms(3, 2)), len(cosine_terms(3, 3))
        (9, 19)
    """
    every = product(range(order + 1), repeat=ndim)
    kept = (term for term in every if 0 < sum(term) <= order)
    return tuple(sorted(kept, key=lambda term: (sum(term), term)))


def cosine_basis(
    shape: Sequence[int],
    spacing_mm: Sequence[float],
    centre_voxels: Tensor | None = None,
    extent_mm: float | Sequence[float] = 240.0,
    order: int = 2,
) -> tuple[Tensor, ...]:
    """Factors of the basis, one tensor (n, order + 1, size) per axis.

    A basis function is the product over axes of ``sqrt(2) cos(pi k u)`` (1 for k = 0),
    where ``u`` runs from 0 to 1 across a box of ``extent_mm`` centred on the head, and
    stays there outside it. Over the box the functions are orthonormal in the mean,
    so the RMS of a field is the length of its coefficient vector.

    Args:
        shape: Spatial size, in voxels.
        spacing_mm: Voxel size per axis, mm.
        centre_voxels: Centre of the head, voxel indices, (n, ndim); the centre of
            the volume when not given (then n is 1).
        extent_mm: Size of the box, mm; one number or one per axis.
        order: Highest total order.

    Example:
        >>> factors = cosine_basis((240, 240, 240), (1, 1, 1))
        >>> [tuple(f.shape) for f in factors]
        [(1, 3, 240), (1, 3, 240), (1, 3, 240)]
    """
    if centre_voxels is None:
        centre_voxels = torch.tensor([[(size - 1) / 2 for size in shape]])
    box = [extent_mm] * len(shape) if isinstance(extent_mm, int | float) else extent_mm
    k = torch.arange(order + 1, device=centre_voxels.device)[:, None]
    scale = torch.where(k > 0, math.sqrt(2), 1.0).to(centre_voxels.dtype)
    factors = []
    for axis, (size, step, extent) in enumerate(
        zip(shape, spacing_mm, box, strict=True)
    ):
        voxel = torch.arange(size, device=k.device) - centre_voxels[:, axis, None]
        u = (voxel * (step / extent) + 0.5).clamp(0, 1)
        factors.append(scale * torch.cos(math.pi * k * u[:, None, :]))
    return tuple(factors)


@dataclass(frozen=True)
class CosineField:
    """Fields of several volumes that are not held: any planes of them can be had.

    A plane takes one product of small matrices, less than to write it down and read it
    again.

    Attributes:
        lines: Basis along the first axis, (n, size, order + 1).
        planes: All that is summed over the others, (n, order + 1, rest).

    Example:
        >>> factors = cosine_basis((60, 50), (4, 4), order=2)
        >>> weights = torch.tensor([[0.3, 0.0, 0.0, 0.4, 0.0]])
        >>> field = CosineField.of(weights, factors)
        >>> whole = cosine_field(weights, factors).flatten(1)
        >>> torch.allclose(field.at(slice(None), slice(50, 150)), whole[:, 50:150])
        True
    """

    lines: Tensor
    planes: Tensor

    @classmethod
    def of(
        cls,
        coefficients: Tensor,
        factors: Sequence[Tensor],
        constant: Tensor | None = None,
        channels: int = 1,
    ) -> CosineField:
        """The fields with ``coefficients`` (n, K).

        Args:
            coefficients: In the order of `cosine_terms`.
            factors: From `cosine_basis`, of n volumes or of one.
            constant: Added to the field, (n,).
            channels: How often each field comes in its volume.

        Raises:
            ValueError: K is not the number of terms of the basis.
        """
        ndim, width = len(factors), factors[0].shape[1]
        terms = cosine_terms(ndim, width - 1)
        if coefficients.ndim != 2 or coefficients.shape[1] != len(terms):
            raise ValueError(
                f"coefficients must be (n, {len(terms)}) for order {width - 1} "
                f"in {ndim}-D, got shape {tuple(coefficients.shape)}."
            )
        n = coefficients.shape[0]
        cube = coefficients.new_zeros(n, *[width] * ndim)
        flat = [sum(k * width**p for p, k in enumerate(term[::-1])) for term in terms]
        cube.view(n, -1)[:, flat] = coefficients
        if constant is not None:
            cube.view(n, -1)[:, 0] = constant
        for axis in reversed(range(1, ndim)):
            factor = factors[axis].to(coefficients)
            lines = cube.reshape(n, width**axis, width, -1).transpose(1, 2).flatten(2)
            done = factor.transpose(1, 2) @ lines  # (n, size, rest)
            rest = (factor.shape[2], *[width] * axis, *cube.shape[axis + 2 :])
            cube = done.view(n, *rest).movedim(1, axis + 1)
        first = factors[0].to(coefficients).transpose(1, 2).expand(n, -1, -1)
        return cls(first.repeat(1, channels, 1), cube.reshape(n, width, -1))

    def at(self, volumes: slice, voxels: slice) -> Tensor:
        """Whole planes of some volumes, (m, voxels), as `voxelwise.in_blocks` counts.

        Args:
            volumes: Which volumes.
            voxels: Which voxels of ``flatten(1)``, from the first of a plane to the
                last of one.
        """
        size = self.planes.shape[2]
        start, stop, _ = voxels.indices(self.lines.shape[1] * size)
        lines = self.lines[volumes, start // size : stop // size]
        return torch.bmm(lines, self.planes[volumes]).flatten(1)


def cosine_field(coefficients: Tensor, factors: Sequence[Tensor]) -> Tensor:
    """The field (n, X, Y[, Z]) with ``coefficients`` (n, K).

    One axis at a time, so nothing larger than the field itself is ever held.

    Raises:
        ValueError: K is not the number of terms of the basis.

    Example:
        >>> factors = cosine_basis((60, 60), (4, 4), order=2)
        >>> field = cosine_field(torch.tensor([[0.3, 0.0, 0.0, 0.4, 0.0]]), factors)
        >>> tuple(field.shape), round(field.square().mean().sqrt().item(), 3)
        ((1, 60, 60), 0.5)
    """
    field = CosineField.of(coefficients, factors).at(slice(None), slice(None))
    return field.view(len(coefficients), *(factor.shape[2] for factor in factors))


def cosine_rows(factors: Sequence[Tensor], voxels: Sequence[Tensor]) -> Tensor:
    """Values of every term at chosen voxels: the design matrix (M, K) of a fit.

    Args:
        factors: From `cosine_basis`, of one volume (n = 1).
        voxels: One index tensor (M,) per axis, such as ``mask.nonzero().unbind(1)``.

    Example:
        >>> factors = cosine_basis((60, 60), (4, 4), order=2)
        >>> cosine_rows(factors, (torch.tensor([0, 30]), torch.tensor([5, 6]))).shape
        torch.Size([2, 5])
    """
    ndim, order = len(factors), factors[0].shape[1] - 1
    picked = [f[0][:, index] for f, index in zip(factors, voxels, strict=True)]
    columns = []
    for term in cosine_terms(ndim, order):
        column = picked[0][term[0]]
        for axis in range(1, ndim):
            column = column * picked[axis][term[axis]]
        columns.append(column)
    return torch.stack(columns, 1)
