"""Age and sex of the people of every site: how far they could pass for a scanner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from noise_models.scanner.sites import per_subject

MATCHED_SMD = 0.25  # Stuart 2010, doi:10.1214/09-STS313: above, groups are unlike
CONFOUNDED_ETA2 = 0.10  # share of a covariate's variance between sites worth a warning
LEAST_KNOWN = 0.9  # share of people whose age must be known to call sites matched
FEWEST_MATCHED = 10  # people a site; of fewer, equal means are luck

Array = NDArray[np.float64]
Values = Mapping[str, Mapping[str, Sequence[float]]]
"""Site to covariate to one number per scan; nan where it is not known."""


@dataclass(frozen=True)
class Covariate:
    """One covariate across the sites.

    Attributes:
        mean: By site, over people.
        sd: By site.
        eta2: Share of its variance that lies between sites.
        smd: Largest standardised mean difference of two sites.
        overlap: Smallest share of the people of two sites within the range of both.
        vif: Variance inflation of its slope by site and the other covariates.
        known: Share of the people for whom it is known.
        fewest: People of the smallest site for whom it is known.
        adjusted: Whether the fit was adjusted for it.
        reason: Why not, if not.

    Example:
        >>> Covariate({"A": 24.0}, {"A": 5.0}, 0.0, 0.0, 1.0, 1.0, 1.0, 9).adjusted
        False
    """

    mean: Mapping[str, float]
    sd: Mapping[str, float]
    eta2: float
    smd: float
    overlap: float
    vif: float
    known: float
    fewest: int
    adjusted: bool = False
    reason: str = ""

    @property
    def is_matched(self) -> bool:
        """Known for nearly all, and no two sites differ by 0.25 SD or more."""
        is_known = self.known >= LEAST_KNOWN and self.fewest >= FEWEST_MATCHED
        return is_known and self.smd < MATCHED_SMD

    def sentence(self, name: str) -> str:
        """The confounding, in words; empty where there is little."""
        if not self.eta2 >= CONFOUNDED_ETA2:
            return ""
        sites = ", ".join(
            f"{site} {self.mean[site]:.3g} ± {self.sd[site]:.2g}" for site in self.mean
        )
        overlap = "no overlap" if self.overlap == 0 else f"overlap {self.overlap:.0%}"
        end = (
            "adjusted for, by what it does within sites"
            if self.adjusted
            else "differences in contrast and sharpness may be due to it"
        )
        why = f" ({self.reason})" if self.reason else ""
        return (
            f"{name}: {self.eta2:.0%} of its variance lies between sites "
            f"({sites}; {overlap}): {end}{why}."
        )


def are_matched(covariates: Mapping[str, Covariate]) -> bool:
    """The rule for evidence ``"matched"``.

    Age is among the covariates, and every covariate is known for at least 90 % of the
    people, ten of them at each site, and differs by less than 0.25 SD between any two
    sites. An age that all people of a site share was filled in rather than asked for,
    and is no evidence. An adjustment does not make sites matched: it rests on a linear
    model.

    Example:
        >>> are_matched({})
        False
    """
    every = [covariate.is_matched for covariate in covariates.values()]
    age = covariates.get("age")
    return age is not None and min(age.sd.values()) > 0 and all(every)


def people_table(
    values: Values, people: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, ...], Array, NDArray[np.intp]]:
    """Names, one row per person and site (N, C), and the number of the site (N,).

    Example:
        >>> values = {"A": {"age": [20, 30, 40]}, "B": {"age": [50]}}
        >>> people_table(values, {"A": ["x", "x", "y"], "B": ["z"]})[1].tolist()
        [[25.0], [40.0], [50.0]]
    """
    names = tuple(next(iter(values.values())))
    rows = [
        per_subject(np.array([values[s][n] for n in names], float).T, people[s])
        for s in people
    ]
    site = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    return names, np.concatenate(rows), site


def describe(
    values: Values, people: Mapping[str, Sequence[str]]
) -> dict[str, Covariate]:
    """Every covariate across the sites.

    Args:
        values: Site to covariate to one number per scan.
        people: For every site who was scanned.

    Example:
        >>> values = {"A": {"age": [20, 22, 24]}, "B": {"age": [60, 62, 64]}}
        >>> found = describe(values, {"A": ["a", "b", "c"], "B": ["d", "e", "f"]})
        >>> print(found["age"].sentence("age"))
        age: 99% of its variance lies between sites (A 22 ± 2, B 62 ± 2; no overlap):
        differences in contrast and sharpness may be due to it.
    """
    names, table, site = people_table(values, people)
    labels = tuple(people)
    return {
        name: _describe(names.index(name), table, site, labels)
        for name in names
        if not np.isnan(table[:, names.index(name)]).all()
    }


def _describe(
    column: int, table: Array, site: NDArray[np.intp], labels: Sequence[str]
) -> Covariate:
    x = table[:, column]
    groups = [x[(site == k) & ~np.isnan(x)] for k in range(len(labels))]
    seen = [k for k, group in enumerate(groups) if len(group)]
    pairs = [(groups[i], groups[j]) for i, j in combinations(seen, 2)]
    pooled = np.concatenate([groups[k] for k in seen])
    within = sum(float(((groups[k] - groups[k].mean()) ** 2).sum()) for k in seen)
    total = float(((pooled - pooled.mean()) ** 2).sum())
    return Covariate(
        {labels[k]: float(groups[k].mean()) for k in seen},
        {labels[k]: _sd(groups[k]) for k in seen},
        1 - within / total if total > 0 else 0.0,
        max((_smd(a, b) for a, b in pairs), default=0.0),
        min((_overlap(a, b) for a, b in pairs), default=1.0),
        inflation(column, table, site),
        float(np.mean(~np.isnan(x))),
        min(len(group) for group in groups),
    )


def _sd(x: Array) -> float:
    return float(x.std(ddof=1)) if len(x) > 1 else 0.0


def _smd(a: Array, b: Array) -> float:
    gap = abs(float(a.mean() - b.mean()))
    spread = float(np.sqrt((_sd(a) ** 2 + _sd(b) ** 2) / 2))
    if gap == 0:
        return 0.0
    return gap / spread if spread > 0 else float("inf")


def _overlap(a: Array, b: Array) -> float:
    low, high = max(a.min(), b.min()), min(a.max(), b.max())
    both = np.concatenate([a, b])
    return float(np.mean((both >= low) & (both <= high)))


def inflation(column: int, table: Array, site: NDArray[np.intp]) -> float:
    """``1 / (1 - R^2)`` of a covariate on the sites and the other covariates.

    Args:
        column: Which covariate.
        table: One row per person, (N, C).
        site: Number of the site, (N,).

    Example:
        >>> ages = np.array([[20.0], [40.0], [20.0], [40.0]])
        >>> inflation(0, ages, np.array([0, 0, 1, 1]))
        1.0
    """
    known = ~np.isnan(table).any(axis=1)
    if known.sum() < 3:
        return float("nan")
    x, where = table[known], site[known]
    total = float(((x[:, column] - x[:, column].mean()) ** 2).sum())
    if total == 0:
        return float("nan")
    centred = x - np.stack([x[where == where[i]].mean(0) for i in range(len(x))])
    rest = np.delete(centred, column, axis=1)
    y = centred[:, column]
    if rest.shape[1]:
        y = y - rest @ np.linalg.lstsq(rest, y, rcond=None)[0]
    left = float(y @ y)
    return total / left if left > 1e-9 * total else float("inf")
