import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from fake_cohort import GAIN, FakeEncoder, fake_cohort

from medvae.evaluation import (
    compare_transfer,
    evaluate,
)
from medvae.evaluation.reconstruction import z_scored_error
from medvae.model.detail import BANDS


def test_harmonising_takes_away_the_difference_of_the_average_scanner(blind):
    """N has gain 1.5, the known sites 1.125 on average: to A, .125 goes away."""
    average = np.mean([GAIN["A"], GAIN["B"]])
    for row in blind.travelers:
        left = ((GAIN["N"] - average) / (GAIN["N"] - GAIN[row.target])) ** 2
        assert row.with_detail == pytest.approx(left * row.do_nothing, rel=0.1)
    assert {row.target for row in blind.travelers} == {"A", "B"}


def test_a_harmonised_scan_that_keeps_no_detail_is_what_was_decoded():
    encoder, cohort = FakeEncoder(), fake_cohort()
    encoder.detail = torch.zeros(BANDS)
    found = evaluate(encoder, cohort, held_out=["N"], permutations=2, align=False)
    scans = {(scan.subject, scan.site): scan for scan in cohort}
    for row in found.travelers:
        moving, real = (scans[row.subject, site] for site in ("N", row.target))
        x = torch.as_tensor(moving.image)[None, None].float()
        painted = encoder.decode_batch(encoder.encode_batch(x)[0], row.target)
        whole = np.maximum(painted[0, 0].numpy(), 0)
        want = z_scored_error(whole, real.image, real.mask)
        assert row.with_detail == pytest.approx(want, rel=1e-4)


def test_harmonising_by_a_decoder_that_tells_no_sites_apart_does_nothing(seeing):
    for row in seeing.travelers:
        assert row.with_detail == pytest.approx(row.do_nothing, rel=1e-3)  # >= 0


def test_paired_comparison_favours_the_blind_encoder(blind, seeing):
    found = compare_transfer(seeing, blind)
    assert found.n == 6
    assert found.ratio_ci95[1] < 0.1
    assert found.p == 2 / 2**6


def test_comparison_uses_only_pairs_that_both_runs_scored(blind, seeing):
    fewer = replace(blind, travelers=blind.travelers[2:])
    assert compare_transfer(seeing, fewer).n == 5
    with pytest.raises(ValueError, match="share no traveler"):
        compare_transfer(seeing, replace(blind, travelers=()))
