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

    Where it ends earlier than the specimen it is cut: scans of B are not padded with
    empty planes, either. Empty planes of the specimen's own stay, as in its features.
    """
    box = shown_box(volume, made_from.volume)
    found = scan_features(volume[box], GRID_MM)
    return found + np.array(made_from.shift) if made_from.shift else found


def spectrum_of(
    volume: NDArray[np.float32], made_from: Specimen
) -> NDArray[np.float64]:
    """`radial_spectrum` of a volume made from a specimen, cut as for `features_of`."""
    box = shown_box(volume, made_from.volume)
    x, y, z = (
        centre - part.start
        for centre, part in zip(made_from.origin.centre_voxels, box, strict=True)
    )
    return radial_spectrum(volume[box], GRID_MM, (x, y, z))


def shown_box(
    volume: NDArray[np.float32], whole: NDArray[np.float32]
) -> tuple[slice, slice, slice]:
    """What is left of a volume without the planes that only ``whole`` shows.

    Example:
        >>> whole = np.zeros((6, 3, 3)); whole[1:5] = 1
        >>> x = whole.copy(); x[:3] = 0
        >>> [(part.start, part.stop) for part in shown_box(x, whole)]
        [(3, 6), (0, 3), (0, 3)]
    """
    x, y, z = (
        _shown_planes(*(np.asarray(v.any(axis=axes)) for v in (volume, whole)))
        for axes in ((1, 2), (0, 2), (0, 1))
    )
    return x, y, z


def _shown_planes(seen: NDArray[np.bool_], before: NDArray[np.bool_]) -> slice:
    size = len(seen)
    (low, high), (first, last) = (
        (int(used[0]), int(used[-1]) + 1) if len(used) else (0, size)
        for used in (np.flatnonzero(seen), np.flatnonzero(before))
    )
    return slice(low if low > first else 0, high if high < last else size)
