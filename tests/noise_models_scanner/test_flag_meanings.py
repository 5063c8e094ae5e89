"""A flag of a site is warned of with what it means and what to do about it."""

from types import SimpleNamespace

import numpy as np

from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.fit import warnings_of
from noise_models.scanner.flags import MEANINGS, judged
from noise_models.scanner.head import find_head
from noise_models.scanner.noise_level import AirNoise
from noise_models.scanner.sites import summarise_site


def test_a_site_s_flag_is_told_with_its_meaning_and_remedy():
    flagged = ScanEstimate(
        *((0.0,) * len(NAMES), (1.0, 1.0, 1.0), 1.0, "air"),
        flags=("air and tissue disagree",),
    )
    told = " ".join(warnings_of([summarise_site("A", [flagged] * 3)]))
    assert "differ by more than 1.3 times" in told
    assert "Fit to scans as the scanner wrote them" in told


def test_every_flag_has_a_meaning():
    x = np.zeros((40, 40, 40), np.float32)
    x[10:30, 10:30, 10:30] = 1
    seen = SimpleNamespace(
        head=find_head(x + 0.01, (4.0, 4.0, 4.0)),
        air=AirNoise(1.0, 1.0, 1.91, 0.0, True),
        inside=1.0,
        sigma=1.0,
        lowest=0.0,
        step=0.0,
        correlation=(0.0,) * 3,
        extent=(1.0,) * 3,
        field_is_flat=True,
        tissue=SimpleNamespace(shares=(0.3, 0.3, 0.4)),
    )
    assert list(judged(x, seen)) == list(MEANINGS)
