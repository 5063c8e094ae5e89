"""Real scans beside corrupted ones, in three planes at one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medvae.report.embed import slice_png
from medvae.report.sides import PLANES
from medvae.report.viewer import viewer
from medvae.volume import read_volume
from noise_models.scanner.estimate import BIAS_NAMES, NAMES, ScanEstimate
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.sites import Site

FloatArray = NDArray[np.float32]

REACH_MM = ((-84, 84), (-108, 108), (-96, 92))  # about the head's centre
AT_MM = {"axial": 8.0, "coronal": 0.0, "sagittal": 6.0}
"""Where a plane lies, mm from the head's centre."""

BOX_MM = 2.0  # voxels of the viewer


@dataclass(frozen=True)
class Example:
    """A scan that was fitted: its file and what was estimated from it."""

    path: Path
    estimate: ScanEstimate


def most_typical(site: Site, examples: Sequence[Example]) -> Example:
    """The scan nearest to its site's mean in noise, sharpness and contrast."""
    watched = [k for k, name in enumerate(NAMES) if name not in BIAS_NAMES]
    mean = np.array(site.mean)[watched]
    spread = np.sqrt(np.diag(np.array(site.covariance))[watched]) + 1e-9

    def distance(example: Example) -> float:
        away = np.abs(example.estimate.vector[watched] - mean) / spread
        return float(np.nan_to_num(away, nan=3.0).sum())

    return min(examples, key=distance)


def example_table(
    noise: ScannerNoise, pair: tuple[str, str], examples: Mapping[str, Example]
) -> dict[str, Any]:
    """Columns A, A as B, and B; a row a plane; and their volumes for a viewer.

    Args:
        noise: The fit.
        pair: Labels of A and B.
        examples: One scan of each.
    """
    a, b = pair
    first, last = examples[a], examples[b]
    spacing, clean = _in_reference_units(first)
    corrupted = replace(noise, target=b)(
        torch.from_numpy(clean)[None, None],
        rng=torch.Generator().manual_seed(noise.record.seed),
        spacing_mm=spacing,
        source=[first.estimate],
    )[0, 0].numpy()
    other_spacing, real = _in_reference_units(last)
    columns = {
        f"{a}, real: {first.path.name}": (clean, spacing, first),
        f"{a} as {b}": (corrupted, spacing, first),
        f"{b}, real: {last.path.name}": (real, other_spacing, last),
    }
    lines = [
        {
            "label": name,
            "cells": [
                {
                    "alt": f"{column}, {name}",
                    "source": slice_png(
                        plane_mm(
                            *(volume, step, shown.estimate.centre_voxels),
                            *(axis, AT_MM[name]),
                        )
                    ),
                    "sides": sides,
                }
                for column, (volume, step, shown) in columns.items()
            ],
        }
        for name, (axis, sides) in PLANES.items()
    ]
    volumes = {
        column: box_mm(volume, step, shown.estimate.centre_voxels)
        for column, (volume, step, shown) in columns.items()
    }
    return {"columns": list(columns), "lines": lines, "volumes": volumes}


def example_pairs(
    noise: ScannerNoise,
    examples: Mapping[str, Sequence[Example]],
    pairs: Sequence[tuple[str, str]],
) -> list[dict[str, Any]]:
    """An `example_table` for every pair whose scans are at hand.

    The first has a viewer: volumes of one pair are enough for a page.
    """
    sites = {site.label: site for site in noise.sites}
    shown = {
        label: most_typical(sites[label], found)
        for label, found in examples.items()
        if found
    }
    found: list[dict[str, Any]] = []
    for pair in pairs:
        if set(pair) <= set(shown):
            table = example_table(noise, pair, shown)
            volumes = table.pop("volumes")
            paged = None if found else viewer(volumes, (BOX_MM,) * 3)
            found.append({"pair": "->".join(pair), "table": table, "viewer": paged})
    return found


def box_mm(
    volume: FloatArray, spacing_mm: Sequence[float], centre_voxels: Sequence[float]
) -> FloatArray:
    """The head's surroundings on voxels of 2 mm, each that of the nearest voxel.

    Example:
        >>> x = np.zeros((60, 60, 60), np.float32); x[30] = 1
        >>> box = box_mm(x, (4.0, 4.0, 4.0), (30.0, 30.0, 30.0))
        >>> box.shape, float(box[42, 54, 48])
        ((84, 108, 94), 1.0)
    """
    box = volume
    for axis, (low, high) in enumerate(REACH_MM):
        voxel = np.arange(low, high, BOX_MM) / spacing_mm[axis] + centre_voxels[axis]
        place = np.rint(voxel).astype(int)
        last = volume.shape[axis] - 1
        inside = ((place >= 0) & (place <= last)).reshape(
            [-1 if a == axis else 1 for a in range(3)]
        )
        box = box.take(np.clip(place, 0, last), axis) * inside
    return np.asarray(box, dtype=np.float32)


def plane_mm(
    volume: FloatArray,
    spacing_mm: Sequence[float],
    centre_voxels: Sequence[float],
    axis: int,
    at_mm: float,
) -> FloatArray:
    """A plane on pixels of 1 mm, each that of the nearest voxel: nothing is smoothed.

    Args:
        volume: ``(X, Y, Z)``, RAS order.
        spacing_mm: Voxel size.
        centre_voxels: Centre of the head.
        axis: That the plane is normal to.
        at_mm: Where, from the centre.

    Example:
        >>> x = np.zeros((60, 60, 60), np.float32); x[30] = 1
        >>> plane = plane_mm(x, (4.0, 4.0, 4.0), (30.0, 30.0, 30.0), 0, 0.0)
        >>> plane.shape, float(plane[100, 100])
        ((216, 188), 1.0)
    """
    plane = volume
    for a in (axis, *({0, 1, 2} - {axis})):
        offsets = np.array([at_mm]) if a == axis else np.arange(*REACH_MM[a])
        voxel = np.rint(centre_voxels[a] + offsets / spacing_mm[a]).astype(int)
        last = volume.shape[a] - 1
        plane = plane.take(np.clip(voxel, 0, last), a)
        line = [1, 1, 1]
        line[a] = -1
        plane = plane * ((voxel >= 0) & (voxel <= last)).reshape(line)
    return np.asarray(plane.squeeze(axis), dtype=np.float32)


def _in_reference_units(
    example: Example,
) -> tuple[tuple[float, float, float], FloatArray]:
    volume = read_volume(example.path)
    level = np.float32(example.estimate.reference)
    x, y, z = volume.spacing_mm
    return (x, y, z), np.asarray(np.maximum(volume.data / level, 0), np.float32)
