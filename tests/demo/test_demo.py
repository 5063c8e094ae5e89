"""The demo, small: every step once, its report, and going on where it stopped."""

import json
from contextlib import contextmanager

import pytest

from medvae.demo import SITES, UNSEEN, DemoSize, demo_config, run_demo

TINY = DemoSize(subjects=3, travelers=3, voxel_scale=4.0, grid_mm=8.0, epochs=1, jobs=1)


@contextmanager
def no_bar(title):
    yield lambda done, total, label: None


@pytest.mark.slow
def test_the_demo_goes_from_nothing_to_a_report_and_repeats_nothing(tmp_path):
    told = []
    first = run_demo(tmp_path, seed=0, size=TINY, say=told.append, bar=no_bar)
    harm = [s for s in first.findings if "does worse than leaving alone" in s]
    assert len(first.findings) == 3 + len(harm)
    assert len(harm) == 1  # so small a network moves scans to the wrong place
    assert all(any(c.isdigit() for c in sentence) for sentence in first.findings)
    assert len(told) == 5
    page = first.report.read_text(encoding="utf-8")
    assert f"{UNSEEN} (unseen)" in page
    for run in ("none", "scanner"):
        content = json.loads((tmp_path / "runs" / run / "evaluation.json").read_text())
        assert content["held_out"] == [UNSEEN]
        assert {row["source"] for row in content["travelers"]} == {UNSEEN}
    weights = tmp_path / "runs" / "none" / "model.safetensors"
    written = weights.stat().st_mtime_ns
    again = run_demo(tmp_path, seed=0, size=TINY, say=told.append, bar=no_bar)
    assert again.findings == first.findings
    assert weights.stat().st_mtime_ns == written


def test_both_runs_differ_in_their_noise_alone():
    scanner = demo_config("a.yaml", 3, TINY).model_dump()
    none = demo_config("none", 3, TINY).model_dump()
    assert {key for key in none if none[key] != scanner[key]} == {"noise"}
    assert scanner["held_out"] == (UNSEEN,)
    assert UNSEEN not in SITES
