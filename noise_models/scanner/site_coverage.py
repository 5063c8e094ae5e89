"""Where a site's scans end, and scans that end as they do.

A site plans its volumes alike: so wide, so far above the vertex, down to the shoulders
or to the cerebellum. A head lies in them a little otherwise each time. Corrupted scans
end where those of the target do; what a scan itself does not show stays unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Generator, Tensor

from noise_models.base import Params, of_volumes
from noise_models.field_of_view import end_at
from noise_models.scanner.estimate import ScanEstimate
from noise_models.scanner.fields import head_centres

if TYPE_CHECKING:
    from noise_models.scanner.sites import Site

Faces = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""Lower and upper face of a volume along x, y and z, mm from the head's centre."""

EVERYWHERE: Faces = ((-np.inf, np.inf),) * 3
"""Of a site whose scans' sizes are not known."""

_SD = 1.2533  # of a Gaussian over its mean absolute deviation, sqrt(pi / 2)


def typical_faces(
    estimates: Sequence[ScanEstimate],
) -> tuple[Faces, tuple[float, float, float]]:
    """Median faces of scans, and the SD of where heads lie between them, mm.

    Example:
        >>> one = ScanEstimate((), (1.0, 1.0, 2.0), 1.0, "air", shape=(100, 80, 50),
        ...                    centre_voxels=(49.5, 39.5, 29.5))
        >>> typical_faces([one] * 3)
        (((-50.0, 50.0), (-40.0, 40.0), (-60.0, 40.0)), (0.0, 0.0, 0.0))
    """
    known = [one for one in estimates if min(one.shape) > 0]
    if not known:
        return EVERYWHERE, (0.0, 0.0, 0.0)
    step, size, centre = (
        np.array([getattr(one, name) for one in known], dtype=float)
        for name in ("spacing_mm", "shape", "centre_voxels")
    )
    faces = np.stack([-0.5 - centre, size - 0.5 - centre], 2) * step[:, :, None]
    typical = np.median(faces, axis=0)
    # Volumes of several sizes move one face of the two: the steadier tells of heads.
    x, y, z = _SD * np.abs(faces - typical).mean(0).min(1)
    low, high = typical.T.tolist()
    first, second, third = zip(low, high, strict=True)
    return (first, second, third), (float(x), float(y), float(z))


def draw_faces(
    sites: Sequence[Site], target: Tensor, dispersion: float, rng: Generator
) -> Tensor:
    """Faces for each volume, as of a scan of its target site, (n, 3, 2), mm.

    A ``dispersion`` below 1 draws them towards the mean of all sites, as everything
    else; above 1 they stay: no site plans scans that end within the brain, and twice
    the distance of the shortest scans from the mean would be there.
    """
    size = (len(target), 3)
    normal = torch.randn(size, generator=rng, device=rng.device).double().cpu()
    faces = torch.tensor([s.field_of_view_mm for s in sites], dtype=torch.float64)
    spread = torch.tensor([s.placing_sd_mm for s in sites], dtype=torch.float64)
    drawn = faces[target] + (normal * spread[target])[:, :, None]
    mean, share = faces.mean(0), min(dispersion, 1.0)
    if share == 1 or not bool(mean.isfinite().all()):
        return drawn
    return mean + share * (drawn - mean)


def end_as_target(y: Tensor, params: Params, grid_mm: Sequence[float]) -> Tensor:
    """End scans (n, C, X, Y[, Z]), in place, where ``params`` say that B's do."""
    faces = of_volumes(params, "field_of_view_mm", y)[:, : len(grid_mm)]
    if not bool(faces.isfinite().any()):
        return y
    step = faces.new_tensor(grid_mm)
    return end_at(
        y, faces / step[:, None] + head_centres(y, params, grid_mm)[:, :, None]
    )
