"""NIfTI in and out: one orientation in memory, the scan's own on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from medvae.errors import UserError
from medvae.files import atomic_path
from medvae.volume.dicom import holds_dicom, read_series
from medvae.volume.forms import Forms
from medvae.volume.gzipped import unpacked
from medvae.volume.header import (
    UNREADABLE,
    FloatArray,
    affine_problem,
    checked_affine,
    checked_shape,
    one_line,
    open_header,
    silent_nibabel,
)
from medvae.volume.memory import within_memory


@dataclass(frozen=True)
class Source:
    """How a scan lay on disk, enough to put an array back there.

    Args:
        affine: Voxel to world (RAS, mm), 4x4, of the array on disk.
        shape: Size of the array on disk, three axes.
        dtype: Number type on disk, before any scale factor.
        axcodes: Direction each disk axis grows in, such as ``("L", "P", "S")``.
        forms: The header's qform and sform with their codes; None for a scan without.
    """

    affine: FloatArray
    shape: tuple[int, int, int]
    dtype: str
    axcodes: tuple[str, str, str]
    forms: Forms | None = None

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

    def image(
        self, data: npt.NDArray[Any], dtype: npt.DTypeLike = np.float32
    ) -> nib.Nifti1Image:
        """An image of ``data`` (X, Y, Z, RAS+) on this grid, with the scan's forms."""
        return nifti_image(self.restore(data), self.affine, dtype, self.forms)

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and strings, for JSON."""
        return {
            "affine": self.affine.tolist(),
            "shape": list(self.shape),
            "dtype": self.dtype,
            "axcodes": list(self.axcodes),
            "forms": None if self.forms is None else dict(self.forms.fields),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Source:
        """Rebuild what :meth:`as_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: It is not that.
        """
        x, y, z = content["shape"]
        i, j, k = (str(code) for code in content["axcodes"])
        try:
            nib.orientations.axcodes2ornt((i, j, k))
        except ValueError:
            raise ValueError(f"axcodes must be directions, got {i, j, k}") from None
        affine = np.asarray(content["affine"], dtype=float)
        problem = affine_problem(affine)
        if problem:
            raise ValueError(problem)
        shape = int(x), int(y), int(z)
        told = content.get("forms")  # files of before have none
        forms = None if told is None else Forms.from_dict(told, affine, shape)
        return cls(affine, shape, str(content["dtype"]), (i, j, k), forms)


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
        return self.source.image(data, data.dtype)


def read_volume(scan: Path | str | nib.spatialimages.SpatialImage) -> Volume:
    """Read a scan, apply its scale factor and turn it to RAS+.

    A trailing axis of length one is dropped. Nothing is allocated before the
    header's promise has been held against the file's size.

    Args:
        scan: A NIfTI file, a folder of one DICOM series, or a nibabel image.

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
    with within_memory(name, shape):
        data = _voxels(path, image, shape, name)
        turn = nib.orientations.io_orientation(affine)
        turned = np.ascontiguousarray(nib.orientations.apply_orientation(data, turn))
    kind, axcodes = str(image.get_data_dtype()), nib.aff2axcodes(affine)
    source = Source(affine, shape, kind, axcodes, Forms.of(image))
    to_ras = affine @ nib.orientations.inv_ornt_aff(turn, shape)
    return Volume(turned, to_ras, source, path)


def _voxels(
    path: Path | None,
    image: nib.spatialimages.SpatialImage,
    shape: tuple[int, int, int],
    name: str,
) -> npt.NDArray[np.float32]:
    """Intensities on disk's axes, scale factor applied."""
    try:
        if path and path.suffix == ".gz" and nib.is_proxy(image.dataobj):
            with silent_nibabel():
                image = _unpacked(path, image)
        with np.errstate(over="ignore"):  # infinite in float32; told as such
            return np.asanyarray(image.dataobj, dtype=np.float32).reshape(shape)
    except UNREADABLE as error:
        raise UserError(
            f"{name}: the voxels cannot be read ({one_line(error)}). "
            "The file is cut short or damaged; copy it again."
        ) from error


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
    data: npt.NDArray[Any],
    affine: FloatArray,
    dtype: npt.DTypeLike,
    forms: Forms | None = None,
) -> nib.Nifti1Image:
    """A NIfTI image in memory whose header promises exactly ``dtype`` and mm.

    Args:
        data: On the image's grid.
        affine: Voxel to world (RAS, mm), 4x4.
        dtype: Number type on disk.
        forms: Of the scan on whose grid the image lies; else qform and sform are both
            the affine, with code 1.
    """
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
    place = np.asarray(affine, dtype=float)
    if forms is not None:
        told = forms.affine(values.shape)
        if not np.allclose(told, place):  # the forms of a NIfTI-2 file, rounded
            place = told  # else nibabel takes them for outdated, and drops them
    image = nib.Nifti1Image(values.astype(kind), place)
    image.header.set_data_dtype(kind)
    image.header.set_xyzt_units("mm")
    if forms is not None:
        forms.write_to(image.header)
        return image
    # The header holds float32; the image in memory keeps the affine it was given.
    image.set_sform(affine, code=1, update_affine=False)
    image.set_qform(affine, code=1, update_affine=False)
    return image


def _unpacked(
    path: Path, image: nib.spatialimages.SpatialImage
) -> nib.spatialimages.SpatialImage:
    voxels = int(np.prod(image.shape)) * image.get_data_dtype().itemsize
    return type(image).from_bytes(unpacked(path, image.dataobj.offset + voxels))


def _opened(
    scan: Path | str | nib.spatialimages.SpatialImage,
) -> tuple[Path | None, nib.spatialimages.SpatialImage]:
    if isinstance(scan, Path | str):
        path = Path(scan)
        if path.is_dir() and holds_dicom(path):
            return path, read_series(path)
        return path, open_header(path)
    filename = scan.get_filename()
    return (Path(filename) if filename else None), scan
