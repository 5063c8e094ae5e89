"""From folders of scans to a fitted scanner noise."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from itertools import permutations
from pathlib import Path

from joblib import delayed

from noise_models.scanner.adjustment import Adjustment, plan_adjustment
from noise_models.scanner.calibration import (
    FEWEST_CALIBRATED,
    NO_CALIBRATION,
    Calibration,
)
from noise_models.scanner.covariates import Values, are_matched
from noise_models.scanner.estimate import ScanEstimate
from noise_models.scanner.flags import MEANINGS
from noise_models.scanner.material import Material
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.paired.travelers import (
    Visit,
    check_travelers,
    shared_visits,
)
from noise_models.scanner.record import Goodness, Record, pair_key
from noise_models.scanner.scans import Scan, estimate_cached, label_of
from noise_models.scanner.sites import Site, summarise_site
from noise_models.scanner.task_pool import Progress, TaskPool
from noise_models.scanner.transfer import Pair, summarise_pair

MOST_PAIRS = 6  # pairs whose goodness is tried
MOST_MOVED = 30  # pairs that are calibrated
MOST_SCANS = 24  # people of a site who are looked at on the common grid
FEW_SUBJECTS = 10
NO_AGES = "No ages known: differences in contrast may be the people's."
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
    dask: str | None = None,
    progress: Progress | None = None,
    cache: str | Path | None = None,
    goodness: bool = True,
    calibration: bool = True,
    command: str = "",
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
        dask: Address of a Dask scheduler that takes their place; its workers must
            see the scans, and the cache, under the same paths.
        progress: Called with (done, total, label).
        cache: Folder where estimates are kept by content.
        goodness: Whether to try the fit on held-out scans.
        calibration: Whether to correct each transfer by what it does (`calibrate`).
        command: What was typed, for the record.

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
    tried = _pairs_to_try(list(scans), people) if goodness else []
    moved = _pairs_to_calibrate(scans) if calibration else []
    shown = _shown(people, visits) if tried or moved else {}
    steps = sum(len(x) for part in (scans, shown, visits) for x in part.values())
    steps += len(moved) + 2 * len(tried)
    pool = TaskPool(jobs, steps, progress, dask)
    estimates = _estimates(scans, pool, folder)
    adjusted, slopes = plan.estimates(estimates)
    alone = tuple(
        plan.widened(
            summarise_site(site, adjusted[site], subjects=people[site], seed=seed),
            slopes,
        )
        for site in scans
    )
    material = Material(scans, estimates, adjusted, people, seed, pool)
    travelers = material.compare(visits)
    sites = travelers.place(alone)
    specimens, feature_slopes = plan.specimens(shown, material.specimens(shown))
    calibrated = material.calibrate(specimens, sites, moved, is_paired=bool(visits))
    pairs = _pairs(sites, calibrated, seed)
    place = travelers.place if visits else None
    unsure = {pair: plan.unsure(pair, slopes, feature_slopes) for pair in tried}
    judged, without_them = material.judge(
        specimens, pairs, unsure, place, is_calibrated=calibration
    )
    residuals = material.residuals(travelers, specimens, alone, pairs, without_them)
    record = Record(
        evidence=_evidence(evidence, plan),
        pairs=pairs,
        goodness=_goodness(
            judged, scans, is_complete=goodness and len(tried) < MOST_PAIRS
        ),
        seed=seed,
        versions=_versions(),
        inputs={e.label: e.digest for site in scans for e in estimates[site]},
        warnings=(
            *_confounding(plan, evidence),
            *(travelers.warnings(list(scans)) if visits else ()),
            *warnings_of(sites),
        ),
        paired=travelers.evidence(sites, residuals),
        covariates=plan.covariates,
        command=command,
    )
    return ScannerNoise(sites, record=record)


def _estimates(
    scans: Mapping[str, Sequence[Scan]], pool: TaskPool, cache: Path | None
) -> dict[str, list[ScanEstimate]]:
    """What every scan says, by site, in the order of the scans."""
    named = [
        (site, scan, label_of(scan, f"{site}/{k}"))
        for site, files in scans.items()
        for k, scan in enumerate(files)
    ]
    found = pool.run(
        (label, delayed(estimate_cached)(scan, label, site, cache))
        for site, scan, label in named
    )
    estimates: dict[str, list[ScanEstimate]] = {site: [] for site in scans}
    for (site, _, _), estimate in zip(named, found, strict=True):
        estimates[site].append(estimate)
    return estimates


def _pairs(
    sites: Sequence[Site],
    calibrated: Mapping[tuple[str, str], Calibration],
    seed: int,
) -> dict[str, Pair]:
    """What every pair of sites adds, as calibrated where it was."""
    found = {}
    for a, b in permutations(sites, 2):
        settings = calibrated.get((a.label, b.label), NO_CALIBRATION).settings
        found[pair_key(a.label, b.label)] = summarise_pair(a, b, seed=seed, **settings)
    return found


def _goodness(
    judged: Mapping[tuple[str, str], Goodness],
    scans: Mapping[str, Sequence[Scan]],
    *,
    is_complete: bool,
) -> dict[str, Goodness]:
    """How well the tried pairs do; in a complete list the others lack evidence."""
    return {
        pair_key(a, b): judged.get((a, b), _untried(len(scans[a]), len(scans[b])))
        for a, b in permutations(scans, 2)
        if (a, b) in judged or is_complete
    }


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


def _pairs_to_calibrate(
    scans: Mapping[str, Sequence[Scan]],
) -> list[tuple[str, str]]:
    """All pairs of few sites; of many, neighbours first."""
    enough = [
        k for k, files in enumerate(scans.values()) if len(files) >= FEWEST_CALIBRATED
    ]
    every = sorted(permutations(enough, 2), key=lambda p: (abs(p[0] - p[1]), p))
    labels = list(scans)
    return [(labels[i], labels[j]) for i, j in every[:MOST_MOVED]]


def _untried(scans_a: int, scans_b: int) -> Goodness:
    nothing = float("nan")
    counts = (scans_a, scans_b)
    return Goodness(
        auc_before=nothing,
        auc_after=nothing,
        auc_floor=nothing,
        verdict="not enough evidence",
        scans=counts,
    )


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
    said = [one.sentence(name) for name, one in plan.covariates.items()]
    if "age" not in plan.covariates:
        said.append(NO_AGES)
    return [sentence for sentence in said if sentence]


def warnings_of(sites: Sequence[Site]) -> tuple[str, ...]:
    """What makes the numbers of sites mean less than they say, a sentence each."""
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
        found += [
            f"{site.label}: most scans flagged '{flag}': {MEANINGS[flag]}."
            for flag in site.flags
        ]
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
