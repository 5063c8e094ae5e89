"""What a NIfTI header promises, and when not to believe it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from logging import LogRecord
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.freesurfer.mghformat import MGHError
from nibabel.imageglobals import logger as nibabel_logger
from nibabel.spatialimages import HeaderDataError

from medvae.errors import UserError
from medvae.inputs import is_there, near, refuse_special

FloatArray = npt.NDArray[np.floating[Any]]

MAX_VOXELS = 2**29
"""Largest scan that is read: 812^3 voxels, 2 GiB as float32."""

_LARGEST_MM = 100.0  # no voxel of a head is larger; the header's unit is wrong

_FARTHEST_MM = 1e6  # no scanner's origin is a kilometre from the head

_GZIP_MAX_RATIO = 1100
"""Deflate cannot shrink more than 1032-fold, so a file bounds what it can hold."""

UNREADABLE = (
    ImageFileError,
    HeaderDataError,
    EOFError,
    zlib.error,
    OSError,
    ValueError,
    OverflowError,
    MGHError,
    LookupError,
    TypeError,
)


def open_header(path: Path) -> nib.spatialimages.SpatialImage:
    """Open a scan without reading its voxels; the errors are for the user."""
    if not str(path).isprintable():
        raise UserError(
            f"{path}: its name holds characters that cannot be shown. Rename it."
        )
    if not is_there(path):
        raise UserError(f"{path}: {missing_reason(path)}")
    refuse_special(path)
    if path.is_dir():
        raise UserError(f"{path}: a directory, not a NIfTI file. Give the file in it.")
    _refuse_forbidden(path)
    try:
        with silent_nibabel():  # it tells what it mends; so do we
            image = nib.load(path)
            written = _as_written(image)
    except UNREADABLE as error:
        raise UserError(
            f"{path}: not a readable NIfTI file ({one_line(error)}). "
            "Copy it again, or convert it with dcm2niix."
        ) from error
    _refuse_empty_promise(path, image)
    if written is not None:
        _refuse_mended(path, written)
    return image


def _refuse_forbidden(path: Path) -> None:
    try:
        path.open("rb").close()
    except PermissionError:
        raise UserError(
            f"{path}: permission denied. Make it readable: chmod u+r {path.name}"
        ) from None


_SILENCED = ContextVar("silenced", default=False)


def _is_heard(record: LogRecord) -> bool:
    return not _SILENCED.get()


nibabel_logger.addFilter(_is_heard)


@contextmanager
def silent_nibabel() -> Iterator[None]:
    """Without nibabel's log of this thread, which without handlers is printed."""
    token = _SILENCED.set(True)
    try:
        yield
    finally:
        _SILENCED.reset(token)


def missing_reason(path: Path) -> str:
    """Why a path does not exist, with the remedy; git-annex links are told apart."""
    if not os.path.islink(path):  # noqa: PTH114 (Path.is_symlink may raise)
        return f"file not found.{near(path)} Correct the path or remove the scan."
    target = path.readlink()
    if "annex" in target.parts or ".git" in target.parts:
        return (
            "a git-annex link whose content is not here. "
            f"Fetch it with: datalad get {path.name}"
        )
    return f"a broken link to {target}. Restore the target or remove the link."


def checked_shape(
    image: nib.spatialimages.SpatialImage, name: str
) -> tuple[int, int, int]:
    """The three axes of one real image, trailing axes of length one dropped."""
    dtype = image.get_data_dtype()
    if dtype.kind not in "iufb":
        kind = "complex" if dtype.kind == "c" else "colour (RGB)"
        raise UserError(
            f"{name}: {kind} voxels, got {dtype}. Convert to one real number a voxel."
        )
    shape = tuple(int(n) for n in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or min(shape) < 1:
        raise UserError(
            f"{name}: one 3-D image is required, got shape {tuple(image.shape)}. "
            "Extract one volume and give that."
        )
    if np.prod(np.array(shape, dtype=float)) > MAX_VOXELS:
        raise UserError(
            f"{name}: shape {shape} is over the limit of {MAX_VOXELS} voxels. "
            "Check the header, or resample the scan."
        )
    return shape[0], shape[1], shape[2]


def checked_affine(image: nib.spatialimages.SpatialImage, name: str) -> FloatArray:
    """The image's affine, refused where it cannot be inverted."""
    affine = np.array(image.affine, dtype=float)
    problem = affine_problem(affine)
    if problem:
        raise UserError(f"{name}: {problem}. Mend the header; its unit must be mm.")
    return affine


def affine_problem(affine: FloatArray) -> str | None:
    """What keeps a matrix from being a scan's voxel-to-world; None for a good one.

    Example:
        >>> affine_problem(np.diag([1.0, 1, 0, 1])), affine_problem(np.eye(4))
        ('voxel size 1 x 1 x 0 mm', None)
    """
    if affine.shape != (4, 4):
        return f"the affine must be 4 x 4, got shape {affine.shape}"
    if not np.isfinite(affine).all():
        return "the affine holds NaN or infinity"
    if not np.array_equal(affine[3], (0, 0, 0, 1)):
        return f"the affine's last row must be 0 0 0 1, got {affine[3].tolist()}"
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if sizes.min() <= 1e-6 or sizes.max() > _LARGEST_MM:
        return f"voxel size {' x '.join(f'{s:g}' for s in sizes)} mm"
    if abs(np.linalg.det(affine[:3, :3] / sizes)) < 1e-3:
        return "the affine cannot be inverted (two axes are parallel)"
    away = float(np.abs(affine[:3, 3]).max())
    if away > _FARTHEST_MM:
        return f"the affine's origin is {away:g} mm away"
    return None


def _as_written(image: nib.spatialimages.SpatialImage) -> nib.Nifti1Header | None:
    """The header before nibabel mends it; None for a format that it never mends."""
    if not isinstance(image.header, nib.Nifti1Header):
        return None
    with image.file_map.get("header", image.file_map["image"]).get_prepare_fileobj(
        "rb"
    ) as file:
        return type(image.header).from_fileobj(file, check=False)


def _refuse_mended(path: Path, written: nib.Nifti1Header) -> None:
    """Refuse what nibabel would quietly replace by a guess.

    A voxel size of zero becomes 1 mm, an orientation of an unknown kind becomes none,
    and an infinite scale factor is left out.
    """
    for key in ("sform_code", "qform_code"):
        if int(written[key]) not in nib.nifti1.xform_codes.value_set():
            raise UserError(
                f"{path}: {key} must be 0 to 5, got {int(written[key])}. "
                "Mend the header, or convert the scan again."
            )
    sizes = np.array(written["pixdim"][1:4], dtype=float)
    if not written["sform_code"] > 0 and not (np.abs(sizes) > 0).all():
        size = " x ".join(f"{s:g}" for s in sizes)
        raise UserError(f"{path}: voxel size {size} mm. Mend the header.")
    slope, intercept = float(written["scl_slope"]), float(written["scl_inter"])
    if np.isinf(slope) or np.isinf(intercept):
        raise UserError(
            f"{path}: scale factor {slope:g}, intercept {intercept:g}. "
            "Mend the header, or convert the scan again."
        )


def _refuse_empty_promise(path: Path, image: nib.spatialimages.SpatialImage) -> None:
    promised = float(np.prod(np.array(image.shape, dtype=float)))
    promised *= image.get_data_dtype().itemsize
    size = path.stat().st_size
    kind = path.suffix.lower()
    holds = size * _GZIP_MAX_RATIO if kind in {".gz", ".mgz"} else size
    if kind in {".nii", ".gz", ".mgh", ".mgz"} and promised > holds:
        raise UserError(
            f"{path}: the header promises {promised:.0f} bytes of voxels, the file "
            f"has {size}. It is cut short or damaged; copy it again."
        )


def one_line(error: BaseException) -> str:
    """A library's message, fit for one line of ours."""
    return " ".join(str(error).split())[:120] or type(error).__name__
