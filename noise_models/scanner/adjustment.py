"""Taking age and sex out of what looks like a scanner: regression within sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from noise_models.scanner.common_grid import Specimen
from noise_models.scanner.covariates import (
    Covariate,
    Values,
    describe,
    inflation,
    people_table,
)
from noise_models.scanner.estimate import (
    CONTRAST_NAMES,
    NAMES,
    PSF_NAMES,
    ScanEstimate,
)
from noise_models.scanner.features import FEATURES
from noise_models.scanner.sites import Site, fill_gaps, per_subject

FEWEST_FREEDOM = 10  # people beyond sites and slopes, below which no slope is trusted
MOST_INFLATED = 1e6  # variance inflation beyond which there is nothing to learn from
PARAMETERS = [NAMES.index(n) for n in (*PSF_NAMES, *CONTRAST_NAMES)]
"""What ageing can mimic. It makes no noise and no shading."""
_AGEING = [
    k
    for k, name in enumerate(FEATURES)
    if name.startswith(("detail", "power", "brain", "head"))
]
"""Features by which ageing can show; air and shading are the scanner's."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Slopes:
    """What one unit of every covariate does, the same at all sites.

    Attributes:
        slope: ``(C, K)``.
        scatter: Unscaled covariance of the slopes, ``(C, C)``.
        residual: Variance about the regression, ``(K,)``.
        freedom: Degrees of freedom of it.

    Example:
        >>> x = np.array([[0.0], [1.0], [0.0], [1.0]])
        >>> y = np.array([[5.0], [7.0], [1.0], [3.0]])
        >>> within_slopes(y, x, np.array([0, 0, 1, 1])).slope.tolist()
        [[2.0]]
    """

    slope: Array
    scatter: Array
    residual: Array
    freedom: int

    def variance(self, away: Array) -> Array:
        """Of what is taken off ``away`` (C,) from the centre, (K,)."""
        return np.asarray(self.residual * float(away @ self.scatter @ away))

    def half_width(self, away: Array) -> Array:
        """95 % half-width of the same."""
        t = float(stats.t.ppf(0.975, max(self.freedom, 1)))
        return np.asarray(t * np.sqrt(self.variance(away)))


def within_slopes(y: Array, x: Array, site: NDArray[np.intp]) -> Slopes:
    """Least squares of ``y ~ site + x``: slopes from the variation within sites.

    Args:
        y: One row per person, (N, K).
        x: Covariates, (N, C).
        site: Number of the site, (N,).
    """
    u, v = (_within(part, site) for part in (x, y))
    scatter = np.linalg.pinv(u.T @ u)
    slope = scatter @ u.T @ v
    freedom = len(x) - len(np.unique(site)) - x.shape[1]
    rest = v - u @ slope
    residual = (rest**2).sum(0) / max(freedom, 1)
    return Slopes(slope, np.asarray(scatter, float), residual, freedom)


@dataclass(frozen=True)
class Adjustment:
    """The covariates of a fit, and how scans are brought to a common age and sex.

    Attributes:
        covariates: Described, with what is adjusted for.
        people: For every site who was scanned.
        names: The covariates that are adjusted for.
        values: Site to scans by those covariates, (N, C); gaps filled by site means.

    Example:
        >>> plan_adjustment(None, {"A": ["x"]}).names
        ()
    """

    covariates: Mapping[str, Covariate]
    people: Mapping[str, Sequence[str]]
    names: tuple[str, ...] = ()
    values: Mapping[str, Array] = field(default_factory=dict, hash=False)

    @property
    def centre(self) -> Array:
        """Where sites are described: the mean of the sites' means, (C,)."""
        return np.asarray(np.mean([self.site_mean(s) for s in self.people], axis=0))

    def site_mean(self, site: str) -> Array:
        """Mean over the people of a site, (C,)."""
        return np.asarray(per_subject(self.values[site], self.people[site]).mean(0))

    def estimates(
        self, found: Mapping[str, Sequence[ScanEstimate]]
    ) -> tuple[dict[str, list[ScanEstimate]], Slopes | None]:
        """The scans as if everyone had the mean age and sex, and the slopes."""
        if not self.names:
            return {site: list(scans) for site, scans in found.items()}, None
        rows = {
            s: fill_gaps(np.stack([e.vector for e in v]), s) for s, v in found.items()
        }
        slopes = self._slopes({s: r[:, PARAMETERS] for s, r in rows.items()})
        moved: dict[str, list[ScanEstimate]] = {}
        for site, scans in found.items():
            off = (self.values[site] - self.centre) @ slopes.slope
            moved[site] = [
                replace(scan, values=_less_shift(scan.values, shift))
                for scan, shift in zip(scans, off, strict=True)
            ]
        return moved, slopes

    def widened(self, site: Site, slopes: Slopes | None) -> Site:
        """The site with the uncertainty of the slopes in its intervals."""
        if slopes is None:
            return site
        more = np.zeros(len(NAMES))
        more[PARAMETERS] = slopes.half_width(self.site_mean(site.label) - self.centre)
        ends = np.array(site.ci95)
        half = np.hypot(np.diff(ends, axis=1)[:, 0] / 2, more)
        mean = np.array(site.mean)
        ci95 = zip((mean - half).tolist(), (mean + half).tolist(), strict=True)
        return replace(site, ci95=tuple(ci95))

    def unsure(
        self, pair: tuple[str, str], slopes: Slopes | None, features: Slopes | None
    ) -> tuple[Array, Array] | None:
        """Variance that the slopes leave in the difference of two sites.

        Of parameters (K,) and of features (F,).
        """
        if slopes is None:
            return None
        away = self.site_mean(pair[0]) - self.site_mean(pair[1])
        ours, theirs = np.zeros(len(NAMES)), np.zeros(len(FEATURES))
        ours[PARAMETERS] = slopes.variance(away)
        if features is not None:
            theirs[_AGEING] = features.variance(away)
        return ours, theirs

    def specimens(
        self, shown: Mapping[str, Sequence[int]], found: Mapping[str, list[Specimen]]
    ) -> tuple[dict[str, list[Specimen]], Slopes | None]:
        """Scans on the common grid, their features brought to the mean age and sex."""
        picked = {s: [self.people[s][i] for i in shown.get(s, ())] for s in self.people}
        count = sum(len(set(who)) for who in picked.values())
        if not self.names or count - len(picked) - len(self.names) < FEWEST_FREEDOM:
            return dict(found), None
        x = {s: self.values[s][list(shown[s])] for s in self.people}
        y = {s: np.stack([one.features for one in found[s]]) for s in self.people}
        slopes = within_slopes(
            np.concatenate([y[s][:, _AGEING] for s in self.people]),
            np.concatenate([x[s] for s in self.people]),
            np.repeat(np.arange(len(x)), [len(v) for v in x.values()]),
        )
        moved = {}
        for site, ones in found.items():
            shift = np.zeros((len(ones), len(FEATURES)))
            shift[:, _AGEING] = -(x[site] - self.centre) @ slopes.slope
            moved[site] = [
                replace(one, features=one.features + s, shift=tuple(s.tolist()))
                for one, s in zip(ones, shift, strict=True)
            ]
        return moved, slopes

    def _slopes(self, rows: Mapping[str, Array]) -> Slopes:
        y = [per_subject(rows[s], self.people[s]) for s in self.people]
        x = [per_subject(self.values[s], self.people[s]) for s in self.people]
        site = np.repeat(np.arange(len(y)), [len(part) for part in y])
        return within_slopes(np.concatenate(y), np.concatenate(x), site)


def plan_adjustment(
    values: Values | None,
    people: Mapping[str, Sequence[str]],
    adjust: Sequence[str] | None = None,
) -> Adjustment:
    """Describe the covariates and choose those that can be adjusted for.

    Args:
        values: Site to covariate to one number per scan, nan where unknown.
        people: For every site who was scanned.
        adjust: Which to adjust for; all that can be when None.

    Raises:
        ValueError: ``values`` does not fit the scans, or ``adjust`` names another.
    """
    if not values:
        if adjust:
            raise ValueError(
                f"adjust names {adjust[0]!r}, but no covariates are given."
            )
        return Adjustment({}, people)
    _check(values, people, adjust)
    found = describe(values, people)
    wanted = [n for n in found if adjust is None or n in adjust]
    names, table, site = people_table(values, people)
    reasons: dict[str, str] = {}
    kept: list[str] = []
    for name in wanted:
        reason = _obstacle([*kept, name], names, table, site)
        if reason:
            reasons[name] = reason
        else:
            kept.append(name)
    described = {
        name: replace(
            one,
            adjusted=name in kept,
            reason=reasons.get(name, "" if name in kept else "not asked for"),
        )
        for name, one in found.items()
    }
    filled = {s: _filled(values[s], kept) for s in people} if kept else {}
    return Adjustment(described, people, tuple(kept), filled)


def _obstacle(
    chosen: Sequence[str],
    names: Sequence[str],
    table: Array,
    site: NDArray[np.intp],
) -> str:
    """Why the last of ``chosen`` cannot be adjusted for; empty when it can."""
    x = table[:, [names.index(name) for name in chosen]]
    known = ~np.isnan(x).any(axis=1)
    sites = len(np.unique(site))
    if len(np.unique(site[known])) < sites:
        return "unknown for a whole site"
    if known.sum() - sites - len(chosen) < FEWEST_FREEDOM:
        return f"only {known.sum()} people with known values"
    last = x[known, -1]
    if last.var() == 0:
        return "the same for everyone"
    if inflation(0, x[known, -1:], site[known]) > MOST_INFLATED:
        return "it does not vary within sites, so that it cannot be told from them"
    if inflation(x.shape[1] - 1, x[known], site[known]) > MOST_INFLATED:
        return "it follows from the sites and the other covariates"
    return ""


def _within(x: Array, site: NDArray[np.intp]) -> Array:
    """Deviations from the mean of one's own site."""
    means = np.stack([x[site == k].mean(0) for k in range(int(site.max()) + 1)])
    return np.asarray(x - means[site])


def _less_shift(values: Sequence[float], shift: Array) -> tuple[float, ...]:
    moved = np.array(values, dtype=float)
    moved[PARAMETERS] -= shift
    return tuple(moved.tolist())


def _filled(values: Mapping[str, Sequence[float]], names: Sequence[str]) -> Array:
    """Scans by covariates; who is not known counts as typical of the site."""
    x = np.array([values[name] for name in names], dtype=float).T
    return np.asarray(np.where(np.isnan(x), np.nanmean(x, axis=0), x))


def _check(
    values: Values, people: Mapping[str, Sequence[str]], adjust: Sequence[str] | None
) -> None:
    names = tuple(next(iter(values.values())))
    for site, who in people.items():
        given = values.get(site, {})
        if tuple(given) != names:
            raise ValueError(
                f"site {site}: covariates must be {', '.join(names)}, as at the first "
                f"site, got {', '.join(given) or 'none'}."
            )
        for name, row in given.items():
            if len(row) != len(who):
                raise ValueError(
                    f"site {site}: {name} must have one value for each of {len(who)} "
                    f"scans, got {len(row)}."
                )
    unknown = [name for name in adjust or () if name not in names]
    if unknown:
        raise ValueError(
            f"adjust names {unknown[0]!r}; the covariates are {', '.join(names)}."
        )
