"""On whom a transfer is calibrated: the first people, or some who stand for all."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from joblib import Parallel, delayed

from fit_parts.pools import keep
from fit_parts.visits import Material, material, people_of
from noise_models.scanner.calibration import (
    MOST_CALIBRATED,
    NO_CALIBRATION,
    Calibration,
    calibrate,
    corrupted_features,
)
from noise_models.scanner.estimate import ESTIMATOR_VERSION
from noise_models.scanner.goodness import feature_table
from noise_models.scanner.sites import Site, summarise_site
from noise_models.scanner.two_sample import LEAST_SD

PAIRS = (
    ("KKI", "STANFORD"),
    ("KKI", "OLIN"),
    ("UM_1", "OLIN"),
    ("PITT", "OLIN"),
    ("KKI", "LEUVEN_1"),
    ("KKI", "CALTECH"),
)
FIRST = 6  # who were taken before
LEARNED = 24  # people of a site
TRIED = 24  # others of A, who were at B, too


def chosen(work: Path, scale: float, pairs: int, jobs: int) -> dict[str, Any]:
    """How far the mean features of corrupt(A) are from B's, of the same new people."""
    place = work / f"judged-{scale:g}"
    found = Parallel(n_jobs=jobs)(
        delayed(keep)(
            place / f"chosen-v{ESTIMATOR_VERSION}",
            f"{a}-{b}-{MOST_CALIBRATED}",
            lambda pair=(a, b): _missed_by(place, pair, scale),
        )
        for a, b in PAIRS[:pairs]
    )
    return {
        "pairs": {f"{a}->{b}": one for (a, b), one in zip(PAIRS, found, strict=False)},
        "learned_from": LEARNED,
        "tried_on": TRIED,
        "first": FIRST,
        "chosen": MOST_CALIBRATED,
        "voxel_scale": scale,
    }


def _missed_by(place: Path, pair: tuple[str, str], scale: float) -> dict[str, Any]:
    own, there = (people_of(site, LEARNED + TRIED) for site in pair)
    asked = ((pair[0], own), (pair[1], there), (pair[1], own))
    a, b, same = (material(place, site, who, scale, 1) for site, who in asked)
    sites = tuple(
        summarise_site(label, [estimate for _, estimate in rows[:LEARNED]])
        for label, rows in zip(pair, (a, b), strict=True)
    )
    learned = [one for one, _ in a[:LEARNED]]
    wanted = feature_table([one for one, _ in b[:LEARNED]])
    with patch("noise_models.scanner.calibration.MOST_CALIBRATED", LEARNED):
        everyone = calibrate(learned, wanted, sites, pair[1])
    ways = {
        "uncalibrated": NO_CALIBRATION,
        "first": calibrate(learned[:FIRST], wanted, sites, pair[1]),
        "chosen": calibrate(learned, wanted, sites, pair[1]),
        "all": everyone,
    }
    return {name: _miss(a, same, sites, pair[1], way) for name, way in ways.items()}


def _miss(
    a: Material,
    same: Material,
    sites: tuple[Site, ...],
    target: str,
    way: Calibration,
) -> dict[str, float]:
    """Root mean square and largest error of a feature's mean, in SD between people."""
    made = corrupted_features(
        [one for one, _ in a[LEARNED:]], sites, target, way, seed=100
    )
    real = feature_table([one for one, _ in same[LEARNED:]])
    off = (made.mean(0) - real.mean(0)) / (real.std(0, ddof=1) + LEAST_SD)
    return {
        "rms": float(np.sqrt(np.square(off).mean())),
        "largest": float(np.abs(off).max()),
    }
