"""Phantom people and the sites where they are scanned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from joblib import Parallel, delayed

from fit_parts.pools import keep, simulated, visit
from noise_models.scanner.common_grid import Specimen, specimen
from noise_models.scanner.estimate import (
    ESTIMATOR_VERSION,
    ScanEstimate,
    estimate_scan,
)
from noise_models.scanner.goodness import Half, halves

GROUPS = (
    ("KKI",),
    ("LEUVEN_1", "STANFORD", "PITT", "UM_1"),
    ("CALTECH", "NYU", "OLIN"),
)
"""Sites that image the same people; the two of a pair never do, unless asked to."""
GROUP_SIZE = 1000

Material = list[tuple[Specimen, ScanEstimate]]


def people_of(site: str, scans: int) -> range:
    """Who is scanned at a site."""
    (group,) = [k for k, sites in enumerate(GROUPS) if site in sites]
    return range(group * GROUP_SIZE, group * GROUP_SIZE + scans)


def material(
    place: Path, site: str, people: range, scale: float, jobs: int, *, day: int = 0
) -> Material:
    """Specimens and estimates of a site; scans and estimates are kept on disk."""
    folder = place / (f"{site}-day-{day}" if day else site)

    def one(person: int) -> tuple[Specimen, ScanEstimate]:
        which = (person, site, scale, day)
        made = simulated(folder, f"{person:04d}", visit, which)
        label = f"P{person:04d}"
        kept = keep(
            folder / f"v{ESTIMATOR_VERSION}",
            f"{person:04d}",
            lambda: estimate_scan(
                made["image"], made["spacing"], label=label
            ).as_dict(),
        )
        estimate = replace(ScanEstimate.from_dict(kept), site=site)
        return specimen((made["image"], made["spacing"]), estimate, label), estimate

    return Parallel(n_jobs=jobs)(delayed(one)(person) for person in people)


def split(pair: tuple[str, str], a: Material, b: Material) -> tuple[Half, Half]:
    """Both ways to learn from one half of the people and to judge by the other."""
    both = dict(zip(pair, (a, b), strict=True))
    specimens = {site: [s for s, _ in rows] for site, rows in both.items()}
    estimates = {site: [e for _, e in rows] for site, rows in both.items()}
    people = {site: [s.subject for s in rows] for site, rows in specimens.items()}
    return halves(specimens, estimates, people, pair, seed=0)
