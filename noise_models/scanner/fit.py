"""From folders of scans to a fitted scanner noise."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from noise_models.scanner.adjustment import Adjustment, plan_adjustment
from noise_models.scanner.calibration import calibrate
from noise_models.scanner.common_grid import Specimen, specimen
from noise_models.scanner.covariates import Values, are_matched
from noise_models.scanner.estimate import ScanEstimate
from noise_models.scanner.goodness import (
    Place,
    feature_table,
    halves,
    judge,
    try_half,
    unattainable,
)
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.paired.comparison import compare
from noise_models.scanner.paired.fitting import Arms, Travelers
from noise_models.scanner.paired.residual import residual
from noise_models.scanner.paired.travelers import (
    Visit,
    check_travelers,
    shared_visits,
)
from noise_models.scanner.record import Goodness, Record
from noise_models.scanner.scans import Scan, estimate_cached, label_of
from noise_models.scanner.sites import Site, fill_gaps, per_subject, summarise_site
from noise_models.scanner.transfer import Pair, summarise_pair

Progress = Callable[[int, int, str], None]
Specimens = dict[str, list[Specimen]]
Vector = NDArray[np.float64]

MOST_PAIRS = 6  # pairs whose goodness is tried
MOST_MOVED = 20  # pairs that are calibrated
MOST_SCANS = 16  # people of a site who are looked at on the common grid
MOST_CALIBRATED = 6  # scans of A that are corrupted to calibrate a pair
PAIRED_TRUST = 0.25  # of the estimators' error, where travelers were compared
FEWEST_MOVED = 4  # scans a site below which nothing is calibrated
FEW_SUBJECTS = 10
EVIDENCE = ("unpaired", "matched", "paired")


def fit(
    scans: Mapping[str, Sequence[Scan]],
    *,
    subjects: Mapping[str, Sequence[str]] | None = None,
    evidence: str = "unpaired",
    covariates: Values | None = None,
    adjust: Sequence[str] | None = None,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
    cache: str | Path | None = None,
    goodness: bool = True,
    calibration: bool = True,
) -> ScannerNoise:
    """Fit how the scanners of two or more sites differ.

    Args:
        scans: For every site its scans: NIfTI files, or (array, spacing_mm) with the
            array in RAS order. As acquired: not resampled, not denoised.
        subjects: For every site who was scanned, in the order of the scans; by
            default everyone is someone else. Intervals resample subjects.
        evidence: How the sites are compared: ``"unpaired"`` pools each site's scans;
            ``"paired"`` lays the scans of people seen at several sites (one label in
            ``subjects``) over each other, and takes the differences in shading,
            contrast and sharpness from them (`paired`); ``"matched"`` is for cohorts
            that the caller matched. An unpaired fit whose covariates are matched
            (`covariates.are_matched`) says so by itself.
        covariates: For every site, by name, one number per scan, nan where unknown.
        adjust: Covariates that contrast and sharpness are adjusted for
            (`adjustment`); all that can be when None.
        seed: Of the bootstrap and the goodness trial.
        jobs: Processes.
        progress: Called with (done, total, label).
        cache: Folder where estimates are kept by content.
        goodness: Whether to try the fit on held-out scans.
        calibration: Whether to correct each transfer by what it does (`calibrate`).

    Returns:
        The noise, with no source and no target chosen.

    Raises:
        ValueError: Fewer than two sites or two scans a site, or a scan that cannot
            be used (the message names it).
        FileNotFoundError: A file is not there.
    """
    people = _subjects(scans, subjects)
    _check(scans, evidence)
    if evidence == "paired":
        check_travelers(people)
    visits = shared_visits(people) if evidence == "paired" else {}
    plan = plan_adjustment(covariates, people, adjust)
    folder = Path(cache) if cache is not None else None
    names = [
        (site, scan, label_of(scan, f"{site}/{k}"))
        for site, files in scans.items()
        for k, scan in enumerate(files)
    ]
    tried = _pairs_to_try(list(scans), people) if goodness else []
    moved = _pairs_to_calibrate(scans) if calibration else []
    shown = _shown(people, visits) if tried or moved else {}
    work = len(names) + sum(map(len, shown.values())) + len(moved) + 2 * len(tried)
    work += sum(map(len, visits.values()))
    pool = _Pool(jobs, work, progress)
    found = pool.run(
        (label, delayed(estimate_cached)(scan, label, site, folder))
        for site, scan, label in names
    )
    estimates: dict[str, list[ScanEstimate]] = {site: [] for site in scans}
    for (site, _, _), estimate in zip(names, found, strict=True):
        estimates[site].append(estimate)
    adjusted, slopes = plan.estimates(estimates)
    alone = tuple(
        plan.widened(
            summarise_site(site, adjusted[site], subjects=people[site], seed=seed),
            slopes,
        )
        for site in scans
    )
    material = _Material(scans, estimates, adjusted, people, seed, pool)
    travelers = material.compare(visits)
    sites = travelers.place(alone)
    specimens, feature_slopes = plan.specimens(shown, material.specimens(shown))
    calibrated = material.calibrate(specimens, sites, moved, is_paired=bool(visits))
    pairs = {
        f"{a.label}->{b.label}": summarise_pair(
            a, b, seed=seed, **calibrated.get((a.label, b.label), {})
        )
        for a, b in permutations(sites, 2)
    }
    place = travelers.place if visits else None
    unsure = {pair: plan.unsure(pair, slopes, feature_slopes) for pair in tried}
    judged = material.judge(specimens, pairs, unsure, place)
    left = material.residuals(travelers, specimens, alone, pairs, tried)
    record = Record(
        evidence=_evidence(evidence, plan),
        pairs=pairs,
        goodness={
            f"{a}->{b}": judged.get((a, b), _untried(len(scans[a]), len(scans[b])))
            for a, b in permutations(scans, 2)
            if (a, b) in judged or (goodness and len(tried) < MOST_PAIRS)
        },
        seed=seed,
        versions=_versions(),
        inputs={e.label: e.digest for site in scans for e in estimates[site]},
        warnings=(
            *_confounding(plan, evidence),
            *(travelers.warnings(list(scans)) if visits else ()),
            *_warnings(sites),
        ),
        paired=travelers.evidence(sites, left),
        covariates=plan.covariates,
    )
    return ScannerNoise(sites, record=record)


class _Pool:
    """Runs named tasks on several processes and tells of each that is done."""

    def __init__(self, jobs: int, total: int, progress: Progress | None) -> None:
        self.jobs, self.done, self.total, self.progress = jobs, 0, total, progress

    def run(self, tasks: Iterable[tuple[str, Any]]) -> list[Any]:
        """Results in the order of the tasks."""
        named = list(tasks)
        work = Parallel(n_jobs=self.jobs, return_as="generator")
        results = []
        for (label, _), result in zip(named, work(t for _, t in named), strict=True):
            results.append(result)
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.total, label)
        return results


@dataclass(frozen=True)
class _Material:
    """What calibration and trial work on."""

    scans: Mapping[str, Sequence[Scan]]
    estimates: Mapping[str, Sequence[ScanEstimate]]
    adjusted: Mapping[str, Sequence[ScanEstimate]]
    people: Mapping[str, Sequence[str]]
    seed: int
    pool: _Pool

    def compare(self, visits: Mapping[tuple[str, str], Sequence[Visit]]) -> Travelers:
        """Every traveler's scans laid over each other."""
        which = [(pair, visit) for pair, found in visits.items() for visit in found]
        tasks = [
            (
                f"{who} at {a} and {b}",
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
        tried: Sequence[tuple[str, str]],
    ) -> dict[tuple[str, str], list[Arms]]:
        """corrupt(A) against B's scan of the same person, who is left out."""
        record = Record(pairs=pairs)
        trials = [
            (pair, one)
            for pair in tried
            for one in travelers.trials(pair, specimens, self.estimates, sites, record)
        ]
        self.pool.total += len(trials)
        tasks = [
            (
                f"{'->'.join(pair)}: {couple.a.subject}",
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
                f"{self.estimates[site][i].label} on the common grid",
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
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """Calibration of every pair; of travelers only, where there are enough."""
        chosen = {
            (a, b): _same_people(specimens[a], specimens[b])
            if is_paired
            else (specimens[a], specimens[b])
            for a, b in pairs
        }
        tasks = [
            (
                f"{a}->{b}: calibration",
                delayed(calibrate)(
                    chosen[a, b][0][:MOST_CALIBRATED],
                    feature_table(chosen[a, b][1]),
                    sites,
                    b,
                    seed=self.seed,
                    trust=PAIRED_TRUST if is_paired else 1.0,
                ),
            )
            for a, b in pairs
        ]
        found = self.pool.run(tasks)
        return {
            pair: {
                "offset": one.offset.tolist(),
                "inherited": one.inherited,
                "apodisation": one.apodisation,
            }
            for pair, one in zip(pairs, found, strict=True)
        }

    def judge(
        self,
        specimens: Specimens,
        pairs: Mapping[str, Pair],
        tried: Mapping[tuple[str, str], tuple[Vector, Vector] | None],
        place: Place | None = None,
    ) -> dict[tuple[str, str], Goodness]:
        """Goodness of the tried pairs, each half by the fit of the other."""
        both = [
            halves(specimens, self.adjusted, self.people, pair, self.seed, place)
            for pair in tried
        ]
        tasks = [
            (f"{a}->{b}: trial", delayed(try_half)(half))
            for (a, b), pair in zip(tried, both, strict=True)
            for half in pair
        ]
        found = self.pool.run(tasks)
        judged = {}
        for k, (pair, (first, second)) in enumerate(zip(tried, both, strict=True)):
            trials = [(found[2 * k], first), (found[2 * k + 1], second)]
            added = pairs["->".join(pair)]
            judged[pair] = judge(
                trials,
                (self._vectors(pair[0]), self._vectors(pair[1])),
                unattainable(added.clipped_noise, added.clipped_axes),
                self.seed,
                tried[pair],
            )
        return judged

    def _vectors(self, site: str) -> NDArray[np.float64]:
        """Parameters of the people of a site, (N, K)."""
        rows = np.stack([e.vector for e in self.adjusted[site]])
        return per_subject(fill_gaps(rows, site), self.people[site])


def _shown(
    people: Mapping[str, Sequence[str]],
    visits: Mapping[tuple[str, str], Sequence[Visit]],
) -> dict[str, list[int]]:
    """Scans that are looked at on the common grid: one of each of the first people.

    Travelers come first, and in the same order everywhere.
    """
    traveled = {who for found in visits.values() for who, _, _ in found}
    chosen = {}
    for site, names in people.items():
        first = {name: i for i, name in reversed(list(enumerate(names)))}
        order = sorted(first, key=lambda who: first[who])
        order.sort(key=lambda who: (who not in traveled, who if traveled else ""))
        chosen[site] = [first[who] for who in order[:MOST_SCANS]]
    return chosen


def _same_people(
    a: Sequence[Specimen], b: Sequence[Specimen]
) -> tuple[list[Specimen], list[Specimen]]:
    """The scans of people seen at both sites, or all where they are too few."""
    both = {one.subject for one in a} & {one.subject for one in b}
    if len(both) < FEWEST_MOVED:
        return list(a), list(b)
    first, second = ([s for s in ones if s.subject in both] for ones in (a, b))
    return first, second


def _pairs_to_calibrate(
    scans: Mapping[str, Sequence[Scan]],
) -> list[tuple[str, str]]:
    """All pairs of few sites; of many, neighbours first."""
    enough = [k for k, files in enumerate(scans.values()) if len(files) >= FEWEST_MOVED]
    every = sorted(permutations(enough, 2), key=lambda p: (abs(p[0] - p[1]), p))
    labels = list(scans)
    return [(labels[i], labels[j]) for i, j in every[:MOST_MOVED]]


def _untried(scans_a: int, scans_b: int) -> Goodness:
    nothing = float("nan")
    counts = (scans_a, scans_b)
    return Goodness(nothing, nothing, nothing, "not enough evidence", counts)


def _pairs_to_try(
    sites: Sequence[str], people: Mapping[str, Sequence[str]]
) -> list[tuple[str, str]]:
    """Neighbours first, in both directions; only sites that can be halved."""
    enough = [k for k, site in enumerate(sites) if len(set(people[site])) >= 4]
    every = sorted(permutations(enough, 2), key=lambda p: (abs(p[0] - p[1]), p))
    return [(sites[i], sites[j]) for i, j in every[:MOST_PAIRS]]


def _subjects(
    scans: Mapping[str, Sequence[Scan]],
    subjects: Mapping[str, Sequence[str]] | None,
) -> dict[str, list[str]]:
    if subjects is None:
        return {s: [f"{s}/{k}" for k in range(len(v))] for s, v in scans.items()}
    for site, files in scans.items():
        named = len(subjects.get(site, ()))
        if named != len(files):
            raise ValueError(
                f"site {site}: subjects must name each of the {len(files)} scans, "
                f"got {named} names."
            )
    return {site: [str(s) for s in subjects[site]] for site in scans}


def _check(scans: Mapping[str, Sequence[Scan]], evidence: str) -> None:
    if len(scans) < 2:
        raise ValueError(f"at least 2 sites are needed, got {list(scans)}.")
    for site, files in scans.items():
        if len(files) < 2:
            raise ValueError(
                f"site {site}: at least 2 scans are needed, got {len(files)}."
            )
    if evidence not in EVIDENCE:
        raise ValueError(f"evidence must be one of {EVIDENCE}, got {evidence!r}.")


def _evidence(asked: str, plan: Adjustment) -> str:
    """What the sites were compared by; matched covariates speak for themselves."""
    return "matched" if asked == "unpaired" and are_matched(plan.covariates) else asked


def _confounding(plan: Adjustment, evidence: str) -> list[str]:
    """Where age or sex could pass for a scanner. Pairs do not mind."""
    if evidence == "paired":
        return []
    said = (one.sentence(name) for name, one in plan.covariates.items())
    return [sentence for sentence in said if sentence]


def _warnings(sites: Sequence[Site]) -> tuple[str, ...]:
    found = []
    for site in sites:
        if site.subjects < FEW_SUBJECTS:
            found.append(
                f"{site.label}: {site.subjects} subjects; PSF differences below "
                "0.5 voxel cannot be seen with fewer than 10."
            )
        _, tissue, none = site.evidence
        if tissue + none > 0:
            found.append(
                f"{site.label}: air unusable in {tissue + none} of {site.scans} scans; "
                "their noise was estimated from tissue."
            )
        found += [f"{site.label}: most scans flagged '{f}'." for f in site.flags]
        found += [f"{site.label}: outlier {scan}." for scan in site.outliers]
    return tuple(found)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("medvae-denoise", "torch", "numpy", "scipy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
