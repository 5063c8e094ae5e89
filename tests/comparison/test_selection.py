"""A setting is chosen by training sites' own people alone."""

import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from medvae.comparison.finished import Finished, read_finished
from medvae.comparison.selection import Validation, choose, inside, validate
from medvae.errors import UserError
from medvae.evaluation.protocol import open_setting
from medvae.files import write_json

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluation"))
from fake_cohort import FakeEncoder, fake_cohort


def setting_of(scans):
    for number, scan in enumerate(scans):
        if scan.split == "train" and number % 3 == 0:
            scan.split = "validation"
    return open_setting(FakeEncoder(blind=0.0), scans, held_out=("N",))[0]


def test_neither_test_people_nor_the_held_out_site_are_looked_at():
    scans = fake_cohort()
    honest = validate(setting_of(scans), seed=0)
    rng = np.random.default_rng(0)
    for scan in scans:
        if scan.split == "test" or scan.site == "N":
            scan.image = rng.random(scan.image.shape).astype(np.float32) * 9
            scan.age = 5.0
    assert validate(setting_of(scans), seed=0) == honest
    for scan in scans:  # and what may be looked at is
        if scan.split == "validation":
            scan.image = 2 * scan.image
    assert validate(setting_of(scans), seed=0) != honest


def test_what_is_left_holds_training_sites_only():
    own = inside(setting_of(fake_cohort()))
    assert {scan.site for scan in own.scans} == {"A", "B"}
    assert {scan.split for scan in own.scans} == {"train", "validation"}
    assert len(own.latents.mean) == len(own.scans)


def test_least_leakage_wins_among_those_that_keep_image_and_age():
    tried = {
        0: Validation(1.0, 0.8, 0.9),
        1: Validation(1.09, 0.87, 0.7),
        2: Validation(1.09, 0.95, 0.6),
        3: Validation(1.2, 0.8, 0.5),
    }
    assert choose(tried) == 1


def test_no_validation_subject_no_choice():
    setting = open_setting(FakeEncoder(), fake_cohort(), held_out=("N",))[0]
    with pytest.raises(ValueError, match="needs validation subjects"):
        validate(setting, seed=0)


def test_a_choice_that_its_own_validation_contradicts_is_refused(tmp_path):
    tried = {0: Validation(1.0, 0.8, 0.9), 1: Validation(1.05, None, 0.7)}
    right = Finished("00", choose(tried), [{}, {}], tried, 0.5, None)
    path = tmp_path / "done.json"
    write_json(path, asdict(right))
    assert read_finished(path) == right
    write_json(path, asdict(right) | {"choice": 0})
    with pytest.raises(UserError, match=r"done\.json: choice: setting 0, by its .* 1"):
        read_finished(path)
