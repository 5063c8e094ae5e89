"""From folders of scans to a fitted scanner noise."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import permutations
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from joblib import Parallel, delayed

from noise_models.scanner.estimate import ScanEstimate
from noise_models.scanner.goodness import (
    Trial,
    corrupted_estimate,
    judge,
    split_sites,
)
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.record import Goodness, Record
from noise_models.scanner.scans import Scan, estimate_cached, label_of
from noise_models.scanner.sites import Site, summarise_site
from noise_models.scanner.transfer import summarise_pair

Progress = Callable[[int, int, str], None]
Result = TypeVar("Result")

MOST_PAIRS = 6  # pairs whose goodness is tried
MOST_SCANS = 8  # scans of A that are corrupted for each of them
FEW_SUBJECTS = 10
EVIDENCE = ("unpaired", "matched", "paired")


def fit(
    scans: Mapping[str, Sequence[Scan]],
    *,
    subjects: Mapping[str, Sequence[str]] | None = None,
    evidence: str = "unpaired",
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
    cache: str | Path | None = None,
    goodness: bool = True,
) -> ScannerNoise:
    """Fit how the scanners of two or more sites differ.

    Args:
        scans: For every site its scans: NIfTI files, or (array, spacing_mm) with the
            array in RAS order. As acquired: not resampled, not denoised.
        subjects: For every site who was scanned, in the order of the scans; by
            default everyone is someone else. Intervals resample subjects.
        evidence: How the sites were compared. This fit pools each site's scans,
            so only ``"unpaired"`` and, for cohorts that the caller matched by
            covariates, ``"matched"`` are true; ``"paired"`` is refused.
        seed: Of the bootstrap and the goodness trial.
        jobs: Processes.
        progress: Called with (done, total, label).
        cache: Folder where estimates are kept by content.
        goodness: Whether to try the fit on held-out scans.

    Returns:
        The noise, with no source and no target chosen.

    Raises:
        ValueError: Fewer than two sites or two scans a site, or a scan that cannot
            be used (the message names it).
        FileNotFoundError: A file is not there.
    """
    people = _subjects(scans, subjects)
    _check(scans, evidence)
    folder = Path(cache) if cache is not None else None
    names = [
        (site, scan, label_of(scan, f"{site}/{k}"))
        for site, files in scans.items()
        for k, scan in enumerate(files)
    ]
    pairs = _pairs_to_try(list(scans), people) if goodness else []
    trials = sum(min(len(scans[a]), MOST_SCANS) for a, _ in pairs)
    work = len(names) + trials
    counter = _Counter(work, progress)
    found = _run(
        [
            (label, delayed(estimate_cached)(scan, label, site, folder))
            for site, scan, label in names
        ],
        jobs,
        counter,
    )
    estimates: dict[str, list[ScanEstimate]] = {site: [] for site in scans}
    for (site, _, _), estimate in zip(names, found, strict=True):
        estimates[site].append(estimate)
    sites = tuple(
        summarise_site(site, estimates[site], subjects=people[site], seed=seed)
        for site in scans
    )
    trial = _Trials(scans, estimates, people, seed, jobs, counter)
    record = Record(
        evidence=evidence,
        pairs={
            f"{a.label}->{b.label}": summarise_pair(a, b, seed=seed)
            for a, b in permutations(sites, 2)
        },
        goodness={
            f"{a}->{b}": trial.judge(a, b)
            if (a, b) in pairs
            else _untried(len(scans[a]), len(scans[b]))
            for a, b in permutations(scans, 2)
            if (a, b) in pairs or (goodness and len(pairs) < MOST_PAIRS)
        },
        seed=seed,
        versions=_versions(),
        inputs={e.label: e.digest for site in scans for e in estimates[site]},
        warnings=_warnings(sites),
    )
    return ScannerNoise(sites, record=record)


class _Counter:
    """Counts finished work for the progress callback."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def step(self, label: str) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total, label)


def _run(tasks: Sequence[tuple[str, Any]], jobs: int, counter: _Counter) -> list[Any]:
    """Results in the order of the tasks; the counter hears of each as it is done."""
    results = []
    work = Parallel(n_jobs=jobs, return_as="generator")(task for _, task in tasks)
    for (label, _), result in zip(tasks, work, strict=True):
        results.append(result)
        counter.step(label)
    return results


@dataclass
class _Trials:
    """Held-out trials: each half of a site is sent by the fit of the other half."""

    scans: Mapping[str, Sequence[Scan]]
    estimates: Mapping[str, Sequence[ScanEstimate]]
    people: Mapping[str, Sequence[str]]
    seed: int
    jobs: int
    counter: _Counter

    def judge(self, a: str, b: str) -> Goodness:
        """Corrupt scans of A with the fit of the other half; compare with B."""
        chosen = range(min(len(self.scans[a]), MOST_SCANS))
        parts, fitted = self._halves(a)
        _, fitted_b = self._halves(b)
        fold = {i: k for k in (0, 1) for i in parts[k]}
        tasks = []
        for i in chosen:
            e = self.estimates[a][i]
            sites = (fitted[fold[i]], fitted_b[fold[i]])
            trial = Trial(self.scans[a][i], e, sites, b, self.seed + i)
            tasks.append((f"{a}->{b}: {e.label}", delayed(corrupted_estimate)(trial)))
        after = np.stack(_run(tasks, self.jobs, self.counter))
        before, real = (
            np.stack([e.vector for e in self.estimates[site]]) for site in (a, b)
        )
        groups = ([self.people[a][i] for i in chosen], list(self.people[b]))
        return judge(before[: len(chosen)], after, real, groups, self.seed)

    def _halves(self, site: str) -> tuple[list[list[int]], list[Site]]:
        return split_sites(self.estimates[site], self.people[site], site, self.seed)


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
    if evidence == "paired":
        raise ValueError(
            "evidence 'paired' is not available: this fit pools each site's scans "
            "and would not use the pairs. Use evidence='unpaired'."
        )
    if evidence not in EVIDENCE:
        raise ValueError(f"evidence must be one of {EVIDENCE}, got {evidence!r}.")


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
