"""Scans of all sites on one grid, where they can be looked at side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from noise_models.scanner.estimate import ScanEstimate
from noise_models.scanner.features import radial_spectrum, scan_features
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

    @cached_property
    def spectrum(self) -> NDArray[np.float64]:
        """Its `radial_spectrum`, (S,)."""
        return radial_spectrum(self.volume, GRID_MM, self.origin.centre_voxels)


@dataclass(frozen=True)
class Looks:
    """What several scans look like on the common grid.

    Attributes:
        features: Low-level features, (N, F).
        spectra: Radial spectra, (N, S).

    Example:
        >>> Looks(np.zeros((4, 2)), np.zeros((4, 3))).features.shape
        (4, 2)
    """

    features: NDArray[np.float64]
    spectra: NDArray[np.float64]


def looks(specimens: Sequence[Specimen]) -> Looks:
    """Features and spectra of several scans."""
    return Looks(
        np.stack([one.features for one in specimens]),
        np.stack([one.spectrum for one in specimens]),
    )


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


def features_of(
    volume: NDArray[np.float32], made_from: Specimen
) -> NDArray[np.float64]:
    """Features of a volume made from a specimen, adjusted as the specimen's are.

    Only of what it shows: scans of B are not padded with empty planes, either.
    """
    found = scan_features(volume[shown_box(volume)], GRID_MM)
    return found + np.array(made_from.shift) if made_from.shift else found


def spectrum_of(
    volume: NDArray[np.float32], made_from: Specimen
) -> NDArray[np.float64]:
    """`radial_spectrum` of what is shown by a volume made from a specimen, (S,)."""
    box = shown_box(volume)
    x, y, z = (
        centre - part.start
        for centre, part in zip(made_from.origin.centre_voxels, box, strict=True)
    )
    return radial_spectrum(volume[box], GRID_MM, (x, y, z))


def shown_box(volume: NDArray[np.float32]) -> tuple[slice, slice, slice]:
    """From the first plane that is not empty to the last, along every axis.

    Example:
        >>> x = np.zeros((4, 3, 3)); x[1:3, :, 0] = 1
        >>> [(part.start, part.stop) for part in shown_box(x)]
        [(1, 3), (0, 3), (0, 1)]
    """
    x, y, z = (
        np.flatnonzero(volume.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))
    )
    if not len(x):
        return slice(0, 0), slice(0, 0), slice(0, 0)
    first, second, third = (slice(int(p[0]), int(p[-1]) + 1) for p in (x, y, z))
    return first, second, third
