"""How likely a scan is under a fitted site, and what about it is not like the site.

A site is a Gaussian over the parameters of its scans, known from n people. A new scan
is given a multivariate Student t with n - 1 degrees of freedom, whose scale is
(1 + 1/n) times the covariance: a heuristic, since the covariance is shrunk and the mean
robust. The p of a distance does not rest on it but on simulated refits: how often a
scan of the same site lies further out. What a scan does not tell (nan) takes no part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from noise_models.scanner.estimate import BIAS, FIELD, NAMES, ScanEstimate
from noise_models.scanner.sites import Site, per_subject, robust_mean, shrunk_covariance

FEWEST_FREEDOM = 3
REFITS = 399
STRANGE = 3.0  # SD from which a parameter is named
UNUSUAL_P, OUTSIDE_P = 0.05, 0.01

Array = NDArray[np.float64]


def _least_sd() -> Array:
    """What one scan is known to at best, per parameter: nothing is told by less."""
    least = np.full(len(NAMES), 0.03)
    least[1:4] = 0.1  # mm^2
    least[BIAS], least[FIELD] = 0.01, 0.05
    return least


@dataclass(frozen=True)
class Score:
    """A scan held against one site.

    Attributes:
        site: Label of the site.
        log_prob: Log density of the scan's parameters, nats.
        distance: Mahalanobis distance from the site's mean.
        p: Share of the site's own scans that would lie at least as far out.
        strange: Parameters more than 3 SD off, furthest first, with the SDs.

    Example:
        >>> Score("A", -3.0, 9.0, 0.0025, (("log_sigma", 8.0),)).verdict
        'outside'
    """

    site: str
    log_prob: float
    distance: float
    p: float
    strange: tuple[tuple[str, float], ...]

    @property
    def verdict(self) -> str:
        """``inside``, ``unusual`` (p < .05) or ``outside`` (p < .01)."""
        if self.p < OUTSIDE_P:
            return "outside"
        return "unusual" if self.p < UNUSUAL_P else "inside"


def log_prob(site: Site, estimate: ScanEstimate) -> float:
    """Log density of a scan's parameters under a site, nats.

    Example:
        >>> from noise_models.scanner.sites import summarise_site
        >>> rng = np.random.default_rng(0)
        >>> def scan(shift):
        ...     values = tuple(shift + 0.1 * rng.standard_normal(len(NAMES)))
        ...     return ScanEstimate(values, (1.0, 1.0, 1.0), 1.0, "air")
        >>> site = summarise_site("A", [scan(0.0) for _ in range(12)])
        >>> log_prob(site, scan(0.0)) > log_prob(site, scan(1.0))
        True
    """
    known = ~np.isnan(estimate.vector)
    mean, scale = _predictive(site, known)
    freedom, size = _freedom(site), len(mean)
    squared = _squared(estimate.vector[known], mean, scale)
    normal = special.gammaln((freedom + size) / 2) - special.gammaln(freedom / 2)
    normal -= 0.5 * (size * math.log(freedom * math.pi) + np.linalg.slogdet(scale)[1])
    return float(normal - 0.5 * (freedom + size) * math.log1p(squared / freedom))


def score(site: Site, estimate: ScanEstimate) -> Score:
    """Hold a scan against a site.

    Args:
        site: As fitted.
        estimate: Of the scan (`estimate_scan`).
    """
    known = ~np.isnan(estimate.vector)
    mean, scale = _predictive(site, known)
    values = estimate.vector[known]
    squared = _squared(values, mean, scale)
    null = _null_distances(site, tuple(known.tolist()))
    away = (values - mean) / np.sqrt(np.diag(scale))
    names = np.array(NAMES)[known]
    order = np.argsort(-np.abs(away))
    return Score(
        site.label,
        log_prob(site, estimate),
        math.sqrt(squared),
        float((1 + (null >= squared).sum()) / (1 + len(null))),
        tuple((str(names[k]), float(away[k])) for k in order if abs(away[k]) > STRANGE),
    )


def site_probabilities(
    sites: Sequence[Site], estimate: ScanEstimate
) -> dict[str, float]:
    """Which site a scan is from, if it is from one of them, each as likely before.

    Example:
        >>> site_probabilities([], ScanEstimate((), (1.0,) * 3, 1.0, "air"))
        {}
    """
    if not sites:
        return {}
    logs = np.array([log_prob(site, estimate) for site in sites])
    shares = special.softmax(logs)
    return {s.label: float(p) for s, p in zip(sites, shares, strict=True)}


@dataclass(frozen=True)
class Drift:
    """Several new scans of a site, together, against the site.

    Attributes:
        scans: How many.
        people: How many people they show.
        parameter: The parameter that moved most surely.
        change: By how much, in units of `estimate.NAMES`.
        p: Of that change, corrected for the number of parameters (Holm's first step).

    Example:
        >>> Drift(5, 5, "log_sigma", 0.2, 0.001).p < 0.05
        True
    """

    scans: int
    people: int
    parameter: str
    change: float
    p: float


def drift(
    site: Site, estimates: Sequence[ScanEstimate], subjects: Sequence[str] | None = None
) -> Drift:
    """Whether new scans differ from the site in the mean: a scanner that drifts.

    A t test of every parameter, with the spread between people that the fit found; the
    error of the site's own mean counts, too. Several scans of a person count as one:
    their anatomy is the same, and it is read as contrast, sharpness and shading.

    Args:
        site: As fitted.
        estimates: Of the new scans.
        subjects: Who each shows; a different person each, when None.

    Raises:
        ValueError: No scan.
    """
    if not estimates:
        raise ValueError("drift needs at least 1 scan, got none.")
    mean = np.array(site.mean)
    table = np.stack([e.vector for e in estimates])
    known = ~np.isnan(table)
    people = subjects or [str(k) for k in range(len(table))]
    told = per_subject(known.astype(float), people)
    away = per_subject(np.where(known, table - mean, 0), people)
    count = (told > 0).sum(0)
    by_person = np.divide(away, told, out=np.zeros_like(away), where=told > 0)
    moved = by_person.sum(0) / np.maximum(count, 1)
    variance = np.diag(np.array(site.covariance)) + _least_sd() ** 2
    error = np.sqrt(variance * (1 / site.subjects + 1 / np.maximum(count, 1)))
    p = 2 * stats.t.sf(np.abs(moved) / error, _freedom(site))
    p[count == 0] = 1.0
    k = int(p.argmin())
    surest = float(min(1, p[k] * (count > 0).sum()))
    scans = int(known[:, k].sum())
    return Drift(scans, int(count[k]), NAMES[k], float(moved[k]), surest)


def _freedom(site: Site) -> int:
    return max(site.subjects - 1, FEWEST_FREEDOM)


def _predictive(site: Site, known: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Mean and scale of a new scan, for the parameters that it tells."""
    whole = np.array(site.covariance) + np.diag(_least_sd() ** 2)
    scale = (1 + 1 / site.subjects) * whole[np.ix_(known, known)]
    return np.array(site.mean)[known], scale


def _squared(values: Array, mean: Array, scale: Array) -> float:
    rest = values - mean
    return float(rest @ np.linalg.solve(scale, rest))


@lru_cache(maxsize=64)
def _null_distances(site: Site, known: tuple[bool, ...]) -> Array:
    """Squared distances of new scans from refits of sites like this one, (R,)."""
    rng = np.random.default_rng(0)
    kept = np.array(known)
    least = np.diag(_least_sd()[kept] ** 2)
    mean = np.array(site.mean)[kept]
    spread = np.array(site.covariance)[np.ix_(kept, kept)] + least
    root = np.linalg.cholesky(spread)
    people = max(site.subjects, 2)
    found = []
    for _ in range(REFITS):
        drawn = rng.standard_normal((people + 1, len(mean))) @ root.T
        seen, new = drawn[:-1], drawn[-1]
        centre = robust_mean(seen, np.ones((1, len(seen))))[0]
        scale = (1 + 1 / people) * (shrunk_covariance(seen, centre) + least)
        found.append(_squared(new, centre, scale))
    return np.array(found)
