"""From a scan on its own grid to what the network sees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medvae.errors import UserError
from medvae.threads import one_thread
from medvae.volume.foreground import foreground_mask
from medvae.volume.grid import Grid, Placement, covering, place_on_head
from medvae.volume.header import MAX_VOXELS
from medvae.volume.intensity import extreme_scale, reference_level
from medvae.volume.memory import within_memory
from medvae.volume.nifti import Source, Volume


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scan on the training grid, and how it got there.

    Args:
        image: (X, Y, Z) of the grid, float32, in reference units, never negative.
        mask: Head, or the user's mask, on the same grid.
        placement: Where the grid lies in the scan.
        reference: What 1 is, in the scan's own intensities.
        noise_gain: Std of white noise in ``image * reference`` over that in the scan.
        reference_kind: ``white matter`` or ``foreground median``.
        source: How the scan lay on disk.
    """

    image: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]
    placement: Placement
    reference: float
    noise_gain: float
    reference_kind: str
    source: Source

    def meta(self) -> dict[str, Any]:
        """Everything but the arrays, for JSON."""
        return {
            "placement": self.placement.as_dict(),
            "reference": self.reference,
            "noise_gain": self.noise_gain,
            "reference_kind": self.reference_kind,
            "source": self.source.as_dict(),
        }


@one_thread
def prepare(
    volume: Volume,
    grid: Grid,
    mask: npt.NDArray[Any] | None = None,
    *,
    reach: int | None = None,
) -> Prepared:
    """Find the head, lay the grid over it, resample, and divide by the reference.

    Args:
        volume: The scan.
        grid: The training grid.
        mask: The user's mask on the scan's RAS+ grid. It bounds where the reference
            is sought and becomes ``Prepared.mask``; the grid is still laid over the
            head, so that scans with and without a mask lie alike.
        reach: Let the grid grow by multiples of this until it holds the whole scan.

    Raises:
        UserError: The scan is not finite, has no foreground, or is metres across.

    Example:
        >>> from medvae.volume import read_volume
        >>> import nibabel as nib
        >>> ball = np.linalg.norm(np.indices((40, 40, 40)) - 19.5, axis=0) < 15
        >>> image = nib.Nifti1Image(ball * np.float32(700), np.diag([2.0, 2, 2, 1]))
        >>> ready = prepare(read_volume(image), Grid((20, 20, 20), (4.0, 4.0, 4.0)))
        >>> round(ready.reference, -1), ready.image[10, 10, 10].round(2)
        (700.0, np.float32(1.0))
    """
    with within_memory(volume.name, volume.data.shape):
        return _prepared(volume, grid, mask, reach)


def _prepared(
    volume: Volume, grid: Grid, mask: npt.NDArray[Any] | None, reach: int | None
) -> Prepared:
    data = volume.data
    refuse_unusable(volume)
    chosen = _user_mask(volume, mask)
    head = foreground_mask(data, volume.spacing_mm)
    try:
        placement = place_on_head(volume.affine, head, grid)
        reference = reference_level(data, head, volume.spacing_mm, chosen)
    except ValueError as error:
        raise UserError(f"{volume.name}: {error}. Remove the scan.") from error
    if reach:
        placement = covering(placement, reach)
        _refuse_vast(volume, placement.grid)
    on_grid = placement.to_grid(head if chosen is None else chosen) > 0.5
    image = np.maximum(placement.to_grid(data) / np.float32(reference.level), 0)
    return Prepared(
        image=image.astype(np.float32),
        mask=on_grid,
        placement=placement,
        reference=reference.level,
        noise_gain=placement.noise_gain(),
        reference_kind=reference.kind,
        source=volume.source,
    )


def refuse_unusable(volume: Volume) -> None:
    """Refuse intensities that cannot be computed with.

    Raises:
        UserError: Some are NaN or infinite, or all are beyond what float32 can square.
    """
    if not np.isfinite(volume.data).all():
        raise UserError(f"{volume.name}: NaN or infinite voxels. Set them to 0.")
    extreme = extreme_scale(volume.data)
    if extreme:
        raise UserError(
            f"{volume.name}: {extreme}. Scale the intensities to ordinary numbers."
        )


def _refuse_vast(volume: Volume, grid: Grid) -> None:
    """Few large voxels are many of the grid's: a wrong unit would take all memory."""
    if math.prod(grid.shape) > MAX_VOXELS:
        size = " x ".join(f"{width:.0f}" for width in grid.extent_mm)
        raise UserError(
            f"{volume.name}: its field of view takes a grid of {size} mm, "
            f"{math.prod(grid.shape)} voxels, more than {MAX_VOXELS}. Correct its "
            "voxel size, or use cover 'head'."
        )


def _user_mask(
    volume: Volume, mask: npt.NDArray[Any] | None
) -> npt.NDArray[np.bool_] | None:
    if mask is None:
        return None
    if mask.shape != volume.data.shape:
        raise UserError(
            f"{volume.name}: shape {volume.data.shape}, but its mask has {mask.shape}. "
            "Resample the mask to its scan."
        )
    chosen = np.asarray(mask) > 0.5
    if not chosen.any():
        raise UserError(f"{volume.name}: its mask is empty. Leave the mask out.")
    return chosen
