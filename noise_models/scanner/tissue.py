"""Tissue contrast and shading of one scan, fitted together inside the brain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from noise_models.cosine import cosine_basis, cosine_rows, cosine_terms
from noise_models.scanner.blocks import block_factors, block_means, spread
from noise_models.scanner.head import Head
from noise_models.scanner.mixture import Classes, fit_classes, start_classes

BIAS_ORDER = 3
BIAS_EXTENT_MM = 240.0  # of the box that the cosines of the shading span
BIAS_PRIOR = 0.15  # SD of a first-order coefficient; falls as 1 / order

# Ellipsoids in a head: semi-axes along x, y and z, and height over the head's centre.
WHITE_MATTER_MM = (50.0, 65.0, 45.0, 12.0)
VENTRICLES_MM = (40.0, 60.0, 35.0, 15.0)

# Which blocks of the brain take part in the fit, and how it goes.
FINE_MM = 2.0  # size of a block
FLAT_SHARE = 0.6  # of the blocks: those where the intensity is the least steep
DARK = 0.5  # of white: below this, and near the skull, it may be bone
EMPTY = 2.0  # noise SDs; a block of nothing but noise reads 1.25
CLEAR = 0.02  # noise SD over white; with more, grey and white overlap: it is blurred
SAMPLES = 12000  # blocks, at most about
ROUNDS = 10  # of tissue classes and shading in turn
RESTARTS = (3,)  # rounds that start the classes anew

# The level of fluid (`fluid_level`).
FLUID_BELOW = 0.8  # of grey matter; what is brighter is not looked at
FEWEST_FLUID = 60  # voxels
FLUID_REACH = 0.25  # of the way from the darkest voxels to grey: where the mode may be
FLUID_WIDTH = 0.06  # of that way, to either side: where voxels are counted as near it
DENSEST = 20  # voxels; the mode is the mean of so many

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Tissue:
    """Levels of the tissues and the shading over them.

    Attributes:
        reference: White-matter level in native intensity under the mean shading of a
            brain: shading is relative to `brain_mean_rows`.
        csf: CSF level over the reference, shading removed.
        gm: Grey-matter level, likewise.
        upper: 99th percentile of the head, likewise (fat, where there is a scalp).
        coefficients: Log-field in the basis of `noise_models.cosine`.
        residual: SD of the log-intensities about the fit, a measure of its failure.
        shares: Weights of the three tissues, csf, gm, wm.

    Example:
        >>> Tissue(100.0, 0.3, 0.7, 1.4, (0.0,), 0.05, (0.1, 0.4, 0.5)).gm
        0.7
    """

    reference: float
    csf: float
    gm: float
    upper: float
    coefficients: tuple[float, ...]
    residual: float
    shares: tuple[float, float, float]


def basis_rows(
    voxels: NDArray[np.integer],
    spacing_mm: Sequence[float],
    centre_voxels: Sequence[float],
    shape: Sequence[int],
) -> Array:
    """Design matrix (M, K) of the log-field at integer voxels (M, 3).

    Example:
        >>> basis_rows(np.array([[5, 5, 5]]), (4, 4, 4), (5, 5, 5), (9, 9, 9)).shape
        (1, 19)
    """
    centre = torch.tensor([list(centre_voxels)], dtype=torch.float64)
    factors = cosine_basis(shape, spacing_mm, centre, BIAS_EXTENT_MM, BIAS_ORDER)
    columns = torch.as_tensor(np.asarray(voxels, dtype=np.int64)).unbind(1)
    return np.asarray(cosine_rows(factors, columns).numpy())


@lru_cache(maxsize=1)
def brain_mean_rows() -> Array:
    """Mean of every basis function over a typical brain's white matter, (K,).

    The cosines have no mean over the box but do over the brain; a shading that is to
    leave the white-matter level alone is the field less its mean here.

    Example:
        >>> brain_mean_rows().shape
        (19,)
    """
    shape, centre = (61, 61, 61), (30.0, 30.0, 30.0)  # 4 mm voxels
    x, y, z = np.meshgrid(*(4.0 * (np.arange(61) - 30),) * 3, indexing="ij")
    a, b, c, up = WHITE_MATTER_MM
    white = (x / a) ** 2 + (y / b) ** 2 + ((z - up) / c) ** 2 < 1
    rows = basis_rows(np.argwhere(white), (4.0, 4.0, 4.0), centre, shape)
    return np.asarray(rows.mean(0))


def prior_precision() -> Array:
    """Ridge of the coefficients: fine terms are expected to be small.

    Example:
        >>> prior_precision().shape
        (19,)
    """
    degree = np.array([sum(term) for term in cosine_terms(3, BIAS_ORDER)])
    return np.asarray((degree / BIAS_PRIOR) ** 2)


def fit_tissue(
    data: NDArray[np.floating],
    spacing_mm: Sequence[float],
    head: Head,
    sigma: float = float("nan"),
) -> Tissue:
    """Alternate a three-class mixture with a smooth log-field.

    After Wells et al. 1996 (doi:10.1109/42.511747) and Van Leemput et al. 1999
    (doi:10.1109/42.811270): the classes predict each voxel, the smooth part of what is
    left is shading. We depart in fitting the flatter 60 % of the voxels only, and in
    two classes for voxels that tissues share, which have no level of their own.

    Args:
        data: Native-grid volume, ``(X, Y, Z)``, RAS order, any gain.
        spacing_mm: Voxel size per axis.
        head: Masks of `find_head`.
        sigma: Noise SD in native intensity, whose Rician floor is taken off the
            levels; nan when unknown.

    Raises:
        ValueError: The brain region is too small to hold three tissues.
    """
    factors = block_factors(spacing_mm, FINE_MM)
    fine = _quiet(block_means(data, factors), sigma / np.sqrt(np.prod(factors)))
    size = tuple(f * float(s) for f, s in zip(factors, spacing_mm, strict=True))
    centre = tuple(
        (c + 0.5) / f - 0.5 for c, f in zip(head.centre_voxels, factors, strict=True)
    )
    ratio = [a / b for a, b in zip(head.factors, factors, strict=True)]
    brain = spread(head.brain, fine.shape, ratio)
    voxels, values = _flat_voxels(fine, brain, size)
    deep = spread(head.deep, fine.shape, ratio)[tuple(voxels.T)]
    deep &= around_ventricles(voxels, size, centre)
    if sigma > 0:  # no signal at all is bone or air, whatever it lies between
        deep &= values > EMPTY * sigma
    kept = deep | (values > DARK * np.percentile(values, 80))
    voxels, values = voxels[kept], values[kept]
    if values.size < 500:
        raise ValueError(f"the brain must fill 500 blocks of 2 mm, got {values.size}")
    rows = basis_rows(voxels, size, centre, fine.shape)
    classes, coefficients, residual = _alternate(values, rows)
    places = np.argwhere(spread(head.deep, fine.shape, ratio) & (fine > 0))
    places = places[around_ventricles(places, size, centre)]
    shading = np.exp(basis_rows(places, size, centre, fine.shape) @ coefficients)
    csf = fluid_level(fine[tuple(places.T)], shading, classes, sigma)
    levels = _unbiased(np.array([csf, *classes.levels[1:]]), sigma)
    offset = float(brain_mean_rows() @ coefficients)
    reference = float(levels[2] * np.exp(offset))
    shares = classes.shares[:3] / classes.shares[:3].sum()
    body = np.argwhere(spread(head.mask, fine.shape, ratio)[::2, ::2, ::2]) * 2
    shading = basis_rows(body, size, centre, fine.shape) @ coefficients
    bright = ndimage.uniform_filter(fine, 2)[tuple(body.T)] / np.exp(shading)
    return Tissue(
        reference=reference,
        csf=float(levels[0] / levels[2]),
        gm=float(levels[1] / levels[2]),
        upper=float(np.percentile(bright, 99) / levels[2]),
        coefficients=tuple(float(c) for c in coefficients),
        residual=residual,
        shares=(float(shares[0]), float(shares[1]), float(shares[2])),
    )


def fluid_level(values: Array, shading: Array, classes: Classes, sigma: float) -> float:
    """Mode of the dark voxels around the ventricles; the mixture's where few are.

    There are too few of them, beside those they share with grey matter, for a
    mixture to hold on to. Narrow ventricles have no mode: voxels only get more on the
    way to grey matter. Their fluid is at most as bright as the darkest of them.

    Args:
        values: Intensities around the ventricles, (M,).
        shading: Of the same voxels, (M,).
        classes: Of the whole brain.
        sigma: Noise SD, or nan.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> classes = Classes(np.array([.4, .7, 1.]), np.full(3, .05), np.full(5, .2))
        >>> shared = np.sqrt(rng.uniform(.1**2, .7**2, 3000))  # more towards grey
        >>> narrow = fluid_level(shared, np.ones(3000), classes, 0.02)
        >>> wide = np.r_[shared, rng.normal(.2, .02, 1000)]
        >>> round(narrow, 1), round(fluid_level(wide, np.ones(4000), classes, 0.02), 1)
        (0.2, 0.2)
    """
    empty = EMPTY * sigma if sigma > 0 else 0.0
    corrected = values / shading
    dark = corrected[(values > empty) & (corrected < FLUID_BELOW * classes.levels[1])]
    if dark.size < FEWEST_FLUID:
        return float(classes.levels[0])
    # What lies further up is mostly grey, and has a mode of its own at the limit.
    low = float(np.percentile(dark, 5))
    way = classes.levels[1] - low
    mode = half_sample_mode(dark[dark < low + FLUID_REACH * way])
    halfway = (mode + FLUID_BELOW * classes.levels[1]) / 2
    here, beyond = (
        int((np.abs(dark - level) < FLUID_WIDTH * way).sum())
        for level in (mode, halfway)
    )
    return mode if here >= beyond else low


def half_sample_mode(values: Array) -> float:
    """Mode of a sample: the densest half, of that the densest half, and so on.

    Bickel & Fruehwirth 2006, doi:10.1016/j.csda.2005.07.011.

    Example:
        >>> x = np.r_[np.linspace(0, 1, 200), 0.3 + np.linspace(-0.02, 0.02, 100)]
        >>> abs(half_sample_mode(x) - 0.3) < 0.02
        True
    """
    rest = np.sort(np.asarray(values, dtype=float))
    while rest.size > DENSEST:
        half = (rest.size + 1) // 2
        widths = rest[half - 1 :] - rest[: rest.size - half + 1]
        start = int(widths.argmin())
        rest = rest[start : start + half]
    return float(rest.mean())


def around_ventricles(
    voxels: NDArray[np.integer],
    size: Sequence[float],
    centre: Sequence[float] | NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Where what is dark is CSF, and not skull base, sinus or eye, (M,).

    Args:
        voxels: Places to judge, (M, 3).
        size: Voxel size, mm.
        centre: Centre of the head, in voxels.

    Example:
        >>> around_ventricles(np.array([[0, 0, 0], [9, 0, 0]]), (9, 9, 9), (0, 0, 0))
        array([ True, False])
    """
    a, b, c, up = VENTRICLES_MM
    x, y, z = ((np.asarray(voxels) - centre) * size).T
    return np.asarray((x / a) ** 2 + (y / b) ** 2 + ((z - up) / c) ** 2 < 1)


def _unbiased(levels: Array, sigma: float) -> Array:
    """Levels without the Rician floor: ``A^2 = E[M]^2 - sigma^2`` well above it."""
    if not sigma > 0:
        return levels
    return np.asarray(np.sqrt(np.maximum(levels**2 - sigma**2, (0.3 * levels) ** 2)))


def _quiet(fine: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Smooth just enough that noise does not drown the step from grey to white."""
    ratio = sigma / (CLEAR * float(np.percentile(fine, 95)))
    if not ratio > 1:
        return fine
    width = ratio ** (2 / 3) / (2 * np.sqrt(np.pi))  # of a Gaussian with that gain
    return np.asarray(ndimage.gaussian_filter(fine, width))


def _flat_voxels(
    fine: Array, brain: NDArray[np.bool_], size: Sequence[float]
) -> tuple[NDArray[np.intp], Array]:
    """A regular subset of the brain's voxels, those in even surroundings."""
    where = np.nonzero(brain & (fine > 0))
    if where[0].size < 500:
        return np.stack(where, 1), np.asarray(fine[where], dtype=float)
    box = tuple(slice(max(0, w.min() - 2), w.max() + 3) for w in where)
    smooth = ndimage.gaussian_filter(fine[box], 0.7)
    slope = sum(
        np.square(np.gradient(smooth, step, axis=a)) for a, step in enumerate(size)
    )
    inner = tuple(w - b.start for w, b in zip(where, box, strict=True))
    steepness = slope[inner]
    flat = np.flatnonzero(steepness <= np.quantile(steepness, FLAT_SHARE))
    kept = flat[:: max(1, flat.size // SAMPLES)]
    voxels = np.stack([w[kept] for w in where], 1)
    return voxels, np.asarray(fine[tuple(voxels.T)], dtype=float)


def _alternate(values: Array, rows: Array) -> tuple[Classes, Array, float]:
    """EM over tissue classes and log-field; the field has no constant term."""
    log_values = np.log(np.maximum(values, 1e-3 * np.median(values)))
    centred = rows - rows.mean(0)
    coefficients = np.zeros(rows.shape[1])
    precision = np.diag(prior_precision())
    classes = start_classes(values)
    for turn in range(ROUNDS):
        corrected = values / np.exp(rows @ coefficients)
        if turn in RESTARTS:  # with less shading, other levels may fit better
            classes = start_classes(corrected)
        classes, belongs = fit_classes(corrected, classes, rounds=6)
        levels, spreads = classes.components()
        precise = (levels / spreads) ** 2  # of the log-intensity
        total = np.maximum(precise @ belongs, 1e-9)
        target = log_values - ((precise * np.log(levels)) @ belongs) / total
        # Voxels are correlated (anatomy, smoothing): they count a tenth.
        w = 0.1 * np.minimum(total, 4 * np.median(total))
        mean = np.average(target, weights=w)
        lhs = centred.T @ (centred * w[:, None]) + precision
        coefficients = np.linalg.solve(lhs, centred.T @ (w * (target - mean)))
    corrected = values / np.exp(rows @ coefficients)
    classes, belongs = fit_classes(corrected, start_classes(corrected), rounds=30)
    predicted = np.log(classes.components()[0])[belongs.argmax(0)]
    left = log_values - rows @ coefficients - predicted
    return classes, coefficients, float(np.std(left))
