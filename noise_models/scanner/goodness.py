"""Does corrupt(A) pass for B, on scans that the fit has not seen?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from noise_models.scanner.estimate import ScanEstimate, estimate_scan
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.record import Goodness
from noise_models.scanner.scans import Scan, read_scan
from noise_models.scanner.sites import Site, fill_gaps, summarise_site
from noise_models.scanner.two_sample import separation_p, two_sample_auc

FEWEST = 6  # scans a site below which nothing is claimed
PASS_AUC = 0.70
WARN_AUC = 0.85
SURE_P = 0.01


@dataclass(frozen=True)
class Trial:
    """One held-out scan of A, to be sent to B as fitted without it.

    Example:
        >>> Trial.__name__
        'Trial'
    """

    scan: Scan
    estimate: ScanEstimate
    sites: tuple[Site, ...]
    target: str
    seed: int


def verdict_of(before: float, after: float, p: float, scans: int) -> str:
    """The rule.

    ``not enough evidence`` below 6 scans a site. ``no difference`` where A and B
    cannot be told apart to begin with (permutation p of the largest standardised
    difference above 0.01). Else by the AUC of corrupt(A) against B: ``pass`` up to
    0.70, ``warn`` up to 0.85 or when at least half of the excess over chance is
    gone, ``fail`` above.

    Example:
        >>> verdict_of(0.99, 0.62, 0.005, 12), verdict_of(0.55, 0.5, 0.4, 12)
        ('pass', 'no difference')
    """
    if scans < FEWEST or np.isnan(before) or np.isnan(after):
        return "not enough evidence"
    if p > SURE_P:
        return "no difference"
    if after <= PASS_AUC:
        return "pass"
    is_halved = abs(after - 0.5) <= 0.5 * abs(before - 0.5)
    return "warn" if after <= WARN_AUC or is_halved else "fail"


def split_sites(
    estimates: Sequence[ScanEstimate], subjects: Sequence[str], label: str, seed: int
) -> tuple[list[list[int]], list[Site]]:
    """Two halves of a site, by subject, and the site as fitted on each OTHER half."""
    people = sorted(set(subjects))
    order = np.random.default_rng(seed).permutation(len(people))
    half = {people[k]: int(rank % 2) for rank, k in enumerate(order)}
    parts = [[i for i, s in enumerate(subjects) if half[s] == k] for k in (0, 1)]
    fitted = [
        summarise_site(
            label,
            [estimates[i] for i in parts[1 - k]],
            subjects=[subjects[i] for i in parts[1 - k]],
            seed=seed,
        )
        for k in (0, 1)
    ]
    return parts, fitted


def corrupted_estimate(trial: Trial) -> NDArray[np.float64]:
    """Corrupt one scan and estimate the result, (K,), nan where it cannot be.

    On A's own grid, as if B had scanned with A's voxels: nothing is resampled, so
    the estimators see the noise they were made for, and the parameters, being in mm
    and on the native grid, compare with those of B's own scans.
    """
    data, _ = read_scan(trial.scan)
    own = trial.estimate
    x = np.asarray(data, dtype=np.float32) / np.float32(own.reference)
    sites = tuple(replace(site, spacing_mm=own.spacing_mm) for site in trial.sites)
    y = ScannerNoise(sites, target=trial.target)(
        torch.from_numpy(x)[None, None],
        rng=torch.Generator().manual_seed(trial.seed),
        spacing_mm=own.spacing_mm,
        source=[own],
    )
    found = estimate_scan(y[0, 0].numpy(), own.spacing_mm, label=own.label, digest="")
    return found.vector


def judge(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    real: NDArray[np.float64],
    groups: tuple[Sequence[str], Sequence[str]],
    seed: int,
) -> Goodness:
    """Compare A, corrupt(A) and B, scans by parameters.

    The floor splits B at random against itself, several times.
    """
    before, after, real = (fill_gaps(v, "goodness") for v in (before, after, real))
    rng = np.random.default_rng(seed)
    floors = []
    for _ in range(5):
        order = rng.permutation(len(real))
        half = len(real) // 2
        floors.append(two_sample_auc(real[order[:half]], real[order[half:]], seed=seed))
    known = [v for v in floors if not np.isnan(v)]
    first = two_sample_auc(before, real, groups=groups, seed=seed)
    second = two_sample_auc(after, real, groups=groups, seed=seed)
    p = separation_p(before, real, seed=seed)
    scans = (len(before), len(real))
    return Goodness(
        first,
        second,
        float(np.mean(known)) if known else float("nan"),
        verdict_of(first, second, p, min(scans)),
        scans,
    )
