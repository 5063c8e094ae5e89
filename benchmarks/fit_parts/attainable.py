"""What AUC a model can reach that is right but for what few people cannot tell it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm

from noise_models.scanner.features import FEATURES
from noise_models.scanner.goodness import PASS_AUC
from noise_models.scanner.two_sample import two_sample_auc


def attainable(scans: tuple[int, ...], repeats: int) -> dict[str, Any]:
    """Judge perfect models by the number of scans a site, half of them learned from.

    In units of the spread between people, the mean of every feature is learned with
    variance ``1 / n`` at either site, so corrupt(A) is off by ``sqrt(2 / n)`` in each
    of K, whatever the model. The best of all classifiers sees that with an AUC of
    ``Phi(sqrt(K / n))``; ours has to learn, from n people a side, where to look.
    """
    count, found = len(FEATURES), {}
    for total in scans:
        n, rng = total // 2, np.random.default_rng(total)
        aucs = []
        for seed in range(repeats):
            a, b = rng.standard_normal((2, 2, n, count))  # the halves of each site
            learned = b.mean(1) - a.mean(1)
            both = [
                two_sample_auc(a[k] + learned[1 - k], b[k], seed=seed) for k in (0, 1)
            ]
            aucs.append(np.mean(both))
        found[str(total)] = {
            "auc": float(np.mean(aucs)),
            "sd": float(np.std(aucs)),
            "share_that_pass": float(np.mean(np.array(aucs) <= PASS_AUC)),
            "best_classifier": float(norm.cdf(np.sqrt(count / n))),
            "repeats": repeats,
        }
    return found
