"""NIfTI in and out: one orientation in memory, the scan's own on disk."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from medvae.errors import UserError
from medvae.files import atomic_path

FloatArray = npt.NDArray[np.floating[Any]]

MAX_VOXELS = 2**29
"""Largest scan that is read: 812^3 voxels, 2 GiB as float32."""

_GZIP_MAX_RATIO = 1100
"""Deflate cannot shrink more than 1032-fold, so a file bounds what it can hold."""

_BROKEN = (ImageFileError, HeaderDataError, EOFError, zlib.error, OSError, ValueError)


@dataclass(frozen=True)
class Source:
    """How a scan lay on disk, enough to put an array back there.

    Args:
        affine: Voxel to world (RAS, mm), 4x4, of the array on disk.
        shape: Size of the array on disk, three axes.
        dtype: Number type on disk, before any scale factor.
        axcodes: Direction each disk axis grows in, such as ``("L", "P", "S")``.
    """

    affine: FloatArray
    shape: tuple[int, int, int]
    dtype: str
    axcodes: tuple[str, str, str]

    def restore(self, data: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn a RAS+ array (X, Y, Z) back to the orientation on disk.

        Example:
            >>> source = Source(np.diag([-1.0, 1, 1, 1]), (2, 1, 1), "int16", LAS)
            >>> source.restore(np.array([[[1]], [[2]]]))[:, 0, 0]
            array([2, 1])
        """
        ras = nib.orientations.axcodes2ornt(("R", "A", "S"))
        disk = nib.orientations.axcodes2ornt(self.axcodes)
        turn = nib.orientations.ornt_transform(ras, disk)
        return np.asarray(nib.orientations.apply_orientation(data, turn))

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and strings, for JSON."""
        return {
            "affine": self.affine.tolist(),
            "shape": list(self.shape),
            "dtype": self.dtype,
            "axcodes": list(self.axcodes),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Source:
        """Rebuild what :meth:`as_dict` wrote."""
        x, y, z = content["shape"]
        i, j, k = content["axcodes"]
        affine = np.asarray(content["affine"], dtype=float)
        return cls(affine, (int(x), int(y), int(z)), str(content["dtype"]), (i, j, k))


LAS = ("L", "A", "S")


@dataclass(frozen=True)
class Volume:
    """One scan in memory, its axes turned to right, anterior, superior.

    Args:
        data: Intensities (X, Y, Z), float32, scale factor applied.
        affine: Voxel to world (RAS, mm), 4x4, of ``data``.
        source: How the scan lay on disk.
        path: The file it came from, or None for an image made in memory.
    """

    data: npt.NDArray[np.float32]
    affine: FloatArray
    source: Source
    path: Path | None = None

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along each axis of ``data``, in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z

    @property
    def name(self) -> str:
        """What to call the scan in a message."""
        return str(self.path) if self.path else "image in memory"

    def as_image(self, data: npt.NDArray[Any]) -> nib.Nifti1Image:
        """A nibabel image of ``data`` (X, Y, Z, RAS+) on this scan's own grid."""
        restored = self.source.restore(data)
        return nifti_image(restored, self.source.affine, restored.dtype)


def read_volume(scan: Path | str | nib.spatialimages.SpatialImage) -> Volume:
    """Read a scan, apply its scale factor and turn it to RAS+.

    A trailing axis of length one is dropped. Nothing is allocated before the
    header's promise has been held against the file's size.

    Args:
        scan: A NIfTI file, or a nibabel image.

    Raises:
        UserError: The file is missing, damaged, or not one 3-D real image.

    Example:
        >>> image = nib.Nifti1Image(np.eye(3)[..., None], np.diag([-2.0, 2, 2, 1]))
        >>> volume = read_volume(image)
        >>> volume.spacing_mm, volume.source.axcodes, volume.data.dtype.name
        ((2.0, 2.0, 2.0), ('L', 'A', 'S'), 'float32')
    """
    path, image = _opened(scan)
    name = str(path) if path else "image in memory"
    shape = checked_shape(image, name)
    affine = checked_affine(image, name)
    try:
        data = np.asanyarray(image.dataobj, dtype=np.float32).reshape(shape)
    except _BROKEN as error:
        raise UserError(
            f"{name}: the voxels cannot be read ({_one_line(error)}). "
            "The file is cut short or damaged; copy it again."
        ) from error
    turn = nib.orientations.io_orientation(affine)
    turned = np.ascontiguousarray(nib.orientations.apply_orientation(data, turn))
    source = Source(affine, shape, str(image.get_data_dtype()), nib.aff2axcodes(affine))
    to_ras = affine @ nib.orientations.inv_ornt_aff(turn, shape)
    return Volume(turned, to_ras, source, path)


def write_nifti(
    path: Path | str,
    data: npt.NDArray[Any],
    affine: FloatArray,
    dtype: npt.DTypeLike = np.float32,
) -> None:
    """Write an array as NIfTI, whole or not at all, with the number type asked for.

    Integer types are rounded to, never wrapped, and no scale factor is used.

    Raises:
        ValueError: The values do not fit ``dtype``.

    Example:
        >>> import tempfile
        >>> out = Path(tempfile.mkdtemp()) / "a.nii.gz"
        >>> write_nifti(out, np.ones((2, 3, 4)), np.eye(4), np.int16)
        >>> read_volume(out).source.dtype
        'int16'
    """
    image = nifti_image(data, affine, dtype)
    with atomic_path(Path(path)) as partial:
        nib.save(image, partial)


def nifti_image(
    data: npt.NDArray[Any], affine: FloatArray, dtype: npt.DTypeLike
) -> nib.Nifti1Image:
    """A NIfTI image in memory whose header promises exactly ``dtype`` and mm."""
    kind = np.dtype(dtype)
    if kind == np.bool_:
        kind = np.dtype(np.uint8)
    values = np.asarray(data)
    if kind.kind in "iu":
        values = np.rint(values) if values.dtype.kind == "f" else values
        limits = np.iinfo(kind)
        low, high = values.min(), values.max()
        if not (limits.min <= low and high <= limits.max):
            raise ValueError(f"values {low} to {high} do not fit {kind.name}")
    image = nib.Nifti1Image(values.astype(kind), np.asarray(affine, dtype=float))
    image.header.set_data_dtype(kind)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    return image


def open_header(path: Path) -> nib.spatialimages.SpatialImage:
    """Open a scan without reading its voxels; the errors are for the user."""
    if not path.exists():
        raise UserError(f"{path}: {missing_reason(path)}")
    if path.is_dir():
        raise UserError(f"{path}: a directory, not a NIfTI file. Give the file in it.")
    try:
        image = nib.load(path)
    except _BROKEN as error:
        raise UserError(
            f"{path}: not a readable NIfTI file ({_one_line(error)}). "
            "Copy it again, or convert it with dcm2niix."
        ) from error
    _refuse_empty_promise(path, image)
    return image


def missing_reason(path: Path) -> str:
    """Why a path does not exist, with the remedy; git-annex links are told apart."""
    if not path.is_symlink():
        return "file not found. Correct the path or remove the scan."
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
    if not np.isfinite(affine).all():
        raise UserError(f"{name}: the affine holds NaN or infinity. Mend the header.")
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if sizes.min() <= 1e-6:
        size = tuple(round(float(s), 6) for s in sizes)
        raise UserError(f"{name}: voxel size {size} mm. Mend the header.")
    if abs(np.linalg.det(affine[:3, :3] / sizes)) < 1e-3:
        raise UserError(
            f"{name}: the affine cannot be inverted (two axes are parallel). "
            "Mend the header."
        )
    return affine


def _opened(
    scan: Path | str | nib.spatialimages.SpatialImage,
) -> tuple[Path | None, nib.spatialimages.SpatialImage]:
    if isinstance(scan, Path | str):
        return Path(scan), open_header(Path(scan))
    filename = scan.get_filename()
    return (Path(filename) if filename else None), scan


def _refuse_empty_promise(path: Path, image: nib.spatialimages.SpatialImage) -> None:
    promised = float(np.prod(np.array(image.shape, dtype=float)))
    promised *= image.get_data_dtype().itemsize
    size = path.stat().st_size
    holds = size * _GZIP_MAX_RATIO if path.suffix in {".gz", ".bz2"} else size
    if path.suffix in {".nii", ".gz"} and promised > holds:
        raise UserError(
            f"{path}: the header promises {promised:.0f} bytes of voxels, the file "
            f"has {size}. It is cut short or damaged; copy it again."
        )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
