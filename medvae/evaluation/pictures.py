"""Rows of pictures: a scan of each site, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medvae.evaluation.harmonising import harmonised
from medvae.evaluation.latents import EncoderLike, PreparedScan
from medvae.evaluation.report import Picture
from medvae.files import atomic_path
from medvae.report.sides import LEFT_RIGHT, PLANES, mark, turned
from noise_models.base import NoiseModel


def choose_scans(scans: Sequence[PreparedScan]) -> list[PreparedScan]:
    """One scan a site, of one traveler where somebody has been at several sites."""
    visits: dict[str, dict[str, PreparedScan]] = {}
    for scan in scans:
        if scan.site is not None and scan.split == "test":
            visits.setdefault(scan.subject, {}).setdefault(scan.site, scan)
    chosen: dict[str, PreparedScan] = {}
    for seen in sorted(visits.values(), key=len, reverse=True):
        for site, scan in seen.items():
            chosen.setdefault(site, scan)
    return [chosen[site] for site in sorted(chosen)]


def pictures(
    encoders: Mapping[str, EncoderLike],
    scans: Sequence[PreparedScan],
    noise: NoiseModel,
    target: str | None,
) -> list[Picture]:
    """As scanned, corrupted, reconstructed, and decoded as another site's scan.

    Args:
        encoders: By name of the run; the first one reconstructs.
        scans: One a row.
        noise: What the first run was trained with.
        target: The training site that every scan is decoded to; None for the average.
    """
    rows = [
        _row(encoders, scan, noise, target, number) for number, scan in enumerate(scans)
    ]
    known = next(iter(encoders.values())).sites
    return keep_one(rows, [scan.site not in known for scan in scans])


def picture_of(
    label: str, panels: Mapping[str, Tensor], spacing_mm: Sequence[float]
) -> Picture:
    """One row, with the slice of every volume and the volumes themselves.

    Args:
        label: Whose scan, from where.
        panels: By caption, (1, 1, X, Y, Z) in reference units.
        spacing_mm: Voxel size.
    """
    volumes = {name: image[0, 0].cpu().numpy() for name, image in panels.items()}
    slices = {name: _slice(volume) for name, volume in volumes.items()}
    return Picture(label, slices, volumes, tuple(spacing_mm))


def keep_one(rows: Sequence[Picture], unseen: Sequence[bool]) -> list[Picture]:
    """The rows; the first of an unseen site alone keeps volumes, enough for a page.

    Example:
        >>> volumes = {"as scanned": np.zeros((2, 2, 2))}
        >>> rows = [Picture(label, {}, volumes) for label in "abc"]
        >>> [len(row.volumes) for row in keep_one(rows, [False, True, True])]
        [0, 1, 0]
    """
    shown = list(unseen).index(True) if any(unseen) else 0
    return [
        row if i == shown else replace(row, volumes={}) for i, row in enumerate(rows)
    ]


def _row(
    encoders: Mapping[str, EncoderLike],
    scan: PreparedScan,
    noise: NoiseModel,
    target: str | None,
    seed: int,
) -> Picture:
    lead = next(iter(encoders.values()))
    x = torch.from_numpy(np.array(scan.image, dtype=np.float32))[None, None]
    known = scan.site if scan.site in lead.sites else None
    fitted = known if known in getattr(noise, "labels", ()) else None
    rng = torch.Generator().manual_seed(seed)
    spacing = lead.grid.spacing_mm
    panels: dict[str, Tensor] = {
        "as scanned": x,
        "corrupted": noise(x, rng=rng, spacing_mm=spacing, source=[fitted]),
        "reconstructed": lead.decode_batch(lead.encode_batch(x)[0], known),
    }
    for name, encoder in encoders.items():
        z = encoder.encode_batch(x)[0]
        moved = encoder.decode_batch(z, target)
        if target is not None:
            made_at = scan.site if scan.site in encoder.sites else None
            stays = (
                x if scan.site == target else harmonised(encoder, x, target, [made_at])
            )
            panels[f"as {target}, detail kept ({name})"] = stays
        panels[f"as {target or 'the average site'}, decoded ({name})"] = moved
    label = f"{scan.subject} at {scan.site}" + ("" if known else " (unseen)")
    return picture_of(label, panels, spacing)


def _slice(volume: NDArray[np.float32]) -> NDArray[np.float32]:
    """The transverse slice just above the middle, where the ventricles are."""
    return volume[:, :, volume.shape[2] // 2 + 2]


def draw_sheet(path: Path, rows: Sequence[Picture]) -> None:
    """Write rows of pictures as one PNG, all in one grey scale."""
    from matplotlib.figure import Figure

    from medvae.report.canvas import any_letters, plain

    names = list(rows[0].panels)
    figure = Figure(figsize=(1.9 * len(names), 2.1 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(names), squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        for axis, name in zip(line, names, strict=True):
            axis.imshow(turned(row.panels[name]), cmap="gray", vmin=0, vmax=1.3)
            mark(axis, PLANES["axial"][1])
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        line[0].set_ylabel(plain(row.label.replace(" at ", "\nat ")), fontsize=9)
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(plain(name.replace(" (", "\n(")), fontsize=9)
    figure.supxlabel(LEFT_RIGHT, fontsize=9)
    with atomic_path(path) as partial, any_letters():
        figure.savefig(partial, format="png", dpi=90)
