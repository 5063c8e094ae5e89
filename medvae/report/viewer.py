"""Volumes to turn the pages of, inside a report that opens offline.

2026-11: a small viewer of our own. NiiVue is a megabyte of script and needs WebGL;
nilearn's carries jQuery and cannot be reached by keyboard. Here three range inputs move
three planes, so the browser's own keys, focus and touch work. Price: no overlays.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image  # matplotlib's own; it writes one grey channel

from medvae.report.embed import WINDOW, png_address
from medvae.report.sides import PLANES

MOST_VOXELS = 1_300_000
"""A larger volume is shown at half its resolution, so that pages stay small."""


def viewer(
    volumes: Mapping[str, NDArray[np.floating]], spacing_mm: Sequence[float]
) -> dict[str, Any]:
    """What the template ``viewer`` of ``parts.html.j2`` draws.

    Args:
        volumes: By caption, (X, Y, Z), RAS+, reference units, all of one shape.
        spacing_mm: Voxel size.

    Raises:
        ValueError: No volume, or volumes of several shapes.

    Example:
        >>> shown = viewer({"as scanned": np.ones((8, 9, 10))}, (2.0, 2.0, 2.0))
        >>> shown["shape"], shown["captions"]
        ([8, 9, 10], ['as scanned'])
    """
    shapes = {volume.shape for volume in volumes.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        raise ValueError(
            f"a viewer needs volumes of one shape, got {sorted(shapes) or 'none'}."
        )
    size = [float(step) for step in spacing_mm]
    data = dict(volumes)
    while math.prod(next(iter(data.values())).shape) > MOST_VOXELS:
        data = {name: _halved(volume) for name, volume in data.items()}
        size = [2 * step for step in size]
    x, y, z = next(iter(data.values())).shape
    columns = math.ceil(math.sqrt(z))
    return {
        "captions": list(data),
        "shape": [x, y, z],
        "spacing_mm": size,
        "planes": PLANES,
        "columns": columns,
        "sources": [_mosaic(volume, columns) for volume in data.values()],
        # A file of this package, not of a user.
        "script": Markup(  # nosec B704
            files("medvae.report").joinpath("viewer.js").read_text(encoding="utf-8")
        ),
    }


def _halved(volume: NDArray[np.floating]) -> NDArray[np.floating]:
    x, y, z = (n - n % 2 for n in volume.shape)
    parts = volume[:x, :y, :z].reshape(x // 2, 2, y // 2, 2, z // 2, 2)
    return np.asarray(parts.mean(axis=(1, 3, 5)))


def _mosaic(volume: NDArray[np.floating], columns: int) -> str:
    """All axial planes side by side in one grey PNG: x to the right, y downwards."""
    x, y, z = volume.shape
    rows = math.ceil(z / columns)
    sheet = np.zeros((rows * y, columns * x))
    for k in range(z):
        row, column = divmod(k, columns)
        plane = np.nan_to_num(volume[:, :, k]).T
        sheet[row * y : (row + 1) * y, column * x : (column + 1) * x] = plane
    low, high = WINDOW
    grey = np.rint(255 * (np.clip(sheet, low, high) - low) / (high - low))
    out = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(out, format="png")
    return png_address(out.getvalue())
