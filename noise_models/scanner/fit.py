"""From folders of scans to a fitted scanner noise."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
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
    resampled_estimate,
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
MOST_SCANS = 12  # scans of A that are corrupted for each of them
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
    pairs = _pairs_to_try(list(scans)) if goodness else []
    trials = sum(min(len(scans[a]), MOST_SCANS) + len(scans[b]) for a, b in pairs)
    counter = _Counter(len(names) + trials, progress)
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
    record = Record(
        evidence=evidence,
        pairs={
            f"{a.label}->{b.label}": summarise_pair(a, b, seed=seed)
            for a, b in permutations(sites, 2)
        },
        goodness={
            f"{a}->{b}": _try_pair(scans, estimates, people, (a, b), seed, jobs, counter)
            for a, b in pairs
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


def _try_pair(
    scans: Mapping[str, Sequence[Scan]],
    estimates: Mapping[str, Sequence[ScanEstimate]],
    people: Mapping[str, Sequence[str]],
    pair: tuple[str, str],
    seed: int,
    jobs: int,
    counter: _Counter,
) -> Goodness:
    """Cross-fitted: each half of A goes to B as fitted on the other half's people."""
    a, b = pair
    spacings = [[e.spacing_mm for e in estimates[site]] for site in pair]
    x, y, z = np.max([np.median(s, axis=0) for s in spacings], axis=0).tolist()
    grid = (x, y, z)
    chosen = range(min(len(scans[a]), MOST_SCANS))
    used = sum(min(len(scans[s]), MOST_SCANS) for s in (a,)) + len(scans[b])
    if min(len(set(people[a])), len(set(people[b]))) < 4:
        for _ in range(used):
            counter.step(f"{a}->{b}")
        nothing = float("nan")
        counts = (len(scans[a]), len(scans[b]))
        return Goodness(nothing, nothing, nothing, "not enough evidence", counts)
    halves = [split_sites(estimates[s], people[s], s, seed) for s in pair]
    fold = {i: k for k in (0, 1) for i in halves[0][0][k]}
    tasks = []
    for i in chosen:
        fitted = (halves[0][1][fold[i]], halves[1][1][fold[i]])
        trial = Trial(scans[a][i], estimates[a][i], fitted, b, grid, seed + i)
        tasks.append((f"{a}->{b}: {estimates[a][i].label}", delayed(_trial)(trial)))
    for e, scan in zip(estimates[b], scans[b], strict=True):
        tasks.append((f"{b}: {e.label}", delayed(resampled_estimate)(scan, e, grid)))
    results = _run(tasks, jobs, counter)
    before = np.stack([own for own, _ in results[: len(chosen)]])
    after = np.stack([new for _, new in results[: len(chosen)]])
    groups = ([people[a][i] for i in chosen], list(people[b]))
    return judge(before, after, np.stack(results[len(chosen) :]), groups, seed)


def _trial(trial: Trial) -> tuple[Any, Any]:
    own = resampled_estimate(trial.scan, trial.estimate, trial.grid_mm)
    return own, corrupted_estimate(trial)


def _pairs_to_try(sites: Sequence[str]) -> list[tuple[str, str]]:
    """Neighbours first, in both directions, so that every site is tried early."""
    every = sorted(
        permutations(range(len(sites)), 2), key=lambda p: (abs(p[0] - p[1]), p)
    )
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


