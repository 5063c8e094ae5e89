"""Corrupting a scan on its own grid, to look at or to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import numpy.typing as npt
import torch

from medvae.errors import UserError
from medvae.files import atomic_path
from medvae.report.sides import LEGEND, PLANES, mark, turned
from medvae.volume import foreground_mask, read_volume, reference_level
from medvae.volume.nifti import Volume
from medvae.volume.prepare import refuse_unusable
from noise_models.base import NoiseModel, Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = npt.NDArray[np.float32]


def corrupt_scan(
    noise: NoiseModel, path: Path, *, seed: int = 0, source: object = None
) -> tuple[FloatArray, nib.Nifti1Image]:
    """Corrupt one scan on its native grid.

    The scan is divided by its reference level (white matter, else the foreground
    median), corrupted with its own voxel size, and multiplied back. A fitted noise is
    laid over its head. What the scan shows beyond the ends of the noise's target is 0.

    Args:
        noise: The corruption.
        path: A NIfTI file.
        seed: Decides the draw.
        source: What is known of its scanner, for a fitted noise.

    Returns:
        The clean volume (X, Y, Z, RAS+), and the corrupted image, float32, with the
        shape, orientation and affine of the file.

    Raises:
        UserError: The scan cannot be read or has no foreground, or the corrupted one
            has voxels that are not finite.
    """
    volume = read_volume(path)
    refuse_unusable(volume)
    try:
        head = foreground_mask(volume.data, volume.spacing_mm)
        level = reference_level(volume.data, head, volume.spacing_mm).level
    except ValueError as error:
        raise UserError(f"{path}: {error}. Remove the scan.") from None
    rng = torch.Generator().manual_seed(seed)
    params = noise.draw(1, rng, source=[source])
    if any(key.endswith("shape_source") for key in params):
        params = _laid_over_the_head(params, volume)
    x = torch.from_numpy(np.maximum(volume.data / np.float32(level), 0))[None, None]
    y = noise.apply(x, params, rng, spacing_mm=volume.spacing_mm)
    with np.errstate(over="ignore"):  # what is not finite is refused
        data = y[0, 0].numpy() * np.float32(level)
    if not np.isfinite(data).all():
        raise UserError(
            f"{path}: {noise.name} makes voxels that are not finite. Lower its levels."
        )
    return volume.data, volume.source.image(data)


def same_scan(path: Path) -> nib.Nifti1Image:
    """A scan as it is: as :func:`corrupt_scan` writes it, with no voxel changed.

    Args:
        path: A NIfTI file.

    Raises:
        UserError: The scan cannot be read, or corrupted.
    """
    volume = read_volume(path)
    refuse_unusable(volume)
    return volume.source.image(volume.data)


def _laid_over_the_head(params: Params, volume: Volume) -> Params:
    from noise_models.scanner.fields import placed_at
    from noise_models.scanner.head import find_head

    try:
        head = find_head(volume.data, volume.spacing_mm)
    except ValueError as error:
        raise UserError(f"{volume.name}: {error}. Remove the scan.") from None
    return placed_at(params, volume.data.shape, head.centre_voxels)


def preview(
    noise: NoiseModel, title: str, path: Path, picture: Path, *, seeds: Sequence[int]
) -> None:
    """Draw a scan beside several corruptions of it, one PNG; see `planes_figure`."""
    from medvae.report.canvas import any_letters, plain

    draws = [corrupt_scan(noise, path, seed=seed) for seed in seeds]
    images = [nib.as_closest_canonical(image) for _, image in draws]
    columns = {"as scanned": draws[0][0]} | {
        f"draw {seed}": np.asarray(image.dataobj, np.float32)
        for seed, image in zip(seeds, images, strict=True)
    }
    figure = planes_figure(columns, images[0].header.get_zooms()[:3])
    figure.suptitle(plain(f"{title}: {path.name}"), fontsize=12)
    with atomic_path(picture) as partial, any_letters():
        figure.savefig(partial, format="png", dpi=110)


def planes_figure(
    volumes: Mapping[str, FloatArray], spacing_mm: Sequence[float]
) -> Figure:
    """Three planes through the middle of every volume, a column each.

    All panels share the grey scale of the first; letters say which side is which.

    Args:
        volumes: By title, (X, Y, Z), RAS+, of one shape.
        spacing_mm: Voxel size.
    """
    from matplotlib.figure import Figure

    top = float(np.percentile(next(iter(volumes.values())), 99.5))
    figure = Figure(figsize=(2.6 * len(volumes), 8.2), layout="constrained")
    axes = figure.subplots(len(PLANES), len(volumes), squeeze=False)
    for column, (title, volume) in zip(axes.T, volumes.items(), strict=True):
        for shown, (axis, sides) in zip(column, PLANES.values(), strict=True):
            across, up = (spacing_mm[a] for a in range(3) if a != axis)
            plane = turned(volume.take(volume.shape[axis] // 2, axis))
            shown.imshow(plane, cmap="gray", vmin=0, vmax=top, aspect=up / across)
            shown.set_axis_off()
            mark(shown, sides)
        column[0].set_title(title, fontsize=11)
    figure.supxlabel(LEGEND, fontsize=10)
    return figure
