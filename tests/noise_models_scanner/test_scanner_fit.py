"""A fit as a whole: verdicts, refusals, and estimates that are kept."""

import numpy as np
import pytest
import torch
from joblib import delayed
from simulated_head import STEP, Scanner, scan

from noise_models.scanner import (
    fit,
)
from noise_models.scanner.goodness import verdict_of
from noise_models.scanner.task_pool import TaskPool


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_one_site_against_itself_is_no_difference():
    coarse = tuple(2 * step for step in STEP)
    images = [(scan(300 + s, Scanner())[::2, ::2, ::2], coarse) for s in range(16)]
    noise = fit({"a": images[:8], "b": images[8:]}, seed=0, calibration=False)
    a, b = (np.array(site.mean) for site in noise.sites)
    ends = [np.array(site.ci95) for site in noise.sites]
    apart = (ends[0][:, 0] > ends[1][:, 1]) | (ends[1][:, 0] > ends[0][:, 1])
    assert apart.mean() < 0.1
    assert abs(a[0] - b[0]) < 0.03
    assert noise.record.goodness["a->b"].verdict == "no difference"


def test_too_few_scans_are_not_enough_evidence():
    assert verdict_of(1.0, 0.5, 0.001, 5) == "not enough evidence"
    assert verdict_of(1.0, 0.95, 0.001, 12) == "fail"
    assert verdict_of(1.0, 0.74, 0.001, 12) == "warn"


def test_fit_names_what_is_wrong(images, tmp_path):
    few = {"a": images["sharp"][:2], "b": [images["worse"][0]]}
    with pytest.raises(ValueError, match="site b: at least 2 scans are needed, got 1"):
        fit(few)
    with pytest.raises(ValueError, match="at least 3 people scanned at both"):
        fit(images, evidence="paired")
    gone = str(tmp_path / "gone.nii.gz")
    with pytest.raises(FileNotFoundError, match=r"gone\.nii\.gz: no such file"):
        fit({"a": images["sharp"][:2], "b": [gone, gone]})
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"broken\.nii\.gz: not a readable image"):
        fit({"a": images["sharp"][:2], "b": [str(broken)] * 2})


def test_estimates_are_kept_by_content_and_progress_is_told(images, tmp_path):
    told = []
    few = {site: scans[:2] for site, scans in images.items()}
    first, again = (
        fit(
            few,
            goodness=False,
            cache=tmp_path,
            progress=lambda done, total, label: told.append((done, total, label)),
        )
        for _ in range(2)
    )
    assert len(list(tmp_path.glob("*.json"))) == 4
    assert first.sites == again.sites
    assert [call[:2] for call in told[:5]] == [(done, 4) for done in range(5)]
    assert told[0][2] == "sharp/0"


def test_progress_names_what_is_waited_for():
    told = []
    pool = TaskPool(1, 2, lambda *call: told.append(call))
    pool.run((word, delayed(len)(word)) for word in ("measuring", "calibrating a->b"))
    assert told == [
        (0, 2, "measuring"),
        (1, 2, "calibrating a->b"),
        (2, 2, "calibrating a->b"),
    ]
