"""How well corrupt(A) passes for B as a fit has more scans to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import norm

from fit_parts.judged import perfect, three, verdict
from fit_parts.pools import keep
from fit_parts.visits import split
from noise_models.scanner.features import FEATURES
from noise_models.scanner.goodness import try_half

GROWN = (("KKI", "LEUVEN_1"), ("KKI", "NYU"))


def growth(work: Path, counts: Sequence[int], scale: float, jobs: int) -> dict:
    """AUC of a pair against the number of scans a site (`attainable.attainable`)."""
    place = work / f"judged-{scale:g}"
    found = {}
    for a, b in GROWN:
        for count in counts:
            one = keep(
                place / "growth",
                f"{a}-{b}-{count}",
                lambda a=a, b=b, n=count: _grown(place, (a, b), n, scale, jobs),
            )
            limit = float(norm.cdf(np.sqrt(len(FEATURES) / (count / 2))))
            found[f"{a}->{b}, {count}"] = {**one, "best_classifier": limit}
    return found


def _grown(
    place: Path, pair: tuple[str, str], scans: int, scale: float, jobs: int
) -> dict[str, Any]:
    a, b, true = three(place, pair, scans, scale, jobs)
    both = split(pair, a, b)
    tried = Parallel(n_jobs=jobs)(delayed(try_half)(half) for half in both)
    found = verdict(pair, a, b, both, tried)
    return {"auc_after": found["auc_after"], "perfect": perfect(both, true)}
