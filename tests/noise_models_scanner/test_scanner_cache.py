"""Kept estimates: read back when whole, made again when not."""

import numpy as np
import pytest

from noise_models.scanner import scans
from noise_models.scanner.estimate import ScanEstimate


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"values": 3}'])
def test_a_damaged_estimate_is_made_again(tmp_path, monkeypatch, content):
    rng = np.random.default_rng(0)
    radius = np.linalg.norm(np.indices((40, 40, 40)) - 19.5, axis=0)
    data = 500.0 * (radius < 15) - 150 * (radius < 8) + rng.normal(20, 5, (40,) * 3)
    scan = (data, (4.0, 4.0, 4.0))
    first = scans.estimate_cached(scan, "a", cache=tmp_path)
    (kept,) = tmp_path.glob("*.json")
    whole = kept.read_text()
    kept.write_text(content)
    assert scans.estimate_cached(scan, "a", cache=tmp_path) == first
    assert kept.read_text() == whole


def test_an_estimate_comes_back_with_every_field():
    one = ScanEstimate(
        tuple(float(k) for k in range(13)), (1.0, 1.1, 1.2), 2.5, "air",
        flags=("defaced",), shape=(4, 5, 6), centre_voxels=(1.5, 2.0, 2.5), coils=3.0,
        correlation=(0.1, 0.2, 0.3), extent=(0.9, 0.8, 0.7), digest="12ab",
        label="sub-01", site="NYU",
    )  # fmt: skip
    assert ScanEstimate.from_dict(one.as_dict()) == one
