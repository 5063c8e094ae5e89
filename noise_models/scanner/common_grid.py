"""Scans of all sites on one grid, where they can be looked at side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from noise_models.scanner.estimate import ScanEstimate
from noise_models.scanner.features import scan_features
from noise_models.scanner.resampling import to_spacing
from noise_models.scanner.scans import Scan, read_scan

GRID_MM = (2.0, 2.0, 2.0)


@dataclass(frozen=True)
class Specimen:
    """One scan on the common grid, and what it looks like there.

    Attributes:
        volume: ``(X, Y, Z)`` float32, reference units.
        origin: Its estimate, with shape and head centre of the common grid.
        features: Low-level features, (F,).
        subject: Who was scanned.
        shift: What `adjustment` adds to its features, (F,); empty for nothing. The
            same is added to the features of its corrupted copies.

    Example:
        >>> Specimen.__name__
        'Specimen'
    """

    volume: NDArray[np.float32]
    origin: ScanEstimate
    features: NDArray[np.float64]
    subject: str
    shift: tuple[float, ...] = ()


def specimen(scan: Scan, estimate: ScanEstimate, subject: str) -> Specimen:
    """Bring a scan to the common grid, in units of its own white matter.

    Args:
        scan: File or array.
        estimate: What was found on its native grid.
        subject: Who was scanned.

    Raises:
        ValueError: The scan cannot be read, or shows no head on the common grid.
    """
    data, spacing = read_scan(scan)
    native = np.asarray(data, dtype=np.float32) / np.float32(estimate.reference)
    volume = to_spacing(native, spacing, GRID_MM)
    x, y, z = (
        (c - (n - 1) / 2) * step / grid + (m - 1) / 2
        for c, n, step, grid, m in zip(
            estimate.centre_voxels,
            native.shape,
            spacing,
            GRID_MM,
            volume.shape,
            strict=True,
        )
    )
    nx, ny, nz = volume.shape
    origin = replace(estimate, shape=(nx, ny, nz), centre_voxels=(x, y, z))
    try:
        features = scan_features(volume, GRID_MM)
    except ValueError as error:
        raise ValueError(f"{estimate.label}: {error}") from error
    return Specimen(volume, origin, features, subject)
