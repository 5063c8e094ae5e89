"""Smooth shading from the receive and transmit coils."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from noise_models.base import (
    Level,
    NoiseModel,
    Params,
    as_given,
    check_number,
    check_range,
    check_whole,
    computable,
    draw_log_uniform,
    of_volumes,
    spacing_of,
)
from noise_models.cosine import (
    CosineField,
    cosine_basis,
    cosine_field,
    cosine_terms,
)
from noise_models.registry import register
from noise_models.voxelwise import in_blocks

__all__ = ["BiasField", "cosine_basis", "cosine_field", "cosine_terms"]


@register("bias_field")
@dataclass(frozen=True)
class BiasField(NoiseModel):
    """Smooth shading from the coils: the image times the exponential of a field.

    The log-field is a sum of low-order cosines on head-centred coordinates in mm (see
    `noise_models.cosine`), without the constant, which is the intensity scale. Its
    coefficients are Gaussian, smaller for finer terms (std proportional to
    1 / order), scaled so that the RMS of the log-field over the box is ``rms``.

    Args:
        rms: RMS of the log-field over the box; 0.1 means about 10 % shading. A
            range is drawn log-uniformly.
        order: Highest total order of the cosines, 1 to 6.
        extent_mm: Side of the head-centred box that half a cosine period spans, mm;
            beyond it the field stays level. 0 means the image's own extent, for
            images that have no physical size.

    Raises:
        ValueError: A setting is outside its range.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> flat = torch.ones(1, 1, 60, 60, 60)
        >>> shaded = BiasField(rms=0.2)(flat, rng=rng, spacing_mm=(4, 4, 4))
        >>> round(shaded.log().square().mean().sqrt().item(), 2)
        0.2
    """

    rms: Level = (0.05, 0.3)
    order: int = 3
    extent_mm: float = 240.0

    def __post_init__(self) -> None:
        check_range("bias_field: rms", self.rms, open_low=True)
        check_whole("bias_field: order", self.order, low=1, high=6)
        check_number("bias_field: extent_mm", self.extent_mm, low=0)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        """Coefficients (n, K) of the 3-D basis."""
        rms = draw_log_uniform(self.rms, n, rng)
        terms = torch.tensor(cosine_terms(3, self.order), device=rng.device)
        size = (n, len(terms))
        normal = torch.randn(size, generator=rng, device=rng.device)
        weights = normal / terms.sum(1)
        length = weights.norm(dim=1, keepdim=True)
        return {"coefficients": rms[:, None] * weights / length}

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        """Multiply by the exponential of each volume's field; ``rng`` is not used.

        ``params["coefficients"]`` is (n, K) in the order of `cosine_terms`;
        ``params["centre_voxels"]`` (n, ndim), where given, is the head's centre. A
        2-D image given 3-D coefficients takes the in-plane ones, at the RMS of all.
        """
        clean = computable(x)
        return as_given(self._shaded(clean, params, spacing_mm), x)

    def spend(
        self,
        y: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        given = computable(y).contiguous()
        return self._shaded(given, params, spacing_mm, given).to(y.dtype)

    def _shaded(
        self,
        x: Tensor,
        params: Params,
        spacing_mm: Sequence[float] | None,
        out: Tensor | None = None,
    ) -> Tensor:
        coefficients = of_volumes(params, "coefficients", x)
        spacing = spacing_of(x, spacing_mm)
        shape = x.shape[2:]
        if x.ndim == 4 and coefficients.shape[1] == len(cosine_terms(3, self.order)):
            coefficients = in_plane(coefficients, self.order)
        centre = None
        if "centre_voxels" in params:
            centre = of_volumes(params, "centre_voxels", x)
        own = [size * step for size, step in zip(shape, spacing, strict=True)]
        extent = self.extent_mm or own
        factors = cosine_basis(shape, spacing, centre, extent, self.order)
        field = CosineField.of(coefficients, factors, channels=x.shape[1])
        y = out if out is not None else torch.empty_like(x).contiguous()
        before, after = x.flatten(1), y.view(len(y), -1)

        def work(volumes: slice, voxels: slice) -> None:
            shading = field.at(volumes, voxels).exp_()
            torch.mul(before[volumes, voxels], shading, out=after[volumes, voxels])

        in_blocks(x, work)
        return y


def in_plane(coefficients: Tensor, order: int) -> Tensor:
    """The part of 3-D coefficients (n, K) that a 2-D image sees, at the same RMS."""
    terms = cosine_terms(3, order)
    columns = [k for k, term in enumerate(terms) if term[-1] == 0]
    seen = coefficients[:, columns]
    share = seen.square().sum(1, keepdim=True).clamp_min(1e-24)
    return seen * (coefficients.square().sum(1, keepdim=True) / share).sqrt()
