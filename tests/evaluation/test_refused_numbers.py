"""What no number can be computed of is refused, or said to have none."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_cohort import FakeEncoder, fake_cohort

from medvae.errors import UserError
from medvae.evaluation.alignment import estimate_motion
from medvae.evaluation.baselines.combat import fit_combat
from medvae.evaluation.baselines.nyul import Matching, fit_matching, landmarks
from medvae.evaluation.baselines.pca import fit_pca
from medvae.evaluation.bootstrap import interval, mean_estimate
from medvae.evaluation.distribution import energy_distance
from medvae.evaluation.leakage import probe
from medvae.evaluation.protocol import evaluate
from medvae.evaluation.reconstruction import bits_per_voxel, psnr, ssim
from medvae.evaluation.result import Answers
from medvae.evaluation.travelers import icc, mean_squares, recognised


def rng():
    return np.random.default_rng(0)


BOX = np.ones((9, 9, 9), bool)
NARROW = np.zeros((9, 9, 9), bool)
NARROW[0, 0, 0] = True
X = np.zeros((9, 9, 9))


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        (lambda: psnr(X, X[1:], BOX), "must have one shape"),
        (lambda: ssim(X[:4], X[:4], BOX[:4]), "voxels an axis"),
        (lambda: ssim(X, X, NARROW), "no masked voxel has a whole SSIM window"),
        (lambda: bits_per_voxel(X, X, "laplace", 0.0, 0.0), "must be > 0, got 0"),
        (lambda: bits_per_voxel(X, X, "cauchy", 1.0, 0.0), "no likelihood 'cauchy'"),
        (lambda: mean_estimate([1.0], ["a", "b"], rng()), "one subject per value"),
        (lambda: mean_estimate([], [], rng()), "at least one value"),
        (lambda: mean_squares(np.zeros((1, 3))), "2 people on 2 scanners, got 1 on 3"),
        (lambda: mean_squares(np.zeros((3, 1))), "2 people on 2 scanners, got 3 on 1"),
        (lambda: icc(np.zeros((3, 2, 2))), r"\(people, scanners\)"),
        (lambda: recognised(np.zeros((3, 2)), np.zeros((2, 2))), "query and gallery"),
        (lambda: energy_distance(np.zeros((1, 2)), np.zeros((5, 2))), "two points"),
        (
            lambda: probe(X[0], list("aaabbbccc"), range(9), rng(), kind="tree"),
            "kind must be one of",
        ),
        (lambda: landmarks(np.full(8, 3.0)), "a constant image"),
        (lambda: fit_matching([]), "at least one image"),
        (lambda: fit_pca([X], [], None, 1), "two scans and a component, got 1, 1"),
        (lambda: fit_pca([X, X], [], None, 0), "two scans and a component, got 2, 0"),
    ],
)
def test_no_number_of_nothing(asked, match):
    with pytest.raises(ValueError, match=match):
        asked()


def test_one_person_has_no_interval():
    assert interval(np.mean, ["a", "a", "a"], rng()) is None
    assert mean_estimate([1.0, 3.0], ["a", "a"], rng()).ci95 is None


def test_two_levels_are_shifted_to_the_standard_scale():
    standard = Matching(tuple(np.linspace(2.0, 3.0, 13)))
    binary = np.repeat([0.0, 1.0], [6, 2])
    assert standard.apply(binary) == pytest.approx(binary + 1.0)


def test_combat_of_one_feature_takes_each_site_s_own_mean():
    features = np.array([[1.0], [2.0], [3.0], [11.0], [12.0], [13.0]])
    sites = list("aaabbb")
    moved = fit_combat(features, sites).apply(features, sites)
    assert moved[:3] == pytest.approx(moved[3:])


@pytest.mark.parametrize(("voxels", "found_mm"), [(3, 12.0), (8, 0.0)])
def test_heads_further_apart_than_a_neck_reaches_are_left_where_they_are(
    voxels, found_mm
):
    place = np.indices((40, 24, 24)) - np.array([14, 12, 12]).reshape(3, 1, 1, 1)
    head = np.exp(-(place**2).sum(0) / 20.0)
    moved = np.roll(head, voxels, axis=0)
    mask = head + moved > 0.1
    found = estimate_motion(moved, head, mask, (4.0, 4.0, 4.0))
    assert abs(found.shift_mm[0]) == pytest.approx(found_mm, abs=0.5)


def test_an_image_without_contrast_is_left_where_it_is():
    head = np.exp(-((np.indices((12, 12, 12)) - 6) ** 2).sum(0) / 9.0)
    flat = np.full(head.shape, 5.0)
    found = estimate_motion(flat, head, head > 0.1, (2.0, 2.0, 2.0))
    assert found.shift_mm == found.turn_degrees == (0.0, 0.0, 0.0)


def test_a_caveat_is_noted_once():
    answers = Answers()
    for sentence in ("few", "few", "old"):
        answers.note(sentence)
    assert answers.notes == ["few", "old"]


class Broken(FakeEncoder):
    def encode_batch(self, x):
        z, std = super().encode_batch(x)
        return z * float("nan"), std


def test_an_encoder_whose_codes_are_not_numbers_is_named():
    with pytest.raises(UserError, match=r"mine: latents are not finite. Train it"):
        evaluate(Broken(), fake_cohort(), held_out=["N"], run="mine")


def test_scans_of_other_sites_alone_are_nothing_to_evaluate():
    scans = [scan for scan in fake_cohort() if scan.site == "N"]
    with pytest.raises(UserError, match="no scan at A and B, where the run was"):
        evaluate(FakeEncoder(), scans, held_out=[])
