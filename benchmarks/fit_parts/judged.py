"""corrupt(A) against B on pairs of phantom sites, beside what people use instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from fit_parts.others import auc_of, nyul, ranges
from fit_parts.pools import keep
from fit_parts.visits import Material, material, people_of, split
from noise_models.scanner.calibration import corrupted_volumes
from noise_models.scanner.common_grid import GRID_MM
from noise_models.scanner.estimate import (
    ESTIMATOR_VERSION,
    ScanEstimate,
    estimate_scan,
)
from noise_models.scanner.features import FEATURES
from noise_models.scanner.goodness import (
    Half,
    Looks,
    Tried,
    feature_table,
    judge,
    try_half,
    unattainable,
)
from noise_models.scanner.sites import summarise_site
from noise_models.scanner.transfer import summarise_pair
from noise_models.scanner.two_sample import LEAST_SD, two_sample_auc

REACHABLE = (  # B at least as noisy and as blurred as A, by the sites' own settings
    ("KKI", "LEUVEN_1"),
    ("KKI", "NYU"),
    ("KKI", "STANFORD"),
    ("KKI", "CALTECH"),
    ("KKI", "OLIN"),
    ("KKI", "PITT"),
    ("LEUVEN_1", "CALTECH"),
    ("LEUVEN_1", "OLIN"),
    ("UM_1", "OLIN"),
    ("PITT", "OLIN"),
)
BEYOND = (  # B cleaner or sharper, in part or altogether
    ("LEUVEN_1", "NYU"),
    ("NYU", "UM_1"),
    ("STANFORD", "CALTECH"),
    ("CALTECH", "KKI"),
)
PAIRS = (*REACHABLE, *BEYOND)


def judged(work: Path, scans: int, scale: float, pairs: int, jobs: int) -> dict:
    """AUC before, after, floor and verdict of every pair, and of other methods.

    Each pair is judged twice: with other people at B than at A, and with the same,
    where what differs between heads cancels.
    """
    place = work / f"judged-{scale:g}"
    found = {}
    for a, b in PAIRS[:pairs]:
        name = f"{a}-{b}-{scans}"
        judged_pair, again = (
            keep(
                place / f"{folder}-v{ESTIMATOR_VERSION}",
                name,
                lambda a=a, b=b, do=do: do(place, (a, b), scans, scale, jobs),
            )
            for folder, do in (("pairs", _judge_pair), ("again", perfect_again))
        )
        judged_pair["same people"]["perfect"] = again
        found[f"{a}->{b}"] = judged_pair
    reachable = [f"{a}->{b}" for a, b in REACHABLE[:pairs]]
    return {
        "pairs": found,
        "voxel_scale": scale,
        "scans_per_site": scans,
        "reachable": reachable,
        "auc_after_at_most_0.65": {
            who: sum(found[pair][who]["auc_after"] <= 0.65 for pair in reachable)
            for who in ("other people", "same people")
        },
        "of": len(reachable),
    }


def three(
    place: Path, pair: tuple[str, str], scans: int, scale: float, jobs: int
) -> tuple[list[Any], list[Any], list[Any]]:
    """Scans of A, of other people at B, and of A's own people at B."""
    own, there = (people_of(site, scans) for site in pair)
    asked = ((pair[0], own), (pair[1], there), (pair[1], own))
    a, b, true = (material(place, site, who, scale, jobs) for site, who in asked)
    return a, b, true


def _judge_pair(
    place: Path, pair: tuple[str, str], scans: int, scale: float, jobs: int
) -> dict[str, Any]:
    a, b, true = three(place, pair, scans, scale, jobs)
    both = split(pair, a, b)
    tried = Parallel(n_jobs=jobs)(delayed(_try_half)(half) for half in both)
    twins = split(pair, a, true)
    again = Parallel(n_jobs=jobs)(delayed(try_half)(half) for half in twins)
    return {
        "other people": {
            **verdict(pair, a, b, both, [one for one, _ in tried]),
            "perfect": perfect(both, true),
        },
        "same people": verdict(pair, a, true, twins, again),
        "nyul": {"auc_after": auc_of(both, nyul)},
        "torchio ranges": {"auc_after": auc_of(both, ranges)},
        "contrast over B's": _contrast(
            [e for _, found in tried for e in found],
            [_estimate(one.volume) for one, _ in b[:12]],
        ),
    }


def verdict(
    pair: tuple[str, str],
    a: Material,
    b: Material,
    both: Sequence[Half],
    tried: Sequence[Tried],
) -> dict[str, Any]:
    """What `judge` finds, as plain values."""
    tables = tuple(np.stack([e.vector for _, e in rows]) for rows in (a, b))
    sites = [
        summarise_site(label, [e for _, e in rows])
        for label, rows in zip(pair, (a, b), strict=True)
    ]
    added = summarise_pair(*sites)
    beyond = unattainable(added.clipped_noise, added.clipped_axes)
    trials = [(one.looks, half) for one, half in zip(tried, both, strict=True)]
    found = judge(trials, tables, beyond, 0)
    return {
        "auc_before": found.auc_before,
        "auc_after": found.auc_after,
        "auc_after_ci95": list(found.auc_after_ci95),
        "auc_attainable": found.auc_attainable,
        "auc_floor": found.auc_floor,
        "unattainable": list(found.unattainable),
        "verdict": found.verdict,
        "off_sd": _off(trials),
        "features_apart": [n for n, (_, p) in found.features.items() if p < 0.05],
    }


def _off(trials: Sequence[tuple[Looks, Half]]) -> dict[str, float]:
    """Features off by more than half an SD within sites, and by how many SD."""
    found = np.concatenate([looks.features for looks, _ in trials])
    real = np.concatenate([half.real.features for _, half in trials])
    spread = np.sqrt((found.var(0) + real.var(0)) / 2 + LEAST_SD**2)
    off = (found.mean(0) - real.mean(0)) / spread
    return {
        name: round(float(value), 2)
        for name, value in zip(FEATURES, off, strict=True)
        if abs(value) > 0.5
    }


def perfect(both: Sequence[Half], true: Material) -> float:
    """AUC of a model that is right but for what as many people cannot tell it.

    A's people, imaged by B itself, moved as a model would be that had to learn the
    mean of B's features from the other half.
    """
    seen = {one.subject: one for one, _ in true}
    return perfect_of(
        [
            replace(
                half,
                learn=tuple(seen[one.subject] for one in half.learn),
                test=tuple(seen[one.subject] for one in half.test),
            )
            for half in both
        ]
    )


def perfect_again(
    place: Path, pair: tuple[str, str], scans: int, scale: float, jobs: int
) -> float:
    """The same among A's own people: B's scans of them, of another day.

    Noise, shading and place differ from day to day, so that a mean that is learned
    from few days is off, even where the people are the same.
    """
    own, site = people_of(pair[0], scans), pair[1]
    one, other = (material(place, site, own, scale, jobs, day=day) for day in (0, 1))
    return perfect_of(split((pair[0], site), other, one))


def perfect_of(both: Sequence[Half]) -> float:
    """AUC of scans that are B's but for their mean, learned from the other half."""
    scores = []
    for half in both:
        theirs, ours = feature_table(half.learn_b), feature_table(half.learn)
        table = feature_table(half.test) + theirs.mean(0) - ours.mean(0)
        groups = ([s.subject for s in half.test], half.real_subjects)
        scores.append(two_sample_auc(table, half.real.features, groups=groups))
    return float(np.mean(scores))


def _try_half(half: Half) -> tuple[Tried, list[ScanEstimate]]:
    """As `try_half`, and estimates of some of the corrupted scans."""
    found = try_half(half)
    volumes = corrupted_volumes(
        half.test[:6],
        half.sites,
        half.sites[1].label,
        found.calibration,
        seed=half.seed + len(half.learn),
    )
    return found, [_estimate(volume) for volume in volumes]


def _estimate(volume: np.ndarray) -> ScanEstimate:
    return estimate_scan(volume, GRID_MM)


def _contrast(found: list[ScanEstimate], real: list[ScanEstimate]) -> dict[str, Any]:
    """Median tissue contrast of corrupt(A) over that of B's own scans."""
    return {
        name: float(
            np.median([getattr(e, name) for e in found])
            / np.median([getattr(e, name) for e in real])
        )
        for name in ("gm_over_wm", "csf_over_wm")
    }
