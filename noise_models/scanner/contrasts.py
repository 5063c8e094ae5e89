"""How two sites differ, as numbers with intervals: what may be said about them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from noise_models.blur import FWHM2_PER_VARIANCE
from noise_models.scanner.estimate import BIAS_NAMES, NAMES, PSF_NAMES
from noise_models.scanner.head import CENTRE_BELOW_VERTEX_MM
from noise_models.scanner.sites import Site
from noise_models.scanner.tissue import basis_rows, brain_mean_rows

Array = NDArray[np.float64]

PLACES_MM = {  # from the centre of the head, inside an adult brain
    "at the front": (0, 60, 10),
    "at the back": (0, -75, 10),
    "on the left": (-50, 0, 10),
    "on the right": (50, 0, 10),
    "at the top": (0, 0, 60),
    "at the bottom": (0, 0, -30),
    "at the front left": (-40, 50, 10),
    "at the front right": (40, 50, 10),
    "at the back left": (-40, -60, 10),
    "at the back right": (40, -60, 10),
}
FACES = (
    ("on the left", "on the right"),
    ("at the back", "at the front"),
    ("at the bottom", "at the top"),
)
HEAD_MM = ((80.0, 80.0), (105.0, 105.0), (130.0, CENTRE_BELOW_VERTEX_MM))
"""How far an adult head reaches from its centre to each of `FACES`, less the neck.

Rounded by hand, from no survey; the vertex is where estimates put it.
"""
_BIAS = [NAMES.index(name) for name in BIAS_NAMES]


@dataclass(frozen=True)
class Interval:
    """A number and the ends of its 95 % interval.

    Example:
        >>> Interval(0.4, 0.1, 0.7).excludes(0), Interval(0.4, -0.1, 0.9).excludes(0)
        (True, False)
    """

    value: float
    low: float
    high: float

    def excludes(self, none: float) -> bool:
        """Whether the whole interval lies on one side of ``none``."""
        return self.low > none or self.high < none


def half_width(site: Site, name: str) -> float:
    """Half of the 95 % interval of a site's mean parameter."""
    low, high = site.ci95[NAMES.index(name)]
    return (high - low) / 2


def difference(a: Site, b: Site, name: str) -> Interval:
    """B less A in one transformed parameter of `estimate.NAMES`.

    The sites' means count as independent, so the squares of their half-widths add up;
    where the same people were scanned at both, the interval is too wide.
    """
    index = NAMES.index(name)
    value = b.mean[index] - a.mean[index]
    half = math.hypot(half_width(a, name), half_width(b, name))
    return Interval(value, value - half, value + half)


def noise_ratio(a: Site, b: Site) -> Interval:
    """Noise SD of B over that of A, each in units of its own white matter."""
    found = difference(a, b, "log_sigma")
    return Interval(math.exp(found.value), math.exp(found.low), math.exp(found.high))


def blur_mm(a: Site, b: Site, axis: int) -> Interval:
    """FWHM of the blur that parts A and B along an axis, mm; negative: B is sharper.

    Squares of widths differ by the PSF variances, so this is not the difference of
    the widths but the kernel that takes the sharper scanner to the other.
    """
    found = difference(a, b, PSF_NAMES[axis])
    return Interval(*(signed_fwhm(v) for v in (found.value, found.low, found.high)))


def signed_fwhm(variance_mm2: float) -> float:
    """FWHM of a Gaussian, with the sign of its variance.

    Example:
        >>> round(signed_fwhm(1.0), 3), round(signed_fwhm(-1.0), 3)
        (2.355, -2.355)
    """
    width = math.sqrt(abs(variance_mm2) * FWHM2_PER_VARIANCE)
    return math.copysign(width, variance_mm2)


def tissue_ratio(site: Site, name: str) -> Interval:
    """A logit of `estimate.CONTRAST_NAMES` as the ratio that it stands for."""
    index = NAMES.index(name)
    return Interval(
        *(float(1 / (1 + np.exp(-v))) for v in (site.mean[index], *site.ci95[index]))
    )


def noise_percent(site: Site) -> Interval:
    """Noise SD of a site, percent of white matter."""
    index = NAMES.index("log_sigma")
    ends = (site.mean[index], *site.ci95[index])
    return Interval(*(100 * math.exp(v) for v in ends))


def shading_rms(site: Site) -> Interval:
    """RMS of the mean log-field over its box, to first order in the coefficients."""
    mean = _coefficients(site)
    size = float(np.linalg.norm(mean))
    halves = np.array([half_width(site, name) for name in BIAS_NAMES])
    direction = mean / size if size > 0 else np.full(len(mean), len(mean) ** -0.5)
    known = bool(np.isfinite(halves).all())
    half = float(np.linalg.norm(direction * halves)) if known else math.inf
    return Interval(size, max(size - half, 0.0), size + half)


def rms_difference(a: Site, b: Site) -> Interval:
    """Strength of the shading of B less that of A."""
    from_a, from_b = shading_rms(a), shading_rms(b)
    value = from_b.value - from_a.value
    half = math.hypot(*((found.high - found.value) for found in (from_a, from_b)))
    return Interval(value, value - half, value + half)


def shading_ratios(a: Site, b: Site) -> dict[str, Interval]:
    """Shading of B over that of A at `PLACES_MM`, each relative to its brain's mean.

    The intervals hold for all places at once (Bonferroni): whoever looks for the one
    that differs most looks at each.
    """
    rows = field_rows(np.array(list(PLACES_MM.values()), dtype=float))
    change = rows @ (_coefficients(b) - _coefficients(a))
    half = np.hypot(*(_field_half_width(site, rows) for site in (a, b)))
    return {
        place: Interval(*np.exp([d, d - h, d + h]).tolist())
        for place, d, h in zip(PLACES_MM, change, half, strict=True)
    }


def field_rows(places_mm: Array) -> Array:
    """Basis of the log-field at places (M, 3), mm from the head's centre, (M, K).

    Less its mean over a brain, so that the field has no say in the overall level.

    Example:
        >>> field_rows(np.zeros((2, 3))).shape
        (2, 19)
    """
    step, middle = 1.0, 160
    voxels = np.rint(places_mm / step).astype(np.int64) + middle
    box = (2 * middle + 1,) * 3
    rows = basis_rows(voxels, (step,) * 3, (float(middle),) * 3, box)
    return np.asarray(rows - brain_mean_rows())


def site_field(site: Site, places_mm: Array) -> Array:
    """Mean log-shading of a site at places (M, 3) mm from the head's centre, (M,)."""
    return np.asarray(field_rows(places_mm) @ _coefficients(site))


def earlier_mm(a: Site, b: Site) -> dict[str, Interval]:
    """How much earlier scans of B end than those of A, by face, mm of an adult head.

    Empty where the sizes of the scans are not known.
    """
    found: dict[str, Interval] = {}
    ends = zip(FACES, HEAD_MM, a.field_of_view_mm, b.field_of_view_mm, strict=True)
    for axis, (names, heads, of_a, of_b) in enumerate(ends):
        if not np.isfinite([*of_a, *of_b]).all():
            return {}
        half = math.hypot(*(_placing_half_width(site, axis) for site in (a, b)))
        for k, (name, head) in enumerate(zip(names, heads, strict=True)):
            value = min(abs(of_a[k]), head) - min(abs(of_b[k]), head)
            found[name] = Interval(value, value - half, value + half)
    return found


def _placing_half_width(site: Site, axis: int) -> float:
    """Of the median place of heads between the faces, 1.25 times that of a mean."""
    if site.subjects < 2:
        return math.inf
    t = float(stats.t.ppf(0.975, site.subjects - 1))
    return 1.25 * t * site.placing_sd_mm[axis] / math.sqrt(site.subjects)


def _coefficients(site: Site) -> Array:
    return np.array(site.mean)[_BIAS]


def _field_half_width(site: Site, rows: Array) -> Array:
    """Joint half-widths of the mean log-field at the rows' places, (M,)."""
    if site.subjects < 2:
        return np.full(len(rows), np.inf)
    covariance = np.array(site.covariance)[np.ix_(_BIAS, _BIAS)] / site.subjects
    deviation = np.sqrt(np.einsum("mk,kl,ml->m", rows, covariance, rows))
    tail = 0.025 / len(rows)
    return np.asarray(stats.t.ppf(1 - tail, site.subjects - 1) * deviation)
