"""Paired differences of several people, and what they say about the sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse.csgraph import connected_components

from noise_models.scanner.estimate import (
    BIAS_NAMES,
    CONTRAST_NAMES,
    NAMES,
    PSF_NAMES,
)
from noise_models.scanner.paired.comparison import Compared
from noise_models.scanner.paired.travelers import FEWEST
from noise_models.scanner.sites import Site, per_subject, robust_mean

REPEATS = 400
COLUMNS = [NAMES.index(n) for n in (*PSF_NAMES, *CONTRAST_NAMES, *BIAS_NAMES)]
"""What anatomy can mimic, and pairs therefore know better; noise stays as it was."""

Array = NDArray[np.float64]
Comparisons = Mapping[tuple[str, str], Sequence[Compared]]


@dataclass(frozen=True)
class Steps:
    """How far every site lies from the mean of the sites it is linked to.

    Attributes:
        sites: Labels.
        linked: Number of the group of each site; -1 where it shares no travelers.
        mean: ``(S, K)``; sums to 0 over a group.
        draws: The same for resampled people, ``(R, S, K)``.
        people: Travelers of every pair that was compared.

    Example:
        >>> Steps.__name__
        'Steps'
    """

    sites: tuple[str, ...]
    linked: tuple[int, ...]
    mean: Array
    draws: Array
    people: Mapping[tuple[str, str], int]

    def are_linked(self, a: str, b: str) -> bool:
        """Whether travelers lead from A to B, maybe through other sites."""
        i, j = self.sites.index(a), self.sites.index(b)
        return self.linked[i] >= 0 and self.linked[i] == self.linked[j]

    def travelers(self, a: str, b: str) -> int:
        """People behind the difference of two linked sites: of the pair, or fewest."""
        direct = self.people.get((a, b), self.people.get((b, a), 0))
        group = self.linked[self.sites.index(a)]
        inside = [
            count
            for (first, _), count in self.people.items()
            if self.linked[self.sites.index(first)] == group
        ]
        return direct or min(inside, default=0)

    def between(self, a: str, b: str) -> tuple[Array, Array]:
        """B less A, (K,), and its 95 % interval, (K, 2)."""
        i, j = self.sites.index(a), self.sites.index(b)
        step = self.mean[j] - self.mean[i]
        half = _half_width(self.draws[:, j] - self.draws[:, i], self.travelers(a, b))
        return step, np.stack([step - half, step + half], 1)

    def moved(self, sites: Sequence[Site]) -> tuple[Site, ...]:
        """The sites, each at the common mean of its group plus its step.

        Where a group as a whole lies is not for pairs to say: there the mean of the
        sites' own means stays, and its uncertainty is in every ``ci95``, with the
        uncertainty of the step in quadrature. Spread within sites is as it was.
        """
        found = list(sites)
        for group in {g for g in self.linked if g >= 0}:
            members = [k for k, g in enumerate(self.linked) if g == group]
            middle = np.mean([sites[k].mean for k in members], axis=0)
            half = np.mean(
                [np.diff(np.array(sites[k].ci95), axis=1)[:, 0] / 2 for k in members], 0
            )
            fewest = min(
                count
                for (a, _), count in self.people.items()
                if self.linked[self.sites.index(a)] == group
            )
            for k in members:
                own = _half_width(self.draws[:, k], fewest)
                mean = np.array(sites[k].mean)
                ends = np.array(sites[k].ci95)
                wide = np.hypot(half, own)
                mean[COLUMNS] = (middle + self.mean[k])[COLUMNS]
                ends[COLUMNS] = np.stack([mean - wide, mean + wide], 1)[COLUMNS]
                found[k] = replace(
                    sites[k],
                    mean=tuple(mean.tolist()),
                    ci95=tuple((float(low), float(high)) for low, high in ends),
                )
        return tuple(found)


def steps_between(
    sites: Sequence[str],
    compared: Comparisons,
    *,
    seed: int = 0,
    fewest: int = FEWEST,
    without: frozenset[str] = frozenset(),
) -> Steps:
    """Pool the differences of all people, over all pairs of sites at once.

    The robust mean difference of every pair, then least squares over the sites (one
    person at three sites makes three pairs, which need not add up). Intervals resample
    people, each with all their scans (Bayesian bootstrap, Rubin 1981,
    doi:10.1214/aos/1176345338, which never loses a pair of sites).

    Args:
        sites: Labels.
        compared: For pairs (A, B) what each person says; unusable ones are left out.
        seed: Of the bootstrap.
        fewest: People below which a pair is left out.
        without: People to leave out.

    Example:
        >>> from noise_models.scanner.paired.registration import Rigid
        >>> still = Rigid(((1, 0, 0), (0, 1, 0), (0, 0, 1)), (0, 0, 0), 1.0)
        >>> seen = [Compared(who, (0.5,) * len(NAMES), still) for who in "abc"]
        >>> found = steps_between(("A", "B"), {("A", "B"): seen})
        >>> found.mean[:, 0].round(6).tolist()
        [-0.25, 0.25]
    """
    labels = tuple(sites)
    kept = {
        pair: [c for c in found if not c.problem and c.subject not in without]
        for pair, found in compared.items()
        if set(pair) <= set(labels)
    }
    kept = {p: f for p, f in kept.items() if len({c.subject for c in f}) >= fewest}
    everyone = sorted({c.subject for found in kept.values() for c in found})
    rng = np.random.default_rng(seed)
    weights = rng.standard_exponential((REPEATS + 1, len(everyone)))
    weights[0] = 1.0
    edges = np.zeros((len(kept), len(labels)))
    means = np.zeros((len(kept), REPEATS + 1, len(NAMES)))
    counts = np.zeros(len(kept))
    for k, ((a, b), found) in enumerate(kept.items()):
        who = sorted({c.subject for c in found})
        rows = per_subject(
            np.array([c.difference for c in found]), [c.subject for c in found]
        )
        means[k] = robust_mean(rows, weights[:, [everyone.index(w) for w in who]])
        edges[k, labels.index(a)], edges[k, labels.index(b)] = -1, 1
        counts[k] = len(who)
    laplacian = edges.T @ (edges * counts[:, None])
    solved = np.linalg.pinv(laplacian) @ edges.T @ np.diag(counts)
    steps = np.einsum("se,erk->rsk", solved, means)
    _, group = connected_components(laplacian != 0, directed=False)
    alone = np.diag(laplacian) == 0
    linked = tuple(int(-1 if a else g) for g, a in zip(group, alone, strict=True))
    people = dict(zip(kept, (int(c) for c in counts), strict=True))
    return Steps(
        sites=labels, linked=linked, mean=steps[0], draws=steps[1:], people=people
    )


def _half_width(draws: Array, people: int) -> Array:
    """Half of the 95 % interval: Student's t, and the bootstrap's SE unbiased."""
    if people < 2:
        return np.full(draws.shape[1], np.inf)
    correction = np.sqrt((people + 1) / (people - 1))
    factor = float(stats.t.ppf(0.975, people - 1)) * correction
    return np.asarray(factor * draws.std(axis=0, ddof=1))
