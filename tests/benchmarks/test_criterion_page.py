"""docs/criterion.md quotes the results file, and nothing that is not in it."""

import json
import math
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from mnist_parts.page import QUOTE, fill, filled, value_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "criterion.md").read_text()
FOUND = json.loads((ROOT / "benchmarks" / "results" / "mnist.json").read_text())
MEASURED = PAGE[PAGE.index("## What it does on MNIST") :]


def test_every_quoted_number_is_the_results():
    assert len(QUOTE.findall(PAGE)) > 20
    assert filled(PAGE, FOUND) == PAGE


def test_no_measured_number_is_written_by_hand():
    words = re.sub(r"`[^`]*`", "", QUOTE.sub("", MEASURED))  # names of arms aside
    by_hand = re.findall(r"\d*\.\d+", words)
    assert by_hand == []


def test_a_changed_result_changes_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("it is <!--= cost > ratio -->1.00<!--/--> here")
    fill(page, {"cost": {"ratio": 1.25}})
    assert page.read_text() == "it is <!--= cost > ratio -->1.25<!--/--> here"


def test_a_number_that_the_results_do_not_have_is_refused():
    with pytest.raises(KeyError, match="no such arm"):
        value_of(FOUND, "500 > dvae_of_dreams > best > nll")
    with pytest.raises(KeyError, match="the results have name"):
        value_of(FOUND, "500 > vae > best > luck")


def test_the_results_are_complete_and_finite():
    assert len(FOUND["seeds"]) >= 3
    keys = {"name", "noise", "level", "M", "K", "objective", "nll", "elbo_clean"}
    keys |= {"elbo_corrupted", "seconds", "train_size", "stopping", "nll_refined"}
    for row in FOUND["arms"]:
        assert keys <= set(row)
        assert set(row["nll"]) == {"mean", "sd", "ci95"}
        assert all(map(math.isfinite, row["nll"]["ci95"]))
        # A bound is below what it bounds, whatever the arm.
        assert row["elbo_clean"]["mean"] < -row["nll"]["mean"]


def test_no_denoising_arm_beats_the_vae_at_the_best_stop():
    # The page says so of every arm that has been run: if one does, it has to be told.
    for row in FOUND["arms"]:
        denoising = row["noise"] != "none" and not row["augmented"]
        if denoising and row["stopping"] == "best":
            assert row["minus_vae"]["nll"]["ci95"][1] > 0, row["name"]


def test_every_curve_was_flat_at_its_end_or_had_turned():
    # The page says so: an arm that still falls has to be named there, or to go on.
    falling = [
        (row["name"], row["train_size"]) for row in FOUND["arms"] if not row["flat"]
    ]
    assert not falling
