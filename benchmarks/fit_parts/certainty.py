"""Coverage of the intervals, the null, and the power to see a difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from fit_parts.pools import estimates, phantom, pool, second, vectors
from fit_parts.simulator import Machine
from noise_models.scanner.estimate import FIELD, NAMES
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

    Each refit draws 12 scans from a pool; the truth is the robust mean of the m that
    were not drawn, for whose own error the interval is widened by sqrt(1 + 12 / m).
    """
    found = {}
    varied = NAMES[: FIELD.start]  # a noise field that is absent is 0 in every scan
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
    for name, rows in pools.items():
        every = estimates(rows)
        values = np.stack([e.vector for e in every])
        wider = np.sqrt(1 + SCANS / (len(every) - SCANS))
        rng = np.random.default_rng(1)
        inside = np.zeros(len(varied))
        for _ in range(refits):
            order = rng.permutation(len(every))
            drawn, others = order[:SCANS], order[SCANS:]
            truth = robust_mean(values[others], np.ones((1, len(others))))[0]
            site = summarise_site("S", [every[i] for i in drawn])
            half = wider * (np.array(site.ci95)[:, 1] - np.array(site.mean))
            holds = np.abs(truth - np.array(site.mean)) <= half
            inside += holds[: len(varied)]
        found[name] = {
            "parameters": {
                n: float(v / refits) for n, v in zip(varied, inside, strict=True)
            },
            "mean": share(int(inside.sum()), refits * len(varied))["share"],
            "lowest": float(inside.min() / refits),
            "refits": refits,
            "scans": SCANS,
            "pool": len(every),
        }
    return found


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
