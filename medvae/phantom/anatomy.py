"""One person's head: the average head deformed, aged and given its own folds."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medvae.phantom.head import Head, average_head
from medvae.phantom.splines import smooth_field
from medvae.phantom.tissues import TISSUES, Constitution
from medvae.threads import one_thread

AGES = (18.0, 80.0)
"""Youngest and oldest person, in years; ages are uniform between them."""

_WM, _GM, _CSF = (TISSUES.index(name) for name in ("wm", "gm", "csf"))


@dataclass(frozen=True)
class Anatomy:
    """What a scanner finds when this person lies in it.

    Args:
        tissues: ``(7, X, Y, Z)`` uint8, volume share of ``TISSUES`` in 255ths; the
            rest of a voxel is air.
        texture: ``(X, Y, Z)`` float16 factor on proton density, 2 % around 1.
        axes_mm: World positions of the grid planes (x right, y front, z up).
        spacing_mm: Grid spacing, isotropic.
        constitution: How this person's tissues relax.
        age: Years.
        sex: ``"F"`` or ``"M"``.

    Example:
        >>> head = anatomy(seed=0, subject="T01", spacing_mm=8.0)
        >>> head.tissues.shape[0], 18 <= head.age <= 80
        (7, True)
    """

    tissues: np.ndarray
    texture: np.ndarray
    axes_mm: tuple[np.ndarray, np.ndarray, np.ndarray]
    spacing_mm: float
    constitution: Constitution
    age: float
    sex: str

    def volume_ml(self, tissue: str) -> float:
        """How much of one tissue the head holds, in millilitres."""
        total = float(self.tissues[TISSUES.index(tissue)].sum(dtype=np.float64)) / 255
        return total * self.spacing_mm**3 / 1000


def subject_rng(seed: int, *words: str) -> np.random.Generator:
    """Generator that depends on the seed and on names, not on any order of calls.

    Example:
        >>> a, b = (subject_rng(1, "NYU01").integers(1000) for _ in range(2))
        >>> bool(a == b)
        True
    """
    return np.random.default_rng([seed, *(zlib.crc32(word.encode()) for word in words)])


def draw_person(seed: int, subject: str) -> tuple[float, str]:
    """Age in years (one decimal) and sex of a subject, from the seed and name alone.

    Example:
        >>> draw_person(0, "NYU01") == draw_person(0, "NYU01")
        True
    """
    rng = subject_rng(seed, subject, "person")
    return round(float(rng.uniform(*AGES)), 1), "FM"[int(rng.integers(2))]


@one_thread
def anatomy(
    seed: int,
    subject: str,
    *,
    age: float | None = None,
    sex: str | None = None,
    spacing_mm: float = 1.0,
) -> Anatomy:
    """The head of one subject; the same for every scanner that images it.

    Size and shape vary smoothly (head size also with sex), then folds are displaced
    by a finer field added to the tissue log-odds. Age works through ventricles that
    widen, cortex that gives way to CSF, and white-matter T1 (see ``Constitution``).

    Two strengths were tuned, not measured, so that PCA and ridge regression read age
    from some 40 scans of one site: age acts more than in life (CSF grows about
    2.8-fold from 20 to 75 years), and head size spreads less (1.2 % per axis, and 2 %
    between the sexes). Age errors on the phantom therefore say nothing about patients.

    Args:
        seed: Seed of the cohort.
        subject: Name within the cohort.
        age: Years; by default the one that seed and name draw.
        sex: ``"F"`` or ``"M"``; likewise.
        spacing_mm: Grid on which the head is described.

    Example:
        >>> young, old = (anatomy(0, "T01", age=a, spacing_mm=6.0) for a in (20, 75))
        >>> old.volume_ml("csf") > young.volume_ml("csf")
        True
    """
    drawn_age, drawn_sex = draw_person(seed, subject)
    age = drawn_age if age is None else float(age)
    sex = drawn_sex if sex is None else sex
    if sex not in ("F", "M"):
        raise ValueError(f"sex must be 'F' or 'M', got {sex!r}.")
    rng = subject_rng(seed, subject, "anatomy")
    head = average_head(spacing_mm)
    decades = (age - 45) / 20
    tissues = _warped(head, decades, sex, rng)
    return Anatomy(
        tissues=tissues,
        texture=_texture(head, rng),
        axes_mm=head.axes_mm,
        spacing_mm=spacing_mm,
        constitution=Constitution.draw(age, rng),
        age=age,
        sex=sex,
    )


def _warped(
    head: Head, decades: float, sex: str, rng: np.random.Generator
) -> np.ndarray:
    places = _source_voxels(head, decades, sex, rng)
    folds = [0.8 * smooth_field(head.axes_mm, 8.0, rng) for _ in range(2)]
    growth = rng.normal(scale=(0.25, 0.12))
    occupied = _sample(_dilated(head), places, order=0) > 0
    places = places[:, occupied]
    shares = np.stack([_sample(tissue, places) for tissue in head.tissues])
    in_brain = shares[[_WM, _GM, _CSF]].sum(0) > 2
    inner = places[:, in_brain]
    ventricles, mantle = (
        _sample(m, inner) / 255 for m in (head.ventricles, head.mantle)
    )
    loss = np.stack(
        [
            np.zeros_like(ventricles),
            folds[0][occupied][in_brain],
            folds[1][occupied][in_brain]
            + ventricles * np.float32(2.0 * decades + growth[0])
            + mantle * np.float32(1.3 * decades + growth[1]),
        ]
    )
    brain = np.ix_(np.array([_WM, _GM, _CSF]), np.flatnonzero(in_brain))
    shares[brain] = _shift_odds(shares[brain], loss, head.spacing_mm)
    tissues = np.zeros(head.tissues.shape, dtype=np.uint8)
    tissues[:, occupied] = np.round(shares.clip(0, 255)).astype(np.uint8)
    return tissues


def _source_voxels(
    head: Head, decades: float, sex: str, rng: np.random.Generator
) -> np.ndarray:
    """Voxel of the average head that each voxel of the subject comes from, (3, ...)."""
    axes = head.axes_mm
    scale = 1 + 0.012 * rng.standard_normal(3) + (0.01 if sex == "M" else -0.01)
    widening = max(0.26 * decades + 0.03 * rng.standard_normal(), -0.35)
    grid = np.meshgrid(
        *(a.astype(np.float32) for a in axes), indexing="ij", sparse=True
    )
    centre = (0.0, -15.0, 14.0)
    reach = sum(((g - c) / 30) ** 2 for g, c in zip(grid, centre, strict=True))
    pull = np.float32(widening) * np.exp(-0.5 * reach)
    places = np.empty((3, *head.ventricles.shape), dtype=np.float32)
    for axis, (g, c) in enumerate(zip(grid, centre, strict=True)):
        shift = 1.5 * smooth_field(axes, 40.0, rng) + 0.8 * smooth_field(
            axes, 16.0, rng
        )
        source_mm = g / np.float32(scale[axis]) + shift - pull * (g - c)
        places[axis] = (source_mm - axes[axis][0]) / head.spacing_mm
    return places


def _dilated(head: Head) -> np.ndarray:
    present = head.tissues.any(axis=0)
    grown: np.ndarray = ndimage.binary_dilation(present, iterations=1)
    return grown.astype(np.uint8)


def _sample(values: np.ndarray, places: np.ndarray, order: int = 1) -> np.ndarray:
    sampled: np.ndarray = ndimage.map_coordinates(
        values, places, order=order, output=np.float32, mode="nearest"
    )
    return sampled


def _shift_odds(shares: np.ndarray, shift: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Move the log-odds of wm, gm, csf, and sharpen what averaging people blurred."""
    sharpen = 1 + 2.5 / max(spacing_mm, 1.0)
    total = shares.sum(0)
    odds = (shares / np.maximum(total, 1) + 1e-3) ** sharpen * np.exp(shift)
    result: np.ndarray = odds / odds.sum(0) * total
    return result


def _texture(head: Head, rng: np.random.Generator) -> np.ndarray:
    slow, quick = (smooth_field(head.axes_mm, knot, rng) for knot in (24.0, 9.0))
    return (1 + 0.030 * slow + 0.025 * quick).astype(np.float16)
