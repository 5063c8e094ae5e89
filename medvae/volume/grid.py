"""The training grid, and the exact way between it and a scan's own grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medvae.volume.header import MAX_VOXELS, affine_problem
from medvae.volume.resampling import noise_gain, resample

FloatArray = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]

CENTRE_BELOW_VERTEX_MM = 90.0
"""Middle of an adult brain: it reaches from about 15 to 165 mm below the vertex."""
_CRANIUM_MM = 130.0  # below the vertex; above the nose tip and the neck
_HEAD_MM = 100.0  # a foreground lower than this is not a whole head
_TOP_AREA_MM2 = 600.0  # less foreground than this is noise, or hair
_TOP_SLAB_MM = 4.0
_SCALP_MM = 10.0  # skin and skull, which a low grid may lose


@dataclass(frozen=True)
class Grid:
    """The grid every scan is brought to: axes right, anterior, superior.

    Args:
        shape: Voxels along each axis.
        spacing_mm: Voxel size along each axis, mm.

    Example:
        >>> Grid((48, 56, 48), (4.0, 4.0, 4.0)).extent_mm
        (192.0, 224.0, 192.0)
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"shape must be three positive sizes, got {self.shape}")
        if len(self.spacing_mm) != 3 or not min(self.spacing_mm) > 0:
            raise ValueError(f"spacing_mm must be positive, got {self.spacing_mm}")

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Size of the field of view, mm."""
        x, y, z = (
            float(n * s) for n, s in zip(self.shape, self.spacing_mm, strict=True)
        )
        return x, y, z

    def affine_at(self, centre_mm: FloatArray) -> FloatArray:
        """Grid voxel to world, with the middle of the grid at ``centre_mm`` (RAS)."""
        affine = np.diag([*self.spacing_mm, 1.0])
        middle = (np.array(self.shape) - 1) / 2
        affine[:3, 3] = np.asarray(centre_mm) - np.array(self.spacing_mm) * middle
        return affine


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the training grid lies in one scan, exactly, both ways.

    Args:
        grid: The training grid.
        grid_affine: Grid voxel to world (RAS, mm), 4x4.
        native_shape: Size of the RAS+ scan.
        native_affine: Scan voxel to world (RAS, mm), 4x4.

    Example:
        >>> grid = Grid((4, 4, 4), (2.0, 2.0, 2.0))
        >>> here = Placement(grid, grid.affine_at(np.zeros(3)), (8, 8, 8), np.eye(4))
        >>> here.matrix[:3, 3]            # the grid's first voxel, in scan voxels
        array([-3., -3., -3.])
    """

    grid: Grid
    grid_affine: FloatArray
    native_shape: tuple[int, int, int]
    native_affine: FloatArray

    @property
    def matrix(self) -> FloatArray:
        """Grid voxel to scan voxel, 4x4."""
        return np.asarray(np.linalg.solve(self.native_affine, self.grid_affine))

    def to_grid(self, data: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Bring a scan (X, Y, Z, RAS+) to the training grid; outside it is 0."""
        if data.shape != self.native_shape:
            raise ValueError(f"expected shape {self.native_shape}, got {data.shape}")
        return resample(data, self.matrix, self.grid.shape)

    def to_native(self, grid_data: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Bring an array on the training grid back to the scan's; outside it is 0."""
        if grid_data.shape != self.grid.shape:
            raise ValueError(f"expected shape {self.grid.shape}, got {grid_data.shape}")
        back = np.linalg.inv(self.matrix)
        return resample(grid_data, back, self.native_shape)

    def noise_gain(self) -> float:
        """Std of white noise on the grid over its std in the scan.

        The root mean square over the grid of sqrt(sum w^2), w the resampling
        weights, where the scan covers the grid; air of a magnitude image, being
        neither Gaussian nor zero-mean, obeys it for its fluctuation only.
        """
        return noise_gain(self.matrix, self.grid.shape, self.native_shape)

    def as_dict(self) -> dict[str, Any]:
        """Plain lists, for JSON; :meth:`from_dict` gives back the same numbers."""
        return {
            "grid_shape": list(self.grid.shape),
            "grid_spacing_mm": list(self.grid.spacing_mm),
            "grid_affine": self.grid_affine.tolist(),
            "native_shape": list(self.native_shape),
            "native_affine": self.native_affine.tolist(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Placement:
        """Rebuild what :meth:`as_dict` wrote."""
        x, y, z = (int(n) for n in content["grid_shape"])
        i, j, k = (float(s) for s in content["grid_spacing_mm"])
        a, b, c = (int(n) for n in content["native_shape"])
        if not 0 < a * b * c <= MAX_VOXELS or min(a, b, c) < 1:
            raise ValueError(f"native_shape must be that of a scan, got {(a, b, c)}")
        return cls(
            Grid((x, y, z), (i, j, k)),
            _affine(content, "grid_affine"),
            (a, b, c),
            _affine(content, "native_affine"),
        )


def _affine(content: Mapping[str, Any], key: str) -> FloatArray:
    affine = np.asarray(content[key], dtype=float)
    problem = affine_problem(affine)
    if problem:
        raise ValueError(f"{key}: {problem}")
    return affine


def place_on_head(affine: FloatArray, foreground: Mask, grid: Grid) -> Placement:
    """Lay the grid over the head so that heads of all sites lie alike.

    Fields of view cut the neck anywhere, so the centroid of the foreground moves
    with them. The vertex does not: the centre is 90 mm below it (less when the
    grid is too low to keep the brain's top inside), and in the middle of the cranium,
    the uppermost 130 mm, from left to right and from front to back.

    Args:
        affine: Scan voxel to world (RAS, mm), 4x4.
        foreground: The head, on the scan's RAS+ grid.
        grid: The training grid.

    Raises:
        ValueError: The foreground is empty.
    """
    centre = head_centre_mm(affine, foreground, grid.extent_mm[2])
    x, y, z = foreground.shape
    return Placement(grid, grid.affine_at(centre), (x, y, z), np.asarray(affine))


def covering(placement: Placement, multiple: int) -> Placement:
    """A larger grid on the same lattice that holds the whole scan.

    It grows from the given grid by whole multiples, so that the places of a latent
    map stay where they were.

    Args:
        placement: The training grid in a scan.
        multiple: Voxels by which each side may grow.

    Example:
        >>> grid = Grid((4, 4, 4), (2.0, 2.0, 2.0))
        >>> small = Placement(grid, grid.affine_at(np.zeros(3)), (20, 4, 4), np.eye(4))
        >>> covering(small, 4).grid.shape
        (12, 4, 4)
    """
    corners = np.array(
        [
            [(-0.5, n - 0.5)[b >> a & 1] for a, n in enumerate(placement.native_shape)]
            for b in range(8)
        ]
    )
    back = np.linalg.inv(placement.matrix)
    reached = corners @ back[:3, :3].T + back[:3, 3]
    shape = np.array(placement.grid.shape)
    before = np.ceil((-0.5 - reached.min(axis=0)) / multiple - 1e-6)
    after = np.ceil((reached.max(axis=0) - shape + 0.5) / multiple - 1e-6)
    before, after = (np.maximum(n, 0).astype(int) * multiple for n in (before, after))
    x, y, z = (int(n) for n in shape + before + after)
    affine = placement.grid_affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ before
    grid = Grid((x, y, z), placement.grid.spacing_mm)
    return Placement(grid, affine, placement.native_shape, placement.native_affine)


def head_centre_mm(
    affine: FloatArray, foreground: Mask, height_mm: float = 2 * CENTRE_BELOW_VERTEX_MM
) -> FloatArray:
    """Centre of the head in world mm (RAS); see :func:`place_on_head`."""
    points, volume_mm3 = _world_points(affine, foreground)
    top = _vertex_mm(points[:, 2], volume_mm3)
    cranium = points[points[:, 2] > top - _CRANIUM_MM]
    low, high = np.quantile(cranium[:, :2], [0.01, 0.99], axis=0)
    reach = top - np.quantile(points[:, 2], 0.005)
    below = CENTRE_BELOW_VERTEX_MM if reach >= _HEAD_MM else reach / 2
    below = min(below, height_mm / 2 + _SCALP_MM)
    return np.array([*((low + high) / 2), top - below])


def _world_points(affine: FloatArray, foreground: Mask) -> tuple[FloatArray, float]:
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    steps = np.maximum(1, np.round(2.0 / spacing)).astype(int)
    thinned = foreground[:: steps[0], :: steps[1], :: steps[2]]
    voxels = np.argwhere(thinned) * steps
    if len(voxels) == 0:
        raise ValueError("the foreground is empty")
    points = voxels @ affine[:3, :3].T + affine[:3, 3]
    return points, float(abs(np.linalg.det(affine[:3, :3])) * np.prod(steps))


def _vertex_mm(heights: FloatArray, volume_mm3: float) -> float:
    """Height of the vertex: where the head, seen from above, first has an area."""
    downwards = np.sort(heights)[::-1]
    needed = int(min(_TOP_AREA_MM2 * _TOP_SLAB_MM / volume_mm3, 0.01 * len(heights)))
    reached = downwards[: len(heights) - needed] - downwards[needed:]
    return float(downwards[int(np.argmax(reached <= _TOP_SLAB_MM))])
