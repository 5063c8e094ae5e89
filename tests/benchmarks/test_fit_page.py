"""docs/fit.md is what the results file says, and misses are not hidden."""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from fit_parts.certainty import coverage_of
from fit_parts.page import page

from noise_models.scanner.estimate import NAMES, ScanEstimate

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / "benchmarks" / "results" / "fit.json").read_text())


def test_the_page_is_written_from_the_results():
    text = (ROOT / "docs" / "fit.md").read_text(encoding="utf-8")
    assert page(RESULTS) == text


def test_an_interval_that_misses_its_target_is_counted():
    changed = json.loads(json.dumps(RESULTS))
    shares = changed["parts"]["coverage"]["phantom"]["parameters"]
    before = sum(
        not 0.9 <= share <= 0.99
        for name in ("second", "phantom")
        for share in RESULTS["parts"]["coverage"][name]["parameters"].values()
    )
    shares["log_sigma"] = 0.5
    shares["psf_x_mm2"] = 1.0
    assert f"missed by {before + 2} of {2 * len(shares)}" in page(changed)


def test_an_interval_that_is_too_narrow_is_measured_as_such(monkeypatch):
    rng = np.random.default_rng(0)
    scans = [
        ScanEstimate(tuple(row), (1.0,) * 3, 1.0, "air")
        for row in rng.normal(size=(60, len(NAMES)))
    ]
    right = coverage_of(scans, 30)
    assert 0.93 < right["mean"] < 0.98
    monkeypatch.setattr("noise_models.scanner.sites.stats.t.ppf", lambda *_: 1.0)
    assert coverage_of(scans, 30)["mean"] < 0.75
