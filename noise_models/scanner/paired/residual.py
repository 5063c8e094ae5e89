"""What is left between corrupt(A) and the same person's scan at B."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from noise_models.scanner.blocks import spread
from noise_models.scanner.common_grid import GRID_MM, Specimen, features_of
from noise_models.scanner.features import FEATURES
from noise_models.scanner.head import find_head
from noise_models.scanner.model import ScannerNoise, open_ended
from noise_models.scanner.paired.registration import Rigid, pulled

DRAWS = 4
LEVELS = np.linspace(0, 100, 101)  # percentiles that histogram matching maps
POWER = np.array([name.startswith("power") for name in FEATURES])

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Couple:
    """One person's scans at A and B on the common grid, and the way between them.

    Attributes:
        a: The scan at A.
        b: The scan at B.
        motion: From A's native grid to B's.
        shapes: Native sizes of both.

    Example:
        >>> Couple.__name__
        'Couple'
    """

    a: Specimen
    b: Specimen
    motion: Rigid
    shapes: tuple[tuple[int, int, int], tuple[int, int, int]]


def residual(
    couple: Couple,
    noise: ScannerNoise,
    others: Sequence[Specimen],
    *,
    seed: int = 0,
) -> tuple[dict[str, float], dict[str, float]]:
    """PSNR and spectral distance of every arm, for one person.

    The arms are ``nothing``, ``histogram`` (matched to B's other people), ``corrupted``
    (one draw, whose noise is not B's noise and counts as an error) and ``expected``
    (the mean of four draws; it has no spectrum). Peak is white matter; the error is
    taken inside the head, against B's scan laid over A's.

    Args:
        couple: The person.
        noise: With the target chosen. The step between the sites and the pair's
            calibration are measured without this person; the sites' spread is not.
        others: Scans of B of other people, whose histogram is matched.
        seed: Of the draws.
    """
    x, origin = couple.a.volume, couple.a.origin
    head = find_head(x, GRID_MM)
    mask = spread(head.mask, x.shape, head.factors)
    firsts = tuple(
        tuple(
            ((n - 1) * s - (m - 1) * g) / 2 for n, s, m, g in zip(*sizes, strict=True)
        )
        for sizes in (
            (couple.shapes[0], couple.a.origin.spacing_mm, x.shape, GRID_MM),
            (
                couple.shapes[1],
                couple.b.origin.spacing_mm,
                couple.b.volume.shape,
                GRID_MM,
            ),
        )
    )
    wanted = pulled(
        couple.b.volume,
        GRID_MM,
        couple.motion,
        x.shape,
        GRID_MM,
        first_mm=(firsts[0], firsts[1]),
    )
    mask &= wanted > 0
    whole = open_ended(noise)  # where this scan of B ends is known, and left out
    draws = [
        whole(
            torch.tensor(x)[None, None],
            rng=torch.Generator().manual_seed(seed + k),
            spacing_mm=GRID_MM,
            source=[origin],
        )[0, 0].numpy()
        for k in range(DRAWS)
    ]
    matched = _matched(x, mask, others)
    seen = {"nothing": x, "histogram": matched, "corrupted": draws[0]}
    psnr = {arm: _psnr(y, wanted, mask) for arm, y in seen.items()}
    psnr["expected"] = _psnr(np.mean(draws, axis=0), wanted, mask)
    spectrum = {
        arm: _spectral_distance(features_of(y, couple.a), couple.b.features)
        for arm, y in seen.items()
    }
    return psnr, spectrum


def _psnr(y: Array, wanted: Array, mask: NDArray[np.bool_]) -> float:
    error = float(np.mean(np.square(y[mask] - wanted[mask], dtype=float)))
    return float(-10 * np.log10(max(error, 1e-12)))


def _spectral_distance(one: Array, other: Array) -> float:
    return float(np.sqrt(np.mean((one[POWER] - other[POWER]) ** 2)))


def _matched(x: Array, mask: NDArray[np.bool_], others: Sequence[Specimen]) -> Array:
    """A's intensities moved to the mean percentiles of B's scans of other people."""
    want = []
    for one in others:
        head = find_head(one.volume, GRID_MM)
        inside = spread(head.mask, one.volume.shape, head.factors)
        want.append(np.percentile(one.volume[inside], LEVELS))
    have = np.percentile(x[mask], LEVELS)
    rising = have + np.arange(len(have)) * 1e-9  # np.interp wants them to ascend
    mapped = np.interp(x, rising, np.mean(want, axis=0))
    # Below the darkest and above the brightest landmark: in proportion.
    top, best = have[-1], float(np.mean(want, axis=0)[-1])
    return np.asarray(np.where(x > top, x * best / top, mapped), dtype=np.float32)
