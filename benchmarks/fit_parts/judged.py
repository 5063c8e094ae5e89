"""corrupt(A) against B on pairs of phantom sites, beside what people use instead."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from fit_parts.pools import keep, phantom, simulated
from noise_models.scanner.calibration import calibrate, corrupted_volumes
from noise_models.scanner.common_grid import GRID_MM, Specimen, specimen
from noise_models.scanner.estimate import (
    ESTIMATOR_VERSION,
    ScanEstimate,
    estimate_scan,
)
from noise_models.scanner.features import scan_features
from noise_models.scanner.goodness import (
    Half,
    Looks,
    feature_table,
    halves,
    judge,
    look_at,
    unattainable,
)
from noise_models.scanner.sites import summarise_site
from noise_models.scanner.transfer import summarise_pair
from noise_models.scanner.two_sample import two_sample_auc

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
    """AUC before, after, floor and verdict of every pair, and of other methods."""
    found = {}
    for a, b in PAIRS[:pairs]:
        found[f"{a}->{b}"] = keep(
            work / f"judged-{scale:g}",
            f"{a}-{b}-{scans}",
            lambda a=a, b=b: _judge_pair(work, (a, b), scans, scale, jobs),
        )
    reachable = [found[f"{a}->{b}"] for a, b in REACHABLE[:pairs]]
    after = np.array([row["medvae"]["auc_after"] for row in reachable])
    return {
        "pairs": found,
        "voxel_scale": scale,
        "scans_per_site": scans,
        "reachable": [f"{a}->{b}" for a, b in REACHABLE[:pairs]],
        "auc_after_at_most_0.65": int((after <= 0.65).sum()),
        "of": len(after),
    }


def _material(work: Path, site: str, scans: int, scale: float, jobs: int) -> list:
    """Specimens of a site, kept on disk as half-precision volumes."""

    def one(k: int) -> tuple[Specimen, ScanEstimate]:
        place = work / f"judged-{scale:g}" / site
        made = simulated(place, f"{k:04d}", phantom, (k, site, scale, {}))
        label = f"{site}{k}"
        kept = keep(
            place / f"v{ESTIMATOR_VERSION}",
            f"{k:04d}",
            lambda: estimate_scan(
                made["image"], made["spacing"], label=label
            ).as_dict(),
        )
        estimate = replace(ScanEstimate.from_dict(kept), site=site)
        return specimen((made["image"], made["spacing"]), estimate, label), estimate

    return Parallel(n_jobs=jobs)(delayed(one)(k) for k in range(scans))


def _judge_pair(
    work: Path, pair: tuple[str, str], scans: int, scale: float, jobs: int
) -> dict[str, Any]:
    material = {site: _material(work, site, scans, scale, jobs) for site in pair}
    specimens = {site: [s for s, _ in rows] for site, rows in material.items()}
    estimates = {site: [e for _, e in rows] for site, rows in material.items()}
    people = {site: [s.subject for s in rows] for site, rows in specimens.items()}
    both = halves(specimens, estimates, people, pair, seed=0)
    tried = Parallel(n_jobs=jobs)(delayed(_try_half)(half) for half in both)
    trials = [seen for seen, _ in tried]
    sites = [summarise_site(label, estimates[label]) for label in pair]
    added = summarise_pair(*sites)
    beyond = unattainable(added.clipped_noise, added.clipped_axes)
    tables = tuple(np.stack([e.vector for e in estimates[label]]) for label in pair)
    found = judge(list(zip(trials, both, strict=True)), tables, beyond, 0)
    others = {
        "nyul": _auc_of(both, _nyul),
        "torchio ranges": _auc_of(both, _ranges),
    }
    return {
        "medvae": {
            "auc_before": found.auc_before,
            "auc_after": found.auc_after,
            "auc_after_ci95": list(found.auc_after_ci95),
            "auc_attainable": found.auc_attainable,
            "auc_floor": found.auc_floor,
            "unattainable": list(found.unattainable),
            "verdict": found.verdict,
            "features_apart": [n for n, (_, p) in found.features.items() if p < 0.05],
        },
        **{name: {"auc_after": value} for name, value in others.items()},
        "contrast over B's": _contrast(
            [e for _, found in tried for e in found],
            [_estimate(one.volume) for one in specimens[pair[1]][:12]],
        ),
    }


def _try_half(half: Half) -> tuple[Looks, list[ScanEstimate]]:
    """As `goodness.try_half`, and estimates of some of the corrupted scans."""
    target = half.sites[1].label
    wanted = feature_table(half.learn_b)
    found = calibrate(half.learn, wanted, half.sites, target, seed=half.seed)
    volumes = list(
        corrupted_volumes(
            half.test, half.sites, target, found, seed=half.seed + len(half.learn)
        )
    )
    return look_at(volumes, half.test), [_estimate(v) for v in volumes[:6]]


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


def _auc_of(both: Sequence[Half], method: Any) -> float:  # noqa: ANN401
    scores = []
    for half in both:
        volumes = method([s.volume for s in half.test], half)
        table = np.stack([scan_features(v, GRID_MM) for v in volumes])
        groups = ([s.subject for s in half.test], half.real_subjects)
        scores.append(two_sample_auc(table, half.real.features, groups=groups))
    return float(np.mean(scores))


def _nyul(volumes: Sequence[np.ndarray], half: Half) -> list[np.ndarray]:
    """Histogram standardisation (Nyul & Udupa 2000) to the other half of B."""
    import nibabel as nib
    import torch
    import torchio as tio

    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for k, one in enumerate(half.learn_b):
            path = Path(folder) / f"{k}.nii.gz"
            nib.save(nib.Nifti1Image(one.volume, np.eye(4)), path)
            paths.append(path)
        landmarks = tio.HistogramStandardization.train(paths, progress=False)
    match = tio.HistogramStandardization({"scan": landmarks})
    found = []
    for volume in volumes:
        subject = tio.Subject(scan=tio.ScalarImage(tensor=torch.tensor(volume)[None]))
        matched = match(subject)["scan"].data[0].numpy()
        # Its scale runs from 0 to 100; give it the unit of B's scans.
        scale = np.median([np.percentile(s.volume, 95) for s in half.learn_b])
        found.append((matched * scale / np.percentile(matched, 95)).astype(np.float32))
    return found


def _ranges(volumes: Sequence[np.ndarray], half: Half) -> list[np.ndarray]:
    """TorchIO's random effects, set by hand once for every pair."""
    import torch
    import torchio as tio

    change = tio.Compose(
        [
            tio.RandomGamma(log_gamma=(-0.3, 0.3)),
            tio.RandomBlur(std=(0, 1)),
            tio.RandomBiasField(coefficients=0.3),
            tio.RandomNoise(std=(0, 0.05)),
        ]
    )
    torch.manual_seed(half.seed)
    found = []
    for volume in volumes:
        image = tio.ScalarImage(tensor=torch.tensor(volume)[None])
        found.append(change(tio.Subject(scan=image))["scan"].data[0].numpy())
    return found
