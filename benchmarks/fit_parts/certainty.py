"""Coverage of the intervals, the null, and the power to see a difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from fit_parts.pools import estimates, phantom, pool, second, vectors
from fit_parts.simulator import Machine
from noise_models.scanner.estimate import FIELD, NAMES, ScanEstimate
from noise_models.scanner.goodness import SURE_P
from noise_models.scanner.sites import robust_mean, summarise_site
from noise_models.scanner.two_sample import separation_p

SCANS = 12


def share(hits: int, n: int) -> dict[str, Any]:
    """A proportion with its Wilson interval."""
    found = stats.binomtest(hits, n).proportion_ci(method="wilson")
    return {"share": hits / n, "ci95": [float(found.low), float(found.high)], "n": n}


def coverage(work: Path, size: int, refits: int, jobs: int) -> dict[str, Any]:
    """How often the 95 % interval of a site's mean holds the mean of the other scans.

    Gaussian numbers in place of estimates go the same way: what they miss is the
    method's own, or chance that a pool of this size leaves.
    """
    machine = Machine(sigma=0.04, gm=0.72, csf=0.33)
    pools = {
        "second": pool(
            work,
            "many-second",
            second,
            [(k, machine) for k in range(size)],
            features=True,
            jobs=jobs,
        ),
        "phantom": pool(
            work,
            "many-phantom",
            phantom,
            [(k, "NYU", 2.0, {}) for k in range(size)],
            features=True,
            jobs=jobs,
        ),
    }
    gaussian = np.random.default_rng(3).standard_normal((size, len(NAMES)))
    numbers = [ScanEstimate(tuple(row), (1.0,) * 3, 1.0, "air") for row in gaussian]
    return {
        name: coverage_of(every, refits)
        for name, every in (
            *((name, estimates(rows)) for name, rows in pools.items()),
            ("Gaussian numbers", numbers),
        )
    }


def coverage_of(every: list[ScanEstimate], refits: int) -> dict[str, Any]:
    """Coverage of the intervals of one pool, dealt into sites of 12 again and again.

    The truth is the robust mean of the m scans that are not of the site, for whose own
    error the interval is widened by ``sqrt(1 + 12 / m)``.
    """
    varied = NAMES[: FIELD.start]  # a noise field that is absent is 0 in every scan
    values = np.stack([e.vector for e in every])
    rng = np.random.default_rng(1)
    inside, done = np.zeros(len(varied)), 0
    while done < refits:
        order = rng.permutation(len(every))
        for start in range(0, len(every) - SCANS + 1, SCANS):
            drawn = order[start : start + SCANS]
            others = np.setdiff1d(order, drawn)
            truth = robust_mean(values[others], np.ones((1, len(others))))[0]
            site = summarise_site("S", [every[i] for i in drawn])
            half = np.sqrt(1 + SCANS / len(others)) * (
                np.array(site.ci95)[:, 1] - np.array(site.mean)
            )
            holds = np.abs(truth - np.array(site.mean)) <= half
            inside += holds[: len(varied)]
            done += 1
    found = {n: float(v / done) for n, v in zip(varied, inside, strict=True)}
    return {
        "parameters": found,
        "mean": float(np.mean([*found.values()])),
        "lowest": min(found.values()),
        "highest": max(found.values()),
        "refits": done,
        "scans": SCANS,
        "pool": len(every),
    }


def null_and_power(work: Path, size: int, repeats: int, jobs: int) -> dict[str, Any]:
    """How often a difference is claimed where there is none, and where there is one.

    A pair is 'no difference' exactly when the permutation p of `separation_p`, over
    parameters and features, exceeds the limit of `goodness`.
    """
    base = Machine(sigma=0.04, gm=0.72, csf=0.33)
    louder = replace(base, sigma=1.3 * base.sigma)
    softer = replace(base, blur_mm=(0.5, 0.5, 0.5))
    one = pool(
        work,
        "many-second",
        second,
        [(k, base) for k in range(size)],
        features=True,
        jobs=jobs,
    )
    others = {
        "noise x1.3": pool(
            work,
            "power-noise",
            second,
            [(5000 + k, louder) for k in range(size // 2)],
            features=True,
            jobs=jobs,
        ),
        "psf 0.5 mm": pool(
            work,
            "power-psf",
            second,
            [(6000 + k, softer) for k in range(size // 2)],
            features=True,
            jobs=jobs,
        ),
    }
    phantom_rows = pool(
        work,
        "many-phantom",
        phantom,
        [(k, "NYU", 2.0, {}) for k in range(size)],
        features=True,
        jobs=jobs,
    )
    found = {}
    for name, rows in (("second", one), ("phantom", phantom_rows)):
        found[f"null, {name}"] = _claims(rows, None, repeats, as_claim=False)
    for name, rows in others.items():
        found[f"power, {name}"] = _claims(one, rows, repeats, as_claim=True)
    return found


def _claims(
    rows: list, others: list | None, repeats: int, *, as_claim: bool
) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    tables = [
        (vectors(r), np.array([row["features"] for row in r])) if r else None
        for r in (rows, others)
    ]
    claims = 0
    for turn in range(repeats):
        if others is None:
            drawn = rng.choice(len(rows), 2 * SCANS, replace=False)
            first, second_ = drawn[:SCANS], drawn[SCANS:]
            b = tables[0]
        else:
            first = rng.choice(len(rows), SCANS, replace=False)
            second_ = rng.choice(len(others), SCANS, replace=False)
            b = tables[1]
        a = tables[0]
        p = separation_p(
            a[0][first], b[0][second_], also=(a[1][first], b[1][second_]), seed=turn
        )
        claims += p <= SURE_P
    hits = claims if as_claim else repeats - claims
    what = "found" if as_claim else "no difference"
    return {**share(hits, repeats), "of": what, "scans": SCANS, "pool": len(rows)}
