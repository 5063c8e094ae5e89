"""Kept estimates: read back when whole, made again when not."""

import numpy as np
import pytest

from noise_models.scanner import scans


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
