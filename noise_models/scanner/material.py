"""Scans, estimates and specimens of a fit, and the long work that is done on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import delayed
from numpy.typing import NDArray

from noise_models.scanner.calibration import (
    FEWEST_CALIBRATED,
    Calibration,
    calibrate,
)
from noise_models.scanner.common_grid import Specimen, specimen
from noise_models.scanner.estimate import ScanEstimate
from noise_models.scanner.goodness import (
    Place,
    feature_table,
    halves,
    is_tried_calibrated,
    judge,
    try_half,
    unattainable,
)
from noise_models.scanner.paired.comparison import compare
from noise_models.scanner.paired.fitting import Arms, Travelers
from noise_models.scanner.paired.residual import residual
from noise_models.scanner.paired.travelers import Visit
from noise_models.scanner.record import Goodness, pair_key
from noise_models.scanner.scans import Scan
from noise_models.scanner.sites import Site, fill_gaps, per_subject
from noise_models.scanner.task_pool import TaskPool
from noise_models.scanner.transfer import Pair

PAIRED_TRUST = 0.25  # of the estimators' error, where travelers were compared

Specimens = dict[str, list[Specimen]]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Material:
    """What comparison, calibration and trial work on.

    Attributes:
        scans: Of every site.
        estimates: Likewise, as measured.
        adjusted: Likewise, at the common covariates.
        people: Who was scanned.
        seed: Of every draw.
        pool: Where the work is done.

    Example:
        >>> Material.__name__
        'Material'
    """

    scans: Mapping[str, Sequence[Scan]]
    estimates: Mapping[str, Sequence[ScanEstimate]]
    adjusted: Mapping[str, Sequence[ScanEstimate]]
    people: Mapping[str, Sequence[str]]
    seed: int
    pool: TaskPool

    def compare(self, visits: Mapping[tuple[str, str], Sequence[Visit]]) -> Travelers:
        """Every traveler's scans laid over each other."""
        which = [(pair, visit) for pair, found in visits.items() for visit in found]
        tasks = [
            (
                f"comparing {who} at {a} and {b}",
                delayed(compare)(
                    self.scans[a][i],
                    self.scans[b][j],
                    self.estimates[a][i],
                    self.estimates[b][j],
                    who,
                ),
            )
            for (a, b), (who, i, j) in which
        ]
        compared: dict[tuple[str, str], list[Any]] = {pair: [] for pair in visits}
        for (pair, _), found in zip(which, self.pool.run(tasks), strict=True):
            compared[pair].append(found)
        travelers = Travelers(compared, self.seed)
        if visits:
            travelers.check()
        return travelers

    def residuals(
        self,
        travelers: Travelers,
        specimens: Specimens,
        sites: tuple[Site, ...],
        pairs: Mapping[str, Pair],
        without: Mapping[tuple[str, str], Mapping[str, Calibration]],
    ) -> dict[tuple[str, str], list[Arms]]:
        """corrupt(A) against B's scan of the same person, who is left out.

        Args:
            travelers: Who was seen at several sites.
            specimens: Of every site.
            sites: As they are without travelers.
            pairs: What each pair adds.
            without: For the tried pairs and each person the calibration of people
                without them.
        """
        trials = [
            (pair, one)
            for pair, calibrations in without.items()
            for one in travelers.trials(
                pair, specimens, self.estimates, sites, pairs, calibrations
            )
        ]
        self.pool.total += len(trials)
        tasks = [
            (
                f"trying {pair_key(*pair)} on {couple.a.subject}",
                delayed(residual)(couple, noise, others, seed=self.seed),
            )
            for pair, (couple, noise, others) in trials
        ]
        left: dict[tuple[str, str], list[Arms]] = {}
        for (pair, _), found in zip(trials, self.pool.run(tasks), strict=True):
            left.setdefault(pair, []).append(found)
        return left

    def specimens(self, shown: Mapping[str, Sequence[int]]) -> Specimens:
        """Some scans of every site on the common grid."""
        which = [(site, i) for site, chosen in shown.items() for i in chosen]
        tasks = [
            (
                f"resampling {self.estimates[site][i].label}",
                delayed(specimen)(
                    self.scans[site][i], self.estimates[site][i], self.people[site][i]
                ),
            )
            for site, i in which
        ]
        found: dict[str, list[Specimen]] = {site: [] for site in self.scans}
        for (site, _), one in zip(which, self.pool.run(tasks), strict=True):
            found[site].append(one)
        return found

    def calibrate(
        self,
        specimens: Specimens,
        sites: tuple[Site, ...],
        pairs: Sequence[tuple[str, str]],
        *,
        is_paired: bool = False,
    ) -> dict[tuple[str, str], Calibration]:
        """Calibration of every pair; of travelers only, where there are enough."""
        chosen = {
            (a, b): _same_people(specimens[a], specimens[b])
            if is_paired
            else (specimens[a], specimens[b])
            for a, b in pairs
        }
        tasks = [
            (
                f"calibrating {pair_key(a, b)}",
                delayed(calibrate)(
                    chosen[a, b][0],
                    feature_table(chosen[a, b][1]),
                    sites,
                    b,
                    seed=self.seed,
                    trust=PAIRED_TRUST if is_paired else 1.0,
                ),
            )
            for a, b in pairs
        ]
        return dict(zip(pairs, self.pool.run(tasks), strict=True))

    def judge(
        self,
        specimens: Specimens,
        pairs: Mapping[str, Pair],
        tried: Mapping[tuple[str, str], tuple[Vector, Vector] | None],
        place: Place | None = None,
        *,
        is_calibrated: bool = True,
    ) -> tuple[
        dict[tuple[str, str], Goodness],
        dict[tuple[str, str], dict[str, Calibration]],
    ]:
        """Goodness of the tried pairs, each half by the fit of the other.

        Beside it, for every pair and person, the calibration that did without them;
        none where the fit has none, or where it is not worth its time.
        """
        is_paired = place is not None
        trust = PAIRED_TRUST if is_paired else 1.0
        both = [
            halves(
                specimens,
                self.adjusted,
                self.people,
                pair,
                self.seed,
                place,
                trust,
                is_calibrated
                and is_tried_calibrated(
                    [len(specimens[site]) for site in pair], is_paired=is_paired
                ),
            )
            for pair in tried
        ]
        tasks = [
            (f"trying {pair_key(a, b)}", delayed(try_half)(half))
            for (a, b), pair in zip(tried, both, strict=True)
            for half in pair
        ]
        found = self.pool.run(tasks)
        judged, without = {}, {}
        for k, (pair, (first, second)) in enumerate(zip(tried, both, strict=True)):
            made = list(zip(found[2 * k : 2 * k + 2], (first, second), strict=True))
            trials = [(one.looks, half) for one, half in made]
            without[pair] = {
                s.subject: one.calibration for one, half in made for s in half.test
            }
            added = pairs[pair_key(*pair)]
            judged[pair] = judge(
                trials,
                (self._vectors(pair[0]), self._vectors(pair[1])),
                unattainable(added.clipped_noise, added.clipped_axes),
                self.seed,
                tried[pair],
                (self.people[pair[0]], self.people[pair[1]]),
            )
        return judged, without

    def _vectors(self, site: str) -> NDArray[np.float64]:
        """Parameters of the people of a site, by name, (N, K)."""
        rows = np.stack([e.vector for e in self.adjusted[site]])
        return per_subject(fill_gaps(rows, site), self.people[site])


def _same_people(
    a: Sequence[Specimen], b: Sequence[Specimen]
) -> tuple[list[Specimen], list[Specimen]]:
    """The scans of people seen at both sites, or all where they are too few."""
    both = {one.subject for one in a} & {one.subject for one in b}
    if len(both) < FEWEST_CALIBRATED:
        return list(a), list(b)
    first, second = ([s for s in ones if s.subject in both] for ones in (a, b))
    return first, second
