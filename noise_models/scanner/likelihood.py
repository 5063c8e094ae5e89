"""How likely a scan is under a fitted site, and what about it is not like the site.

A site is a Gaussian over the parameters of its scans, known from n of them, so a new
scan follows a multivariate Student t with n - 1 degrees of freedom (Gelman et al.
2013, Bayesian Data Analysis, 3rd ed., sec. 3.6), whose scale is (1 + 1/n) times the
covariance. The p of a distance comes from simulated refits, because the covariance is
shrunk and the mean robust: how often a scan of the same site lies further out.
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
from noise_models.scanner.sites import Site, robust_mean, shrunk_covariance

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

    What the scan cannot say (nan) is taken at its expectation.

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
    mean, scale = _predictive(
        np.array(site.mean), np.array(site.covariance), site.scans
    )
    freedom, size = _freedom(site.scans), len(mean)
    squared = _squared(_filled(estimate, mean), mean, scale)
    normal = special.gammaln((freedom + size) / 2) - special.gammaln(freedom / 2)
    normal -= 0.5 * (size * math.log(freedom * math.pi) + np.linalg.slogdet(scale)[1])
    return float(normal - 0.5 * (freedom + size) * math.log1p(squared / freedom))


def score(site: Site, estimate: ScanEstimate) -> Score:
    """Hold a scan against a site.

    Args:
        site: As fitted.
        estimate: Of the scan (`estimate_scan`).
    """
    mean, scale = _predictive(
        np.array(site.mean), np.array(site.covariance), site.scans
    )
    values = _filled(estimate, mean)
    squared = _squared(values, mean, scale)
    null = _null_distances(site)
    away = (values - mean) / np.sqrt(np.diag(scale))
    order = np.argsort(-np.abs(away))
    return Score(
        site.label,
        log_prob(site, estimate),
        math.sqrt(squared),
        float((1 + (null >= squared).sum()) / (1 + len(null))),
        tuple((NAMES[k], float(away[k])) for k in order if abs(away[k]) > STRANGE),
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
        parameter: The parameter that moved most surely.
        change: By how much, in units of `estimate.NAMES`.
        p: Of that change, corrected for the number of parameters (Holm's first step).

    Example:
        >>> Drift(5, "log_sigma", 0.2, 0.001).p < 0.05
        True
    """

    scans: int
    parameter: str
    change: float
    p: float


def drift(site: Site, estimates: Sequence[ScanEstimate]) -> Drift:
    """Whether new scans differ from the site in the mean: a scanner that drifts.

    A t test of every parameter, with the spread between scans that the fit found; the
    error of the site's own mean counts, too.

    Raises:
        ValueError: No scan.
    """
    if not estimates:
        raise ValueError("drift needs at least 1 scan, got none.")
    mean = np.array(site.mean)
    values = np.stack([_filled(e, mean) for e in estimates])
    variance = np.diag(np.array(site.covariance)) + _least_sd() ** 2
    error = np.sqrt(variance * (1 / site.scans + 1 / len(values)))
    moved = values.mean(0) - mean
    p = 2 * stats.t.sf(np.abs(moved) / error, _freedom(site.scans))
    k = int(p.argmin())
    return Drift(len(values), NAMES[k], float(moved[k]), float(min(1, p[k] * len(p))))


def _freedom(scans: int) -> int:
    return max(scans - 1, FEWEST_FREEDOM)


def _predictive(mean: Array, covariance: Array, scans: int) -> tuple[Array, Array]:
    scale = (1 + 1 / scans) * (covariance + np.diag(_least_sd() ** 2))
    return mean, scale


def _filled(estimate: ScanEstimate, mean: Array) -> Array:
    return np.where(np.isnan(estimate.vector), mean, estimate.vector)


def _squared(values: Array, mean: Array, scale: Array) -> float:
    rest = values - mean
    return float(rest @ np.linalg.solve(scale, rest))


@lru_cache(maxsize=64)
def _null_distances(site: Site) -> Array:
    """Squared distances of new scans from refits of sites like this one, (R,)."""
    rng = np.random.default_rng(0)
    mean = np.array(site.mean)
    spread = np.array(site.covariance) + np.diag(_least_sd() ** 2)
    root = np.linalg.cholesky(spread)
    found = []
    for _ in range(REFITS):
        drawn = rng.standard_normal((site.scans + 1, len(mean))) @ root.T
        known, new = drawn[:-1], drawn[-1]
        centre = robust_mean(known, np.ones((1, len(known))))[0]
        _, scale = _predictive(centre, shrunk_covariance(known, centre), site.scans)
        found.append(_squared(new, centre, scale))
    return np.array(found)
