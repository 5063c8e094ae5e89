"""A user's mask: which voxels of a scan count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from medvae.errors import UserError
from medvae.volume.nifti import read_volume

INSIDE = 0.5  # what is above it is inside


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
    data = read_volume(path).data
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
