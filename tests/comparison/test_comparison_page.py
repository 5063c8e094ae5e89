"""The page of a comparison: an unseen scan, as every arm paints it, to page through."""

import base64
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.image import imread

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluation"))
from fake_cohort import FakeEncoder, fake_cohort

from medvae.comparison import report
from medvae.evaluation.report.page import viewed
from medvae.report.embed import WINDOW


@pytest.fixture
def units(monkeypatch):
    """Three arms on people seen at A, B and N; N is the unseen site."""
    encoders = {"none": FakeEncoder(blind=0.0), "scanner": FakeEncoder(blind=1.0)}
    monkeypatch.setattr(report, "encoder_of", lambda unit, _: encoders[unit.arm.name])
    stage = SimpleNamespace(
        plan=SimpleNamespace(challenger="scanner", held_out=("N",)),
        sites=("A", "B"),
        store=SimpleNamespace(grid=FakeEncoder().grid),
        prepared=fake_cohort,
    )
    found = {}
    for name, baseline in (("none", None), ("scanner", None), ("combat", "combat")):
        arm = SimpleNamespace(name=name, baseline=baseline)
        unit = SimpleNamespace(
            arm=arm, stage=stage, finished=lambda: SimpleNamespace(choice=0)
        )
        found[name] = [unit]
    return found, encoders


def test_the_unseen_scan_is_the_one_to_page_through(units):
    found, _ = units
    rows = report.pictures(found)
    assert len(rows) == 3
    assert sum(bool(row.volumes) for row in rows) == 1
    shown = viewed(rows)
    assert shown["label"].endswith("at N (unseen)")
    captions = ["as scanned", "as A (scanner)", "as A (none)"]
    assert shown["viewer"]["captions"] == captions
    assert shown["viewer"]["spacing_mm"] == [2.0, 2.0, 2.0]


def test_what_is_paged_through_is_each_arm_s_own_rendering(units):
    found, encoders = units
    (row,) = (row for row in report.pictures(found) if row.volumes)
    x = row.volumes["as scanned"]
    sheets = dict(zip(row.volumes, viewed([row])["viewer"]["sources"], strict=True))
    for name, encoder in encoders.items():
        z, _ = encoder.encode_batch(torch.from_numpy(x)[None, None])
        moved = encoder.decode_batch(z, "A")[0, 0].numpy()
        assert np.array_equal(row.volumes[f"as A ({name})"], moved)
        png = base64.b64decode(sheets[f"as A ({name})"].partition(",")[2])
        grey = imread(io.BytesIO(png)) * WINDOW[1]
        first = np.clip(moved[:, :, 0], *WINDOW).T
        assert np.allclose(grey[:12, :12], first, atol=0.51 * WINDOW[1] / 255)
    assert sheets["as A (none)"] != sheets["as A (scanner)"]
