"""The average head: MNI152 tissue maps, and a skull, scalp and face built round them.

nilearn ships the grey- and white-matter maps of ICBM152 2009a symmetric (Fonov 2011,
doi:10.1016/j.neuroimage.2010.07.033) but nothing outside the brain. What a scanner
sees there is painted from distances: layers parallel to the brain's envelope make
the skull, a few ellipsoids make face, neck, eyes and sinuses. Anatomists will find
it crude; for a scanner it has the right tissues at about the right places, and air.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from medvae.phantom.tissues import TISSUES

LOW_MM = np.array([-98.0, -134.0, -130.0])
HIGH_MM = np.array([98.0, 118.0, 106.0])
"""Corners of the working grid in MNI millimetres (x right, y front, z up)."""


@dataclass(frozen=True)
class Head:
    """Average head on a regular grid.

    Args:
        tissues: ``(7, X, Y, Z)`` uint8, volume share of each of ``TISSUES`` in 255ths.
        ventricles: ``(X, Y, Z)`` uint8, where ventricles lie or may grow.
        mantle: ``(X, Y, Z)`` uint8, the outer 25 mm of the brain, where cortex is.
        spacing_mm: Isotropic grid spacing.
    """

    tissues: np.ndarray
    ventricles: np.ndarray
    mantle: np.ndarray
    spacing_mm: float

    @property
    def axes_mm(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """World coordinates of the grid planes along x, y and z."""
        return working_axes(self.spacing_mm)


def working_axes(spacing_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Plane positions of the working grid, in MNI millimetres.

    Example:
        >>> [len(axis) for axis in working_axes(2.0)]
        [99, 127, 119]
    """
    counts = np.round((HIGH_MM - LOW_MM) / spacing_mm).astype(int) + 1
    x, y, z = (
        low + spacing_mm * np.arange(count)
        for low, count in zip(LOW_MM, counts, strict=True)
    )
    return x, y, z


@lru_cache(maxsize=2)
def average_head(spacing_mm: float) -> Head:
    """The head that every subject is a deformation of.

    Example:
        >>> head = average_head(6.0)
        >>> bool(head.tissues[:, 0, 0, 0].sum() == 0)          # the corner is air
        True
    """
    brain = {name: _on_working_grid(name, spacing_mm) for name in ("mask", "gm", "wm")}
    depth = _envelope_distance(brain["mask"] > 0.5, spacing_mm)
    painter = _Painter(spacing_mm)
    _paint_soft_tissue(painter, depth)
    _paint_face(painter)
    _paint_skull(painter, depth)
    _paint_brain(painter, brain)
    csf = painter.shares[TISSUES.index("csf")]
    return Head(
        tissues=np.round(255 * painter.shares).astype(np.uint8),
        ventricles=_ventricles(painter, csf, depth, spacing_mm),
        mantle=np.round(255 * np.clip((depth + 30) / 10, 0, 1)).astype(np.uint8),
        spacing_mm=spacing_mm,
    )


def _on_working_grid(name: str, spacing_mm: float) -> np.ndarray:
    """One bundled map, averaged over the voxels of the working grid."""
    from nilearn import datasets

    loaders = {
        "mask": datasets.load_mni152_brain_mask,
        "gm": datasets.load_mni152_gm_template,
        "wm": datasets.load_mni152_wm_template,
    }
    image = loaders[name](resolution=1)
    values = np.asarray(image.dataobj, dtype=np.float32)
    for axis, target in enumerate(working_axes(spacing_mm)):
        source = image.affine[axis, 3] + np.arange(values.shape[axis])
        # Overlap in mm of each working voxel with each 1 mm voxel, or a linear tent.
        reach = (max(spacing_mm, 1.0) + 1.0) / 2
        overlap = np.clip(reach - np.abs(target[:, None] - source[None]), 0, 1)
        weights = (overlap / max(spacing_mm, 1.0)).astype(np.float32)
        values = np.moveaxis(np.tensordot(weights, values, (1, axis)), 0, axis)
    return np.ascontiguousarray(values)


def _envelope_distance(mask: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Signed distance in mm to the closed brain surface, negative inside."""
    closing_mm = 9.0
    near = ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= closing_mm
    envelope = ndimage.distance_transform_edt(near, sampling=spacing_mm) > closing_mm
    envelope |= mask
    outside = ndimage.distance_transform_edt(~envelope, sampling=spacing_mm)
    inside = ndimage.distance_transform_edt(envelope, sampling=spacing_mm)
    signed = (outside - inside).astype(np.float32)
    smooth: np.ndarray = ndimage.gaussian_filter(signed, 1.5 / spacing_mm)
    return smooth


class _Painter:
    """Lays tissues over one another, with soft edges one voxel wide."""

    def __init__(self, spacing_mm: float) -> None:
        self.spacing_mm = spacing_mm
        x, y, z = working_axes(spacing_mm)
        self.x, self.y, self.z = (
            x[:, None, None].astype(np.float32),
            y[None, :, None].astype(np.float32),
            z[None, None, :].astype(np.float32),
        )
        shape = (len(TISSUES), len(x), len(y), len(z))
        self.shares = np.zeros(shape, dtype=np.float32)

    def inside(self, distance_mm: np.ndarray) -> np.ndarray:
        """Share of each voxel on the negative side of a signed distance."""
        share: np.ndarray = np.clip(0.5 - distance_mm / self.spacing_mm, 0, 1)
        return share

    def ellipsoid(
        self, centre: tuple[float, float, float], radii: tuple[float, float, float]
    ) -> np.ndarray:
        """Approximate signed distance to an ellipsoid; x is mirrored about 0."""
        (cx, cy, cz), (rx, ry, rz) = centre, radii
        level: np.ndarray = np.sqrt(
            ((np.abs(self.x) - cx) / rx) ** 2
            + ((self.y - cy) / ry) ** 2
            + ((self.z - cz) / rz) ** 2
        )
        return (level - 1) * np.float32(min(radii))

    def column(self, cy: float, rx: float, ry: float, top: float) -> np.ndarray:
        """Signed distance to an upright elliptical column below ``top``."""
        level = np.sqrt((self.x / rx) ** 2 + ((self.y - cy) / ry) ** 2)
        side = (level - 1) * np.float32(min(rx, ry))
        column: np.ndarray = np.maximum(side, self.z - top)
        return column

    def paint(self, tissue: str | None, share: np.ndarray) -> None:
        """Cover with ``tissue`` (None is air) where ``share`` is 1."""
        self.shares *= 1 - share
        if tissue is not None:
            self.shares[TISSUES.index(tissue)] += share


def _paint_soft_tissue(painter: _Painter, depth: np.ndarray) -> None:
    temporal = np.exp(-0.5 * painter.ellipsoid((74, 22, -12), (24, 26, 26)).clip(0) / 4)
    surface = depth - (13 + 6 * temporal)
    for part in (
        painter.ellipsoid((0, 28, -58), (66, 63, 66)),  # face
        painter.ellipsoid((0, 50, -104), (46, 44, 26)),  # jaw
        painter.ellipsoid((0, 90, -54), (13, 20, 20)),  # nose
        painter.ellipsoid((86, -24, -36), (6, 15, 26)),  # ears
        painter.column(-34, 58, 60, -45),  # neck
    ):
        np.minimum(surface, part, out=surface)
    surface = ndimage.gaussian_filter(surface, 3.0 / painter.spacing_mm)
    painter.paint("muscle", painter.inside(surface))
    fat = painter.inside(surface + 2.0) - painter.inside(surface + 6.5)
    painter.paint("fat", fat)


def _paint_face(painter: _Painter) -> None:
    jaw = painter.ellipsoid((0, 48, -108), (38, 37, 15))
    painter.paint("bone", painter.inside(jaw) - painter.inside(jaw + 9))
    painter.paint("marrow", painter.inside(jaw + 2.5) - painter.inside(jaw + 6.5))
    for centre, radii in (
        ((26, 50, -56), (13, 16, 17)),  # maxillary sinuses
        ((0, 62, -48), (8, 30, 18)),  # nasal cavity
        ((0, 48, -32), (13, 20, 9)),  # ethmoid cells
        ((0, 16, -38), (13, 10, 10)),  # sphenoid sinus
        ((64, -28, -44), (7, 9, 12)),  # mastoid cells
    ):
        shape = painter.ellipsoid(centre, radii)
        painter.paint("bone", painter.inside(shape - 1.5))
        painter.paint(None, painter.inside(shape))
    painter.paint(None, painter.inside(painter.column(6, 10, 7, -60)))  # airway
    painter.paint("marrow", painter.inside(painter.column(-24, 15, 12, -78)))
    painter.paint("fat", painter.inside(painter.ellipsoid((32, 50, -35), (17, 26, 16))))
    eye = painter.ellipsoid((32, 65, -35), (12, 12, 12))
    painter.paint("muscle", painter.inside(eye - 1.5))
    painter.paint("csf", painter.inside(eye))  # the vitreous relaxes like water


def _paint_skull(painter: _Painter, depth: np.ndarray) -> None:
    vault = np.clip((painter.z + 45) / 15, 0, 1)
    painter.paint("bone", painter.inside(depth - (6 + 2 * vault)))
    diploe = painter.inside(depth - 6.0) - painter.inside(depth - 3.2)
    painter.paint("marrow", diploe * vault)
    painter.paint("csf", painter.inside(depth - 1.0))


def _paint_brain(painter: _Painter, brain: dict[str, np.ndarray]) -> None:
    canal = painter.column(-46, 10, 10, -66)
    painter.paint("bone", painter.inside(canal - 3))
    painter.paint("csf", painter.inside(canal))
    cord = painter.inside(painter.column(-46, 6, 5, -70))
    painter.paint("wm", cord)
    total = np.maximum(brain["gm"] + brain["wm"], 1.0)
    shares = brain["gm"] / total, brain["wm"] / total
    painter.shares *= 1 - np.clip(shares[0] + shares[1], 0, 1)
    painter.shares[TISSUES.index("gm")] += shares[0]
    painter.shares[TISSUES.index("wm")] += shares[1]


def _ventricles(
    painter: _Painter, csf: np.ndarray, depth: np.ndarray, spacing_mm: float
) -> np.ndarray:
    deep = csf * np.clip((-depth - 22) / 6, 0, 1)
    deep = deep * (np.abs(painter.x) < 42) * (painter.z > -18)
    spread = ndimage.gaussian_filter(deep.astype(np.float32), 4.0 / spacing_mm)
    levels: np.ndarray = np.round(255 * np.clip(3 * spread, 0, 1))
    return levels.astype(np.uint8)
