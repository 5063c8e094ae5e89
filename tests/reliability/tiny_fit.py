"""A fitted noise without a fit: as a file of fit-noise would hold it."""

import numpy as np

from noise_models.scanner import Pair, ScannerNoise, Site
from noise_models.scanner.estimate import NAMES
from noise_models.scanner.record import Goodness, Record


def fitted_noise():
    """Two sites of ten scans each, and their pairs."""
    sites = []
    for label, log_sigma in (("A", -4.0), ("B", -3.0)):
        mean = [log_sigma if name == "log_sigma" else 0.1 for name in NAMES]
        sites.append(
            Site(
                label=label,
                mean=tuple(mean),
                covariance=tuple(map(tuple, (0.01 * np.eye(len(NAMES))).tolist())),
                ci95=tuple((m - 0.05, m + 0.05) for m in mean),
                scans=10,
                subjects=10,
                spacing_mm=(1.0, 1.0, 1.0),
                evidence=(10, 0, 0),
            )
        )
    pair = Pair(0.05, (0.5, 0.5, 0.5), 0.0, 0.0)
    tried = Goodness(0.99, 0.62, 0.5, "pass", (10, 10))
    record = Record(
        pairs={"A->B": pair, "B->A": pair}, goodness={"A->B": tried}, seed=0
    )
    return ScannerNoise(tuple(sites), record=record)
