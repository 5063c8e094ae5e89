"""What is odd about a scan, in short words, so that its numbers are read with care."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noise_models.scanner.blocks import block_sums
from noise_models.scanner.head import Head
from noise_models.scanner.noise_level import AirNoise
from noise_models.scanner.tissue import Tissue

AGREEMENT = 1.3  # air and tissue may differ by this factor before it is a flag
CORRELATED = 0.35  # of neighbours in air; white noise gives less than 0.15
DENOISED = 0.5  # tissue over air noise
CLIPPED_VOXELS = 50
STRIPPED = "skull-stripped"
CLIPPED_SHARE = 1e-4  # of the head's voxels that share the highest value
FACE_MM = ((-45.0, 45.0), (55.0, 95.0), (-75.0, -15.0))  # box, from the head's centre
LEAST_FACE = 0.25  # share of the box that is head; below, the face was taken out
LEAST_IN_VIEW = 0.6  # share of the box that the scan shows; below, nobody can tell

MEANINGS = {
    STRIPPED: "no scalp and no air is left to measure; give whole heads if you can",
    "defaced": "the face was taken out; nothing need be done",
    "clipped": "the brightest voxels were cut off, so fat looks darker than it is; "
    "export the scans again without a ceiling",
    "zeroed air": "air was set to 0 and tells no noise; that of tissue is used",
    "air is not Rayleigh": "air was filtered or masked, or holds artefacts; the noise "
    "of tissue is used unless the two agree",
    "several coils": "air is that of a sum of squares of coils; this is allowed for",
    "zero-filled k-space": "the scanner interpolated, so that neighbours share their "
    "noise; this is allowed for",
    "resampled": "neighbours share their noise; give scans on the grid they were "
    "acquired on where you can",
    "denoised": "tissue is quieter than air says, as after a filter; the noise of "
    "tissue is used",
    "air and tissue disagree": "noise in air and in flat tissue differ by more than "
    f"{AGREEMENT:g} times, as after a filter, a mask, or coils whose noise varies over "
    "the head; the lower is used, or that of tissue where air is not noise alone. "
    "Fit to scans as the scanner wrote them where you can, and trust this noise less",
    "coarse levels": "the stored steps are wider than the noise; store more levels",
    "noise not measurable": "neither air nor tissue tells the noise; compare a scan as "
    "the scanner wrote it",
    "noise varies over the head": "as parallel imaging makes it; this is fitted",
    "tissue contrast unclear": "hardly any grey or white matter was found; check that "
    "the scans are T1-weighted, and trust their contrast less",
}
"""What each flag says, and what to do about it."""

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Evidence:
    """What the flags are decided from.

    Attributes:
        head: Masks.
        air: Noise in air.
        inside: Noise in tissue, native intensity.
        sigma: The one that was chosen.
        lowest: The lowest intensity.
        step: Spacing of the stored levels.
        correlation: Of the noise of neighbours in air, per axis.
        extent: Share of k-space that is filled, per axis.
        field_is_flat: The noise is the same all over the head.
        tissue: Levels and shading.

    Example:
        >>> Evidence.__name__
        'Evidence'
    """

    head: Head
    air: AirNoise
    inside: float
    sigma: float
    lowest: float
    step: float
    correlation: Sequence[float]
    extent: Sequence[float]
    field_is_flat: bool
    tissue: Tissue


def flags_of(volume: Array, seen: Evidence) -> tuple[str, ...]:
    """Name everything that makes a scan's numbers mean less than they say."""
    return tuple(name for name, holds in judged(volume, seen).items() if holds)


def judged(volume: Array, seen: Evidence) -> dict[str, bool]:
    """Whether each flag of `MEANINGS` holds for a scan."""
    air, tissue = seen.air, seen.tissue
    both = air.sigma > 0 and seen.inside > 0
    ratio = air.sigma / seen.inside if both else 1.0
    is_filled = min(seen.extent) < 1
    shared = is_shared(seen.correlation)
    return {
        STRIPPED: seen.head.is_stripped,
        "defaced": is_defaced(
            volume, seen.head, seen.lowest, air_is_kept=air.zero_share < 0.3
        ),
        "clipped": is_clipped(volume, seen.head),
        "zeroed air": air.zero_share > 0.5,
        "air is not Rayleigh": not air.is_rayleigh and air.zero_share <= 0.5,
        "several coils": air.coils > 1.3 and not shared,
        "zero-filled k-space": is_filled,
        "resampled": shared and not is_filled,
        "denoised": both and 1 / ratio < DENOISED and not shared and not is_filled,
        "air and tissue disagree": not 1 / AGREEMENT < ratio < AGREEMENT,
        "coarse levels": seen.step > (seen.sigma if seen.sigma > 0 else seen.inside),
        "noise not measurable": not seen.sigma > 0,
        "noise varies over the head": not seen.field_is_flat,
        "tissue contrast unclear": tissue.shares[1] < 0.1 or tissue.shares[2] < 0.1,
    }


def is_shared(correlation: Sequence[float]) -> bool:
    """Whether neighbours in air share their noise: it was interpolated or filtered.

    Example:
        >>> is_shared((0.1, 0.64, 0.0)), is_shared((float("nan"),) * 3)
        (True, False)
    """
    return any(value > CORRELATED for value in correlation)


def is_clipped(volume: Array, head: Head) -> bool:
    """Whether many voxels share the highest value: brighter ones were cut off.

    Example:
        >>> from noise_models.scanner.head import find_head
        >>> x = np.zeros((40, 40, 40)); x[10:30, 10:30, 10:30] = 1
        >>> x += np.random.default_rng(0).random(x.shape)
        >>> is_clipped(x, find_head(x, (4, 4, 4))), is_clipped(
        ...     np.minimum(x, 1.9), find_head(x, (4, 4, 4)))
        (False, True)
    """
    top = float(volume.max())
    tops = int((volume >= top).sum())
    voxels = float(head.mask.sum() * np.prod(head.factors))
    return tops >= max(CLIPPED_VOXELS, CLIPPED_SHARE * voxels)


def is_defaced(
    volume: Array, head: Head, lowest_value: float, *, air_is_kept: bool
) -> bool:
    """Whether the place of the face is empty, or was set to the lowest value.

    Looks where nose, eyes and upper jaw are, in front of and below the head's centre.
    A view that ends before the face is not a defaced scan, and a stripped brain has
    no face to miss.

    Args:
        volume: The scan.
        head: Its masks.
        lowest_value: What empty voxels were set to.
        air_is_kept: Most of the air holds noise, so that what is empty was emptied.
    """
    if head.is_stripped:
        return False
    centre = [
        (c + 0.5) / f for c, f in zip(head.centre_voxels, head.factors, strict=True)
    ]
    cuts, in_view = [], 1.0
    for (low, high), middle, step, size in zip(
        FACE_MM, centre, head.spacing_mm, head.mask.shape, strict=True
    ):
        ends = middle + low / step, middle + high / step
        kept = max(0.0, min(ends[1], size) - max(ends[0], 0.0))
        in_view *= kept / (ends[1] - ends[0])
        cuts.append(slice(max(0, round(ends[0])), max(0, round(ends[1]))))
    face = head.mask[tuple(cuts)]
    if in_view < LEAST_IN_VIEW or not face.size:
        return False
    native = tuple(
        slice(c.start * f, c.stop * f) for c, f in zip(cuts, head.factors, strict=True)
    )
    empty = (volume[native] <= lowest_value).astype(np.float32)
    lowest = block_sums(empty, head.factors)
    erased = float((lowest == np.prod(head.factors)).mean())
    return bool(face.mean() < LEAST_FACE or (air_is_kept and erased > 0.3))
