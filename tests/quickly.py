"""Fits and evaluations with less of what other tests look at in full."""

from contextlib import contextmanager
from functools import partial
from unittest.mock import patch


@contextmanager
def quickly():
    """What a command does and says, without the most of its computing.

    Fits are neither calibrated nor tried on held-out scans (tests/noise_models_scanner
    and tests/cli do both), and evaluations permute ten times instead of 200.
    """
    from medvae.evaluation import run as evaluation  # not for tests that need neither
    from noise_models import scanner

    fit = partial(scanner.fit, goodness=False, calibration=False)
    asked = partial(evaluation.evaluate, permutations=10)
    with patch.object(scanner, "fit", fit), patch.object(evaluation, "evaluate", asked):
        yield
