"""A scan of A, as scanner B would have made it: the forward model, step by step.

    y = | b * PSF[ g(x) ] + n1 + i n2 |

after A's own shading is taken off, and 0 where B's scans end. Two ways of adding
noise, because a magnitude is taken once, on the native grid, and never again:

- on the grid that both scanners store, the noise is complex and the rule of `transfer`
  exact: Rician on Rician is Rician (`complex_noise`);
- on any other grid real noise was resampled after the magnitude. Its mean is the
  Rician mean, smooth; the rest is close to Gaussian, of known variance and colour
  (`resampled_noise`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from noise_models.base import Params
from noise_models.scanner.complex_noise import add_complex
from noise_models.scanner.fields import fields_of
from noise_models.scanner.local import Local
from noise_models.scanner.resampled_noise import add_resampled
from noise_models.scanner.resampling import is_same_spacing
from noise_models.scanner.response import Response
from noise_models.scanner.site_coverage import end_as_target
from noise_models.scanner.spectrum import filtered, spectra
from noise_models.voxelwise import in_blocks


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
    """Contrast, sharpness, shading, noise and field of view of B, for scans of A.

    Args:
        x: Scans, (n, C, X, Y[, Z]), reference units.
        params: What `ScannerNoise.draw` returns.
        rng: Where the noise comes from.
        grid_mm: Voxel size of ``x``.
        is_native: Which of the two noises is meant (`on_native_grid`).
    """
    fields = fields_of(x, params, grid_mm)
    both = spectra(
        params["variance_target_mm2"] - params["variance_source_mm2"],
        params["spacing_source_mm"],
        params["spacing_target_mm"],
        x.shape[2:],
        grid_mm,
        (params["extent_source"], params["extent_target"]),
        params["apodisation"],
    )
    flat, signal = (torch.empty_like(x).contiguous() for _ in range(2))
    seen, response = x.flatten(1), Response.of(params, x, grid_mm)

    def work(volumes: slice, voxels: slice) -> None:
        part = flat.view(len(x), -1)[volumes, voxels]
        bare = fields.shading("source", volumes, voxels, off=True)
        torch.mul(seen[volumes, voxels], bare, out=part)
        response.at(part, volumes, voxels, out=signal.view(len(x), -1)[volumes, voxels])

    in_blocks(x, work)
    local = Local(filtered(signal, both.transfer), local_mean(flat), response, fields)
    add = add_complex if is_native else add_resampled
    return end_as_target(add(local, params, both, rng), params, grid_mm)


def local_mean(x: Tensor) -> Tensor:
    """Mean of 3 voxels along each axis, the faces mirrored; a new tensor.

    It leaves a third of the variance of white noise for every axis, as a Gaussian of
    2 voxels FWHM does, at a fraction of the cost.

    Example:
        >>> local_mean(torch.tensor([[[[0.0, 3.0, 0.0, 0.0]]]])).tolist()
        [[[[1.0, 1.0, 1.0, 0.0]]]]
    """
    y = x
    for axis in range(2, x.ndim):
        last, before, y = x.shape[axis] - 1, y, y.clone()
        for to, start, size in (
            *((0, 0, 1), (last, last, 1)),  # the faces see themselves
            *((1, 0, last), (0, 1, last)),
        ):
            y.narrow(axis, to, size).add_(before.narrow(axis, start, size))
    return y.div_(3 ** (x.ndim - 2))
