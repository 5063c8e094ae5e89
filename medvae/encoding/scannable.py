"""What a scan may be given as: a file, an image, or an array that is told its place."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import nibabel as nib
import numpy as np
import numpy.typing as npt
import torch
from nibabel.spatialimages import SpatialImage
from torch import Tensor

from medvae.errors import UserError
from medvae.volume.header import affine_problem

Array: TypeAlias = npt.NDArray[Any] | Tensor
Scannable: TypeAlias = (
    str | os.PathLike[str] | SpatialImage | Array | tuple[Array, npt.ArrayLike]
)
"""An array comes with its affine: in a pair, of a MetaTensor, or by ``affine=``."""


def is_one(scan: Scannable | Sequence[Scannable]) -> bool:
    """Whether it is one scan, and no list of them.

    Example:
        >>> is_one("a.nii"), is_one(["a.nii"]), is_one((np.ones((9, 9, 9)), np.eye(4)))
        (True, False, True)
    """
    if isinstance(scan, tuple):
        return len(scan) == 2 and _is_array(scan[0]) and np.shape(scan[1]) == (4, 4)
    return _is_array(scan) or isinstance(scan, str | os.PathLike | SpatialImage)


def as_images(
    scans: Sequence[Scannable], affine: npt.ArrayLike | None = None
) -> list[Path | SpatialImage]:
    """Scans of a list as files and images.

    Raises:
        UserError: As of :func:`as_image`, or they are no list.
    """
    if isinstance(scans, Mapping) or not hasattr(scans, "__iter__"):
        raise UserError(_unknown(scans))
    return [as_image(scan, affine) for scan in scans]


def as_image(
    scan: Scannable, affine: npt.ArrayLike | None = None
) -> Path | SpatialImage:
    """A file as its path, anything else as an image in memory.

    Args:
        scan: A path, a nibabel image, or an array or tensor (X, Y, Z), which may have
            one channel first. A MONAI ``MetaTensor`` brings its affine.
        affine: Voxel to world (RAS, mm), 4x4, of an array that comes without.

    Raises:
        UserError: It is none of these, or an array has no affine, two, or a bad one.

    Example:
        >>> as_image(torch.ones(1, 2, 3, 4), np.eye(4)).shape
        (2, 3, 4)
    """
    own: Any = None
    if isinstance(scan, tuple) and len(scan) == 2:
        scan, own = scan
    elif isinstance(scan, Tensor):
        own = getattr(scan, "affine", None)
        if getattr(scan, "meta", {}).get("space") == "LPS":
            raise UserError(
                "a MetaTensor in LPS, where RAS is needed. Load it with MONAI's "
                "affine_lps_to_ras=True."
            )
    if own is not None and affine is not None:
        raise UserError("affine= for an array that has its own. Leave one of them out.")
    if isinstance(scan, str | os.PathLike | SpatialImage):
        if own is not None or affine is not None:
            raise UserError(
                "an affine for a file or image, which has its own. Leave it out, or "
                "give the array."
            )
        return scan if isinstance(scan, SpatialImage) else Path(scan)
    if not _is_array(scan):
        raise UserError(_unknown(scan))
    return _image(scan, affine if own is None else own)


def _image(array: Any, affine: Any) -> nib.Nifti1Image:  # noqa: ANN401 (numpy's, torch's)
    if affine is None:
        raise UserError(
            "an array says nothing of voxel size and orientation. Give affine=, the "
            "4x4 matrix from voxels to mm (RAS)."
        )
    matrix = np.asarray(_on_cpu(affine), dtype=float)
    problem = affine_problem(matrix)
    if problem:
        raise UserError(f"an array's affine: {problem}. Give 4x4, voxels to mm (RAS).")
    values = np.asarray(_on_cpu(array))
    if values.dtype.kind not in "iufb":
        raise UserError(
            f"an array of {values.dtype}. Give one real number a voxel, such as the "
            "magnitude."
        )
    if values.ndim == 4 and len(values) == 1:
        values = values[0]  # channel first
    return nib.Nifti1Image(values.astype(np.float32), matrix)


def _is_array(scan: object) -> bool:
    return isinstance(scan, np.ndarray | Tensor)


def _on_cpu(values: object) -> object:
    if not isinstance(values, Tensor):
        return values
    plain = values.detach().cpu().as_subclass(Tensor)
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()


def _unknown(scan: object) -> str:
    return (
        f"cannot encode a {type(scan).__name__}. Give a path, a nibabel image, an "
        "array or tensor with its affine, or a list of these."
    )
