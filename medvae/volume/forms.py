"""The two forms by which a NIfTI header lays its voxels in the world, kept as they are.

A header may hold a qform (a rotation and voxel sizes) and an sform (any affine), each
with a code that says in which space: scanner (1), aligned (2), Talairach (3), MNI (4),
other (5), or 0 for not at all. nibabel reads the sform first, ITK may read the qform:
an image that is to lie where its scan lies for all readers needs both, and both codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.spatialimages import HeaderDataError

FloatArray = npt.NDArray[np.floating[Any]]

_CODES = ("qform_code", "sform_code")
_SIZES = {
    **dict.fromkeys(_CODES, 1),
    "pixdim": 4,  # the sign of the third axis, and three voxel sizes
    **dict.fromkeys(("quatern_b", "quatern_c", "quatern_d"), 1),
    **dict.fromkeys(("qoffset_x", "qoffset_y", "qoffset_z"), 1),
    **dict.fromkeys(("srow_x", "srow_y", "srow_z"), 4),
}
"""The header's fields that hold the two forms, and how many numbers of each."""

_NEAR_MM = 1e-3  # float32 holds a scan's origin to this


@dataclass(frozen=True)
class Forms:
    """What a scan's header says of its place, as numbers.

    Args:
        fields: By the name that NIfTI gives the field.

    Example:
        >>> image = nib.Nifti1Image(np.zeros((2, 2, 2)), None)
        >>> image.set_qform(np.diag([2.0, 2, 2, 1]), code=1)
        >>> image.set_sform(np.diag([3.0, 3, 3, 1]), code=4)
        >>> kept = Forms.of(image)
        >>> kept.fields["sform_code"], float(kept.affine((2, 2, 2))[0, 0])
        ((4.0,), 3.0)
    """

    fields: Mapping[str, tuple[float, ...]]

    @classmethod
    def of(cls, image: nib.spatialimages.SpatialImage) -> Forms | None:
        """The forms of an image; None where its header has none that it goes by."""
        header = image.header
        if not isinstance(header, nib.Nifti1Header):
            return None
        taken = {
            name: np.ravel(header[name])[:size].astype(float)
            for name, size in _SIZES.items()
        }
        if not all(np.isfinite(numbers).all() for numbers in taken.values()):
            return None
        found = cls({name: tuple(numbers.tolist()) for name, numbers in taken.items()})
        return found if found.fit(image.affine, image.shape[:3]) else None

    @classmethod
    def from_dict(
        cls, content: Mapping[str, Any], affine: FloatArray, shape: tuple[int, ...]
    ) -> Forms:
        """Rebuild from :attr:`fields` as JSON holds them.

        Raises:
            KeyError, TypeError, ValueError: They are not that, or not of ``affine``.
        """
        fields = {name: tuple(map(float, content[name])) for name in _SIZES}
        for name, size in _SIZES.items():
            if len(fields[name]) != size or not np.isfinite(fields[name]).all():
                raise ValueError(f"{name} must be {size} numbers, got {content[name]}")
        known = nib.nifti1.xform_codes.value_set()
        for name in _CODES:
            if fields[name][0] not in known:
                raise ValueError(f"{name} must be 0 to 5, got {fields[name][0]:g}")
        found = cls(fields)
        if not found.fit(affine, shape):
            raise ValueError("the forms of the scan do not fit its affine")
        return found

    def affine(self, shape: tuple[int, ...]) -> FloatArray:
        """Voxel to world of an image as nibabel reads it off a header with them.

        Raises:
            ValueError: The quaternion is none.
        """
        header = nib.Nifti1Header()
        header.set_data_shape(shape)  # where no form has a code, the middle is at 0
        self.write_to(header)
        return np.asarray(header.get_best_affine())

    def fit(self, affine: FloatArray, shape: tuple[int, ...]) -> bool:
        """Whether they give an image of this shape that affine."""
        try:
            return np.allclose(self.affine(shape), affine, atol=_NEAR_MM)
        except (ValueError, HeaderDataError):
            return False

    def write_to(self, header: nib.Nifti1Header) -> None:
        """Set the fields of a header, and nothing else in it."""
        with np.errstate(over="ignore"):
            for name, numbers in self.fields.items():
                if _SIZES[name] == 1:
                    header[name] = numbers[0]
                else:
                    header[name][: len(numbers)] = numbers
