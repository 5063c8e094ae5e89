"""Reading scans for the fit, and remembering what was estimated from them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noise_models.scanner.estimate import (
    ESTIMATOR_VERSION,
    NAMES,
    ScanEstimate,
    array_digest,
    estimate_scan,
)

_DEFLATED = 1100  # nothing is packed more densely
Scan = str | os.PathLike[str] | tuple[NDArray[Any], Sequence[float]]
"""A NIfTI file, or an array (X, Y, Z) in RAS order with its voxel size in mm."""


def label_of(scan: Scan, fallback: str) -> str:
    """What messages call a scan: its file, or where it stands in the list.

    Example:
        >>> label_of("a/sub-01.nii.gz", "A/0")
        'a/sub-01.nii.gz'
    """
    return fallback if isinstance(scan, tuple) else os.fspath(scan)


def read_scan(scan: Scan) -> tuple[NDArray[Any], tuple[float, float, float]]:
    """Voxels in RAS order and voxel size.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is not a readable image.

    Example:
        >>> read_scan((np.zeros((2, 2, 2)), (1, 1, 3)))[1]
        (1.0, 1.0, 3.0)
    """
    if isinstance(scan, tuple):
        data, spacing = scan
        x, y, z = (float(s) for s in spacing)
        return np.asarray(data), (x, y, z)
    try:
        import nibabel
        from nibabel.filebasedimages import ImageFileError
        from nibabel.orientations import OrientationError
        from nibabel.spatialimages import HeaderDataError
    except ImportError as error:
        raise ImportError(
            f"{os.fspath(scan)}: reading files needs nibabel. pip install nibabel, "
            "or give arrays with their voxel size."
        ) from error
    path = Path(scan)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file.")
    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))
        _refuse_empty_promise(path, image)
        data = np.asanyarray(image.dataobj)
        x, y, z = (float(s) for s in image.header.get_zooms()[:3])
    except (
        *(OSError, EOFError, LookupError, OverflowError, TypeError, ValueError),
        *(zlib.error, ImageFileError, HeaderDataError, OrientationError),
    ) as error:
        raise ValueError(f"{path}: not a readable image ({error}).") from error
    return data, (x, y, z)


def _refuse_empty_promise(path: Path, image: Any) -> None:  # noqa: ANN401 (nibabel)
    """Of more voxels than the file can hold, before memory is taken for them."""
    voxels = Path(image.file_map["image"].filename or path)
    promised = math.prod(image.shape) * image.get_data_dtype().itemsize
    most = 1 if voxels.suffix in (".nii", ".img", ".mgh") else _DEFLATED
    if promised > most * voxels.stat().st_size:
        raise ValueError(f"its header promises {promised} bytes, which are not there")


def content_digest(scan: Scan) -> str:
    """SHA-256 of a file's bytes, or of an array with its voxel size.

    Example:
        >>> len(content_digest((np.zeros((2, 2, 2)), (1, 1, 1))))
        64
    """
    if isinstance(scan, tuple):
        data, spacing = scan
        return array_digest(np.asarray(data), tuple(float(s) for s in spacing))
    path = Path(scan)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def estimate_cached(
    scan: Scan, label: str, site: str = "", cache: Path | None = None
) -> ScanEstimate:
    """Estimate a scan, or read back what was found for the same content.

    Raises:
        ValueError: The scan cannot be used; the message starts with its label.
    """
    digest = content_digest(scan)
    kept = cache / f"{digest}-v{ESTIMATOR_VERSION}.json" if cache is not None else None
    known = _remembered(kept)
    if known is not None:
        return ScanEstimate.from_dict({**known, "label": label, "site": site})
    data, spacing = read_scan(scan)
    found = estimate_scan(data, spacing, label=label, digest=digest).as_dict()
    if kept is not None:
        write_text(kept, json.dumps(found))
    return ScanEstimate.from_dict({**found, "label": label, "site": site})


def write_text(path: Path, text: str) -> None:
    """Write under a temporary name, then rename: readers never see half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    partial = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o666 & ~umask)  # what open() would have given
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _remembered(path: Path | None) -> dict[str, Any] | None:
    """A kept estimate; None where there is none, or one that cannot be read."""
    if path is None or not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = ScanEstimate.from_dict(content)
    except (OSError, OverflowError, RecursionError, ValueError, KeyError, TypeError):
        return None
    return content if len(found.values) == len(NAMES) else None
