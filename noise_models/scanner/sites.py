"""A site as a distribution over the parameters of its scans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from noise_models.scanner.estimate import CONTRAST_NAMES, NAMES, PSF_NAMES, ScanEstimate
from noise_models.scanner.site_coverage import EVERYWHERE, Faces, typical_faces

Array = NDArray[np.float64]

HUBER = 1.5  # robust SDs beyond which a scan pulls with constant force
OUTLIER = 5.0  # robust SDs beyond which a scan is named
REPEATS = 400  # of the bootstrap
MAD_SD = 1.4826  # SD of a Gaussian over its median absolute deviation (MAD)
LEAST_MAD = 0.1  # of the plain SD; the SD by MAD is taken for no less
AT_ONCE = 2**16  # numbers that a bootstrap holds at a time


@dataclass(frozen=True)
class Site:
    """One site's scanner: a Gaussian over transformed parameters (`NAMES`).

    Attributes:
        label: Site name.
        mean: Robust mean, (K,).
        covariance: Shrunk covariance between scans, (K, K).
        ci95: Lower and upper ends for the mean, (K, 2); bootstrap over subjects.
        scans: Number of scans.
        subjects: Number of people.
        spacing_mm: Median voxel size.
        evidence: Number of scans whose noise came from air, tissue, none.
        outliers: Scans that stand apart, with the parameter that says so.
        flags: Flags that at least half of the scans carry.
        coils: Median effective number of coils, read in air; nan where none could be.
        extent: Median share of k-space that is filled, per axis.
        field_of_view_mm: Median faces of the scans along each axis, mm from the head's
            centre; infinite where the scans' sizes are not known.
        placing_sd_mm: SD of where heads lie between those faces, per axis.

    Example:
        >>> estimate = ScanEstimate((0.0,) * len(NAMES), (1.0, 1.0, 1.0), 1.0, "air")
        >>> summarise_site("A", [estimate] * 4).scans
        4
    """

    label: str
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    ci95: tuple[tuple[float, float], ...]
    scans: int
    subjects: int
    spacing_mm: tuple[float, float, float]
    evidence: tuple[int, int, int]
    outliers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    coils: float = float("nan")
    extent: tuple[float, float, float] = (1.0, 1.0, 1.0)
    field_of_view_mm: Faces = EVERYWHERE
    placing_sd_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


def summarise_site(
    label: str,
    estimates: Sequence[ScanEstimate],
    *,
    subjects: Sequence[str] | None = None,
    seed: int = 0,
) -> Site:
    """Describe a site by its scans.

    Args:
        label: Site name.
        estimates: One per scan; at least two.
        subjects: Who was scanned, one per estimate; by default all are different.
        seed: Of the bootstrap.

    Raises:
        ValueError: Fewer than two scans, or subjects of another number.
    """
    if len(estimates) < 2:
        raise ValueError(
            f"site {label}: at least 2 scans are needed, got {len(estimates)}."
        )
    people = (
        list(subjects) if subjects is not None else [*map(str, range(len(estimates)))]
    )
    if len(people) != len(estimates):
        raise ValueError(
            f"site {label}: subjects must name each of the {len(estimates)} scans, "
            f"got {len(people)} names."
        )
    measured = np.stack([e.vector for e in estimates])
    values = fill_gaps(measured, label)
    mean = robust_mean(values, np.ones((1, len(values))))[0]
    spacing = np.median([e.spacing_mm for e in estimates], axis=0)
    kinds = [e.evidence for e in estimates]
    flags = [flag for e in estimates for flag in e.flags]
    coils = [e.coils for e in estimates if not np.isnan(e.coils)]
    extent = np.median([e.extent for e in estimates], axis=0)
    faces, placing = typical_faces(estimates)
    return Site(
        label=label,
        mean=tuple(mean.tolist()),
        covariance=tuple(map(tuple, shrunk_covariance(values, mean).tolist())),
        ci95=_intervals(measured, mean, people, seed),
        scans=len(estimates),
        subjects=len(set(people)),
        spacing_mm=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        evidence=(kinds.count("air"), kinds.count("tissue"), kinds.count("none")),
        outliers=_outliers(values, estimates),
        flags=tuple(
            sorted(f for f in set(flags) if flags.count(f) * 2 >= len(estimates))
        ),
        coils=float(np.median(coils)) if coils else float("nan"),
        extent=(float(extent[0]), float(extent[1]), float(extent[2])),
        field_of_view_mm=faces,
        placing_sd_mm=placing,
    )


def per_subject(values: Array, subjects: Sequence[str]) -> Array:
    """Mean row of every person, (people, K): several scans of one are not several.

    Example:
        >>> per_subject(np.array([[1.0], [3.0], [5.0]]), ["a", "a", "b"]).tolist()
        [[2.0], [5.0]]
    """
    _, owner = np.unique(np.asarray(subjects), return_inverse=True)
    counts = np.bincount(owner)[:, None]
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, owner, values)
    return np.asarray(sums / counts)


def fill_gaps(values: Array, label: str) -> Array:
    """Replace what a scan could not say by the site's median.

    Raises:
        ValueError: No scan of the site could say it.
    """
    gaps = np.isnan(values)
    for column in np.flatnonzero(gaps.all(axis=0)):
        raise ValueError(
            f"site {label}: no scan gives {NAMES[column]}. "
            "Check that the scans show whole heads or brains, T1 weighted."
        )
    typical = np.nanmedian(values, axis=0)
    return np.where(gaps, typical, values)


def robust_mean(values: Array, weights: Array, rounds: int = 8) -> Array:
    """Huber means (doi:10.1214/aoms/1177703732) in units of the MAD, many at once.

    The scale is that of the weighted scans, too: a bootstrap that kept the scale of
    all scans would leave out that it is as uncertain as the centre.

    Args:
        values: Scans by parameters, (N, K).
        weights: How often each scan counts, (R, N).
        rounds: Iterations.

    Returns:
        (R, K).

    Example:
        >>> x = np.array([[0.0], [0.1], [-0.1], [9.0]])
        >>> bool(robust_mean(x, np.ones((1, 4)))[0, 0] < 0.2)
        True
    """
    pieces = min(len(weights), 1 + len(weights) * values.size // AT_ONCE)
    parts = np.array_split(weights, pieces)
    return np.concatenate([_huber_means(values, part, rounds) for part in parts])


def _huber_means(values: Array, weights: Array, rounds: int) -> Array:
    counted = weights[:, :, None]
    every = np.broadcast_to(values, (len(weights), *values.shape))
    centre = weighted_median(every, weights)
    mad = weighted_median(np.abs(values - centre[:, None]), weights)
    mean = weights @ values / weights.sum(1)[:, None]
    spread = (counted * np.square(values - mean[:, None])).sum(1) / counted.sum(1)
    scale = np.maximum(MAD_SD * mad, LEAST_MAD * np.sqrt(spread) + 1e-9)
    for _ in range(rounds):
        far = np.abs(values - centre[:, None]) / scale[:, None]
        pull = counted * np.minimum(1.0, HUBER / np.maximum(far, 1e-12))
        centre = (pull * values).sum(1) / pull.sum(1)
    return np.asarray(centre)


def weighted_median(values: Array, weights: Array) -> Array:
    """Medians (R, K) of scans (R, N, K) that count as often as ``weights`` (R, N) say.

    Example:
        >>> x = np.array([[[1.0], [2.0], [9.0]]])
        >>> weighted_median(x, np.array([[1, 1, 2]])).tolist()
        [[5.5]]
    """
    order = np.argsort(values, axis=1)
    ascending = np.take_along_axis(values, order, 1)
    share = np.cumsum(np.take_along_axis(weights[:, :, None], order, 1), 1)
    half, rounding = share[:, -1:] / 2, 1e-9
    ends = ((share < half - rounding).sum(1), (share <= half + rounding).sum(1))
    low, high = (np.take_along_axis(ascending, k[:, None], 1)[:, 0] for k in ends)
    return np.asarray((low + high) / 2)


def robust_scale(values: Array) -> Array:
    """MAD-based SD per column, never zero.

    Example:
        >>> robust_scale(np.array([[0.0], [1.0], [2.0]])).round(2).tolist()
        [1.48]
    """
    mad = np.median(np.abs(values - np.median(values, axis=0)), axis=0)
    return np.asarray(np.maximum(MAD_SD * mad, LEAST_MAD * values.std(axis=0) + 1e-9))


def shrunk_covariance(values: Array, mean: Array) -> Array:
    """Ledoit-Wolf covariance (doi:10.1016/S0047-259X(03)00096-4) of reined-in scans.

    Deviations are cut at 3 robust SDs; shrinkage is towards the diagonal, on the
    correlation scale, because the parameters have different units.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(200, 2)) * (1, 10)
        >>> np.sqrt(np.diag(shrunk_covariance(x, x.mean(0)))).round().tolist()
        [1.0, 10.0]
    """
    limit = 3 * robust_scale(values)
    rest = np.clip(values - mean, -limit, limit)
    count = len(rest)
    deviation = np.sqrt((rest**2).sum(0) / (count - 1)) + 1e-12
    z = rest / deviation
    sample = z.T @ z / count
    target = np.diag(np.diag(sample))
    distance = ((sample - target) ** 2).sum()
    products = ((z**2).T @ (z**2)) / count - sample**2  # sampling variances, times N
    error = (products.sum() - np.trace(products)) / count
    share = float(np.clip(error / distance, 0, 1)) if distance > 0 else 1.0
    correlation = (1 - share) * sample + share * target
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation * np.outer(deviation, deviation))


def _intervals(
    measured: Array, mean: Array, people: Sequence[str], seed: int
) -> tuple[tuple[float, float], ...]:
    """95 % intervals from the scans that tell, whichever those are for a parameter."""
    half = np.zeros(len(mean))
    known = ~np.isnan(measured)
    who = np.asarray(people)
    for tells in np.unique(known, axis=1).T:
        columns = (known == tells[:, None]).all(0)
        half[columns] = _half_widths(measured[tells][:, columns], who[tells], seed)
    return tuple((float(m - h), float(m + h)) for m, h in zip(mean, half, strict=True))


def _half_widths(values: Array, people: NDArray[np.str_], seed: int) -> Array:
    """Bootstrap SE over subjects, widened to Student's t for few of them."""
    names, owner = np.unique(people, return_inverse=True)
    rng = np.random.default_rng(seed)
    count = len(names)
    if count < 2:
        return np.full(values.shape[1], np.inf)
    picks = rng.multinomial(count, np.full(count, 1 / count), size=REPEATS)
    centres = robust_mean(values, picks[:, owner].astype(float))
    factor = stats.t.ppf(0.975, count - 1) * np.sqrt(count / (count - 1))
    return np.asarray(factor * centres.std(axis=0, ddof=1))


def _outliers(values: Array, estimates: Sequence[ScanEstimate]) -> tuple[str, ...]:
    """Scans whose noise, sharpness or contrast stands apart from their site's."""
    watched = len(("log_sigma", *PSF_NAMES, *CONTRAST_NAMES))  # `NAMES` begins so
    scale = np.maximum(robust_scale(values), 0.03)[:watched]
    z = np.abs(values - np.median(values, axis=0))[:, :watched] / scale
    found = []
    for index, row in enumerate(z):
        worst = int(row.argmax())
        if row[worst] > OUTLIER:
            name = estimates[index].label or f"scan {index}"
            found.append(f"{name}: {NAMES[worst]} {row[worst]:.1f} SD away")
    return tuple(found)
