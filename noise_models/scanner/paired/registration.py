"""Laying one scan of a head over another scan of the same head, on another scanner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from noise_models.scanner.blocks import block_factors, block_means, spread
from noise_models.scanner.head import Head, find_head

BLOCK_MM = 2.0  # registration needs no finer grid: the optimum lies between voxels
SMOOTH_MM = 1.0  # SD; more would leave only the shape of the head, which is round
SKULL_MM = 8.0  # the mask reaches this far out of the brain: rigid, without the neck
BINS = 40
STEPS = 200
SAMPLED = 0.3  # share of the voxels, on a regular lattice
# One phantom head reads .85 to .98, in voxels three times as large .76 to .88. Two
# heads read .45 to .65, two of the simulated heads of the tests .76.
LEAST_LIKENESS = 0.8
MOST_TURNED_DEGREES = 45.0

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Rigid:
    """Where a point of scan A lies in scan B: ``y = turn @ x + shift_mm``.

    Points are in mm from the first voxel of each scan, in RAS order.

    Attributes:
        turn: Rotation matrix, (3, 3).
        shift_mm: Translation.
        likeness: Correlation ratio of the two scans once laid over each other: the
            share of B's variance that A's intensity explains.

    Example:
        >>> still = Rigid(((1, 0, 0), (0, 1, 0), (0, 0, 1)), (0, 0, 2.5), 1.0)
        >>> still.points(np.array([[1.0, 2.0, 3.0]])).tolist()
        [[1.0, 2.0, 5.5]]
    """

    turn: tuple[tuple[float, ...], ...]
    shift_mm: tuple[float, float, float]
    likeness: float

    def points(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 3) of A, in B."""
        return np.asarray(x @ np.array(self.turn).T + np.array(self.shift_mm))

    def inverse(self) -> Rigid:
        """Where a point of B lies in A."""
        back = np.array(self.turn).T
        x, y, z = (float(v) for v in -back @ np.array(self.shift_mm))
        return Rigid(tuple(map(tuple, back.tolist())), (x, y, z), self.likeness)

    @property
    def degrees(self) -> float:
        """How far the head is turned."""
        cosine = (np.trace(np.array(self.turn)) - 1) / 2
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))

    @property
    def problem(self) -> str:
        """Why the two scans do not show one head; empty when they do."""
        if self.degrees > MOST_TURNED_DEGREES:
            return f"turned by {self.degrees:.0f} degrees"
        if self.likeness < LEAST_LIKENESS:
            return f"correlation ratio {self.likeness:.2f} below {LEAST_LIKENESS}"
        return ""


def register(
    fixed: Array, fixed_mm: Sequence[float], moving: Array, moving_mm: Sequence[float]
) -> Rigid:
    """The rigid motion that takes the head of ``fixed`` to that of ``moving``.

    Mutual information (Mattes et al. 2003, doi:10.1109/TMI.2003.809072), because the
    contrast of two scanners differs, of block means around the brain, coarse to fine,
    from a start where the centres of both heads meet. One thread, a regular lattice
    of voxels: the same scans give the same motion.

    Args:
        fixed: Scan A, ``(X, Y, Z)``, RAS order, any gain; best without its shading,
            which would pull at the head (1 mm where it differs by 20 %).
        fixed_mm: Its voxel size.
        moving: Scan B.
        moving_mm: Its voxel size.

    Raises:
        ImportError: SimpleITK is missing.
        ValueError: One of them shows no head.

    Example:
        >>> register.__name__
        'register'
    """
    itk = _simple_itk()
    heads = find_head(fixed, fixed_mm), find_head(moving, moving_mm)
    a, b = _coarse(itk, fixed, fixed_mm), _coarse(itk, moving, moving_mm)
    mask = _rigid_part(heads[0], a)
    centres = [
        np.array(head.centre_voxels) * np.array(step, dtype=float)
        for head, step in zip(heads, (fixed_mm, moving_mm), strict=True)
    ]
    motion = itk.VersorRigid3DTransform()
    motion.SetCenter(centres[0].tolist())
    motion.SetTranslation((centres[1] - centres[0]).tolist())
    method = itk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(SAMPLED, 1)  # seed; 0 would be the clock
    method.SetMetricFixedMask(_image(itk, mask.astype(np.uint8), like=a))
    method.SetInterpolator(itk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, STEPS)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([2 * SMOOTH_MM, SMOOTH_MM])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(motion, inPlace=True)
    with _one_thread(itk):
        method.Execute(a, b)
    return _rigid(itk, motion, a, b, mask)


def pulled(
    volume: Array,
    volume_mm: Sequence[float],
    motion: Rigid,
    shape: Sequence[int],
    grid_mm: Sequence[float],
    *,
    first_mm: tuple[Sequence[float], Sequence[float]] = ((0, 0, 0), (0, 0, 0)),
) -> NDArray[np.float32]:
    """Scan B on a grid of A: at every voxel of the grid, B where ``motion`` leads.

    Cubic spline; 0 outside of B.

    Args:
        volume: B, or block means of it, ``(X, Y, Z)``.
        volume_mm: Its voxel size.
        motion: From A to B.
        shape: Size of the grid.
        grid_mm: Voxel size of the grid.
        first_mm: Where the first voxels of the grid and of ``volume`` lie, in mm
            from the first voxels of the scans.

    Example:
        >>> still = Rigid(((1, 0, 0), (0, 1, 0), (0, 0, 1)), (0, 0, 2.0), 1.0)
        >>> x = np.arange(5.0)[None, None] * np.ones((5, 5, 1))
        >>> pulled(x, (1, 1, 1), still, (5, 5, 3), (1, 1, 1))[2, 2].round(3).tolist()
        [2.0, 3.0, 4.0]
    """
    step, grid = np.array(volume_mm, float), np.array(grid_mm, float)
    turn, (start_a, start_b) = np.array(motion.turn), np.array(first_mm, float)
    offset = (turn @ start_a + np.array(motion.shift_mm) - start_b) / step
    matrix = turn * grid / step[:, None]
    found: NDArray[np.float32] = ndimage.affine_transform(
        np.asarray(volume, np.float32),
        matrix,
        offset,
        output_shape=tuple(shape),
        order=3,
    )
    return found


def _simple_itk() -> Any:  # noqa: ANN401 (an optional module without types)
    try:
        import SimpleITK
    except ImportError as error:
        raise ImportError(
            "registration of travelers needs SimpleITK. "
            "Install it with: pip install 'medvae-denoise[itk]'"
        ) from error
    return SimpleITK


@contextmanager
def _one_thread(itk: Any) -> Iterator[None]:  # noqa: ANN401
    """Several threads would sum in any order; the metric takes the global setting."""
    before = itk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    itk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        itk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _coarse(itk: Any, scan: Array, spacing_mm: Sequence[float]) -> Any:  # noqa: ANN401
    """Block means of a scan as an image whose points are mm from its first voxel."""
    factors = block_factors(spacing_mm, BLOCK_MM)
    blocks = block_means(scan, factors)
    image = itk.GetImageFromArray(np.ascontiguousarray(blocks.T))
    image.SetSpacing([f * float(s) for f, s in zip(factors, spacing_mm, strict=True)])
    image.SetOrigin(
        [(f - 1) / 2 * float(s) for f, s in zip(factors, spacing_mm, strict=True)]
    )
    return image


def _image(itk: Any, data: NDArray[Any], *, like: Any) -> Any:  # noqa: ANN401
    image = itk.GetImageFromArray(np.ascontiguousarray(data.T))
    image.CopyInformation(like)
    return image


def _rigid_part(head: Head, image: Any) -> NDArray[np.bool_]:  # noqa: ANN401
    """Brain and skull on the grid of ``image``."""
    inner = head.brain if head.brain.any() else head.mask
    reach = ndimage.distance_transform_edt(~inner, sampling=head.spacing_mm)
    steps = zip(head.spacing_mm, image.GetSpacing(), strict=True)
    ratio = [block / step for block, step in steps]
    return spread(np.asarray(reach <= SKULL_MM), image.GetSize(), ratio)


def _rigid(
    itk: Any,  # noqa: ANN401
    motion: Any,  # noqa: ANN401
    a: Any,  # noqa: ANN401
    b: Any,  # noqa: ANN401
    mask: NDArray[np.bool_],
) -> Rigid:
    turn = np.array(motion.GetMatrix()).reshape(3, 3)
    x, y, z = (float(v) for v in motion.TransformPoint((0.0, 0.0, 0.0)))
    smooth = (itk.SmoothingRecursiveGaussian(image, SMOOTH_MM) for image in (a, b))
    seen_a = next(smooth)
    seen_b = itk.Resample(next(smooth), a, motion, itk.sitkLinear, -1.0)
    one, other = (itk.GetArrayFromImage(v).T[mask] for v in (seen_a, seen_b))
    inside = other >= 0
    is_covered = float(inside.mean()) > 0.5
    likeness = correlation_ratio(one[inside], other[inside]) if is_covered else 0.0
    rows = tuple(tuple(float(v) for v in row) for row in turn)
    return Rigid(rows, (x, y, z), likeness)


def correlation_ratio(x: Array, y: Array, bins: int = 32) -> float:
    """Share of the variance of ``y`` that a free function of ``x`` explains.

    Roche et al. 1998, doi:10.1007/BFb0056301.

    Example:
        >>> x = np.linspace(-1, 1, 640)
        >>> round(correlation_ratio(x, x**2), 2), round(correlation_ratio(x, x * 0), 2)
        (1.0, 0.0)
    """
    order = np.argsort(x, kind="stable")
    groups = np.array_split(np.asarray(y, float)[order], bins)
    total = float(np.var(y))
    if total == 0:
        return 0.0
    within = sum(len(group) * float(np.var(group)) for group in groups if len(group))
    return 1 - within / (len(x) * total)
