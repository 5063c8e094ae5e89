"""What can be wrong with a scan, told before any work starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.affines import obliquity

from medvae.errors import UserError
from medvae.problem import Problem
from medvae.volume.foreground import foreground_mask
from medvae.volume.header import checked_affine, checked_shape, open_header
from medvae.volume.intensity import extreme_scale
from medvae.volume.mask import RESAMPLE, mask_misfit, read_mask
from medvae.volume.memory import within_memory
from medvae.volume.nifti import Volume, read_volume
from medvae.volume.plain import plain_geometry

_FLOOR_PER_CENT = 1.0  # of the voxels, the darkest
_BELOW_ZERO = 0.02  # of the head's median: more is no rounding
_THINNEST = 8  # voxels
_OBLIQUE_DEGREES = 5.0
_ANISOTROPY = 3.0
_SMALLEST_HEAD_ML = 200.0


def check_scan(path: Path | str, *, header_only: bool = False) -> list[Problem]:
    """Everything wrong with a scan: errors make it unusable, warnings do not.

    Args:
        path: A NIfTI file.
        header_only: Leave the voxels unread: fast, but a truncated, constant or
            NaN-ridden file passes.

    Example:
        >>> [str(p) for p in check_scan("nowhere.nii.gz")]
        ['nowhere.nii.gz: file not found. Correct the path or remove the scan.']
    """
    path = Path(path)
    if header_only and plain_geometry(path) is not None:
        return []
    try:
        image = open_header(path)
        shape = checked_shape(image, str(path))
        affine = checked_affine(image, str(path))
        problems = [*_size_problems(path, shape), *_affine_problems(path, affine)]
        problems += _orientation_problems(path, image)
        if header_only or any(p.severity == "error" for p in problems):
            return problems
        with within_memory(str(path), shape):
            return problems + _voxel_problems(path, read_volume(path))
    except UserError as error:
        return [_as_problem(path, error)]


def refuse_bad(path: Path | str) -> None:
    """Refuse a scan that :func:`check_scan` finds an error in.

    Raises:
        UserError: The first error.
    """
    for problem in check_scan(path):
        if problem.severity == "error":
            raise UserError(str(problem))


def refuse_thin(volume: Volume) -> None:
    """Refuse a scan that is too thin for a head, in the words of :func:`check_scan`.

    Raises:
        UserError: It is a localiser, more likely than not.

    Example:
        >>> thin = nib.Nifti1Image(np.ones((20, 20, 3), np.float32), np.eye(4))
        >>> refuse_thin(read_volume(thin))
        Traceback (most recent call last):
        medvae.errors.UserError: image in memory: shape (20, 20, 3) is thinner than ...
    """
    for problem in _size_problems(Path(volume.name), volume.source.shape):
        raise UserError(str(problem))


def check_mask(mask: Path, scan: Path, *, header_only: bool = False) -> list[Problem]:
    """Everything wrong with a mask for ``scan``.

    Args:
        mask: A NIfTI file.
        scan: That it belongs to.
        header_only: Leave the voxels unread.
    """
    try:
        image, on = open_header(mask), open_header(scan)
        shape = checked_shape(image, str(mask))
        affine = checked_affine(image, str(mask))
        wanted = checked_shape(on, str(scan))
        target = checked_affine(on, str(scan))
    except UserError as error:
        return [_as_problem(mask, error)]
    misfit = mask_misfit(shape, affine, wanted, target, scan.name)
    if misfit:
        return [Problem(mask, misfit, RESAMPLE)]
    return [] if header_only else _inside_problems(mask)


def _inside_problems(mask: Path) -> list[Problem]:
    try:
        read_mask(mask)
    except UserError as error:
        return [_as_problem(mask, error)]
    return []


def _as_problem(path: Path, error: UserError) -> Problem:
    text = str(error).removeprefix(f"{path}: ")
    message, _, remedy = text.partition(". ")
    return Problem(path, message, remedy)


def _size_problems(path: Path, shape: tuple[int, int, int]) -> list[Problem]:
    if min(shape) >= _THINNEST:
        return []
    what = f"shape {shape} is thinner than {_THINNEST} voxels"
    return [Problem(path, what, "Is it a localiser? Remove it.")]


def _affine_problems(path: Path, affine: npt.NDArray[Any]) -> list[Problem]:
    problems = []
    tilt = float(np.degrees(obliquity(affine)).max())
    if tilt > _OBLIQUE_DEGREES:
        what = f"oblique, {tilt:.0f} degrees"
        how = "It is resampled with a general transform: slower, slightly smoother."
        problems.append(Problem(path, what, how, "warning"))
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if sizes.max() > 12 or sizes.min() < 0.1:
        size = tuple(round(float(s), 3) for s in sizes)
        how = "Check the header's unit; mm is required."
        problems.append(Problem(path, f"voxel size {size} mm", how, "warning"))
    if sizes.max() / sizes.min() > _ANISOTROPY:
        size = tuple(round(float(s), 2) for s in sizes)
        what = f"very anisotropic voxels, {size} mm"
        how = "Detail along the thick axis cannot be brought back."
        problems.append(Problem(path, what, how, "warning"))
    return problems


def _orientation_problems(
    path: Path, image: nib.spatialimages.SpatialImage
) -> list[Problem]:
    header = image.header
    if not isinstance(header, nib.Nifti1Header):
        return []
    if header["sform_code"] > 0 or header["qform_code"] > 0:
        return []
    what = "no orientation in the header, left and right are a guess"
    return [Problem(path, what, "Convert it again from DICOM.", "warning")]


def _voxel_problems(path: Path, volume: Volume) -> list[Problem]:
    bad = int((~np.isfinite(volume.data)).sum())
    if bad:
        what = f"{bad} of {volume.data.size} voxels are NaN or infinite"
        return [Problem(path, what, "Set them to 0, or export the scan again.")]
    low, high = float(volume.data.min()), float(volume.data.max())
    extreme = extreme_scale(volume.data)
    if extreme:
        return [Problem(path, extreme, "Scale the intensities to ordinary numbers.")]
    if low == high:
        return [Problem(path, f"every voxel is {low:g}", "Remove the scan.")]
    head = foreground_mask(volume.data, volume.spacing_mm)
    if not head.any() or not np.median(volume.data[head]) > 0:
        return [Problem(path, "no foreground stands out", "Remove the scan.")]
    problems = []
    millilitres = float(head.sum() * np.prod(volume.spacing_mm) / 1000)
    if millilitres < _SMALLEST_HEAD_ML:
        what = f"foreground of {millilitres:.0f} ml is small for a head"
        problems.append(Problem(path, what, "Look at the scan.", "warning"))
    floor = float(np.percentile(volume.data, _FLOOR_PER_CENT))
    if floor < -_BELOW_ZERO * float(np.median(volume.data[head])):
        what = f"air lies at {floor:.3g}, and what is below 0 is cut off"
        how = "Add as much to every voxel. Is it a CT? No model of MR fits it."
        problems.append(Problem(path, what, how, "warning"))
    return problems
