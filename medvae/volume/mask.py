"""A user's mask: which voxels of a scan count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from medvae.errors import UserError
from medvae.volume.header import FloatArray
from medvae.volume.nifti import Volume, read_volume

RESAMPLE = "Resample the mask to its scan."
"""What to do about a mask on another grid."""

INSIDE = 0.5  # what is above it is inside
_NEAR = 0.05  # of an affine's numbers, mm


def mask_of(volume: Volume, path: Path | None) -> npt.NDArray[np.bool_] | None:
    """Voxels inside the mask of a scan, (X, Y, Z), RAS+; None for a scan without.

    Args:
        volume: The scan.
        path: Its mask's file, on the scan's own grid.

    Raises:
        UserError: Not a mask, or on another grid than the scan.

    Example:
        >>> import nibabel as nib
        >>> scan = nib.Nifti1Image(np.eye(3)[None], np.eye(4))
        >>> mask_of(read_volume(scan), None) is None
        True
    """
    if path is None:
        return None
    mask = read_volume(path)
    on, scan = mask.source, volume.source
    name = volume.path.name if volume.path else volume.name
    misfit = mask_misfit(on.shape, on.affine, scan.shape, scan.affine, name)
    if misfit:
        raise UserError(f"{path}: {misfit}. {RESAMPLE}")
    return _inside(mask, path)


def mask_misfit(
    shape: tuple[int, int, int],
    affine: FloatArray,
    wanted: tuple[int, int, int],
    target: FloatArray,
    scan: str,
) -> str | None:
    """What keeps a mask from lying on its scan, in words; None where it does.

    Args:
        shape: Of the mask, on disk.
        affine: Of the mask, on disk.
        wanted: Shape of the scan, on disk.
        target: Affine of the scan, on disk.
        scan: Name of the scan.

    Example:
        >>> mask_misfit((2, 2, 2), np.eye(4), (2, 2, 3), np.eye(4), "a.nii")
        'mask shape (2, 2, 2), but its scan a.nii has (2, 2, 3)'
    """
    if shape != wanted:
        return f"mask shape {shape}, but its scan {scan} has {wanted}"
    if not np.allclose(affine, target, atol=_NEAR):
        return f"mask affine differs from that of its scan {scan}"
    return None


def read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """Voxels inside a mask, (X, Y, Z), RAS+.

    Raises:
        UserError: Not a readable volume, not of numbers, or nothing is inside.

    Example:
        >>> import tempfile
        >>> from medvae.volume import write_nifti
        >>> path = Path(tempfile.mkdtemp()) / "a_mask.nii"
        >>> write_nifti(path, np.eye(3)[None], np.eye(4), np.uint8)
        >>> int(read_mask(path).sum())
        3
    """
    return _inside(read_volume(path), path)


def _inside(mask: Volume, path: Path) -> npt.NDArray[np.bool_]:
    data = mask.data
    bad = int((~np.isfinite(data)).sum())
    if bad:
        raise UserError(
            f"{path}: {bad} of {data.size} voxels of the mask are NaN or infinite. "
            "Set them to 0, or leave the mask out."
        )
    inside = data > INSIDE
    if not inside.any():
        low, high = (f"{float(value):g}" for value in (data.min(), data.max()))
        raise UserError(
            f"{path}: no voxel of the mask is above {INSIDE} (they are {low} to {high})"
            ". Set those inside to 1, or leave the mask out."
        )
    return np.asarray(inside)
