"""How a transfer is corrected by what it does, on worlds whose answer is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from noise_models.scanner import calibration, goodness, material
from noise_models.scanner.calibration import NO_CALIBRATION, Calibration, calibrate
from noise_models.scanner.estimate import NAMES
from noise_models.scanner.features import FEATURES
from noise_models.scanner.transfer import landmark_curve
from noise_models.scanner.whitening import whitening

SCANS, SPREAD = 12, 0.05
LIMITS = np.array([knob.error_sd for knob in calibration.KNOBS])
PEOPLE = SPREAD * np.random.default_rng(0).normal(size=(2 * SCANS, len(FEATURES)))
EFFECTS = np.random.default_rng(1).normal(size=(len(FEATURES), len(LIMITS))) / LIMITS


@pytest.fixture
def world(monkeypatch):
    """Make features answer to the knobs by a rule of the test."""

    def follow(rule):
        def corrupted(specimens, sites, target, now, *, seed=0):
            return np.stack([one.features for one in specimens]) + rule(now.knobs)

        monkeypatch.setattr(calibration, "corrupted_features", corrupted)

    return follow


def calibrated(wanted, scans=SCANS):
    specimens = [SimpleNamespace(features=one) for one in PEOPLE[:scans]]
    return calibrate(specimens, PEOPLE[:scans] + wanted, (), "B")


def test_knobs_of_a_linear_world_are_found(world):
    true = 0.05 * LIMITS * np.random.default_rng(2).normal(size=len(LIMITS))
    world(lambda knobs: EFFECTS @ knobs)
    found = calibrated(EFFECTS @ true)
    assert np.abs((found.knobs - true) / LIMITS).max() < 0.01


def test_many_people_are_stood_for_by_a_few_who_are_like_them_all(world, monkeypatch):
    world(lambda knobs: EFFECTS @ knobs)
    monkeypatch.setattr(calibration, "MOST_CALIBRATED", 6)
    few = calibrated(np.zeros(len(FEATURES)), scans=2 * SCANS)
    monkeypatch.setattr(
        calibration, "representatives", lambda _, count: [*range(count)]
    )
    first = calibrated(np.zeros(len(FEATURES)), scans=2 * SCANS)
    moved, astray = (np.linalg.norm(one.knobs / LIMITS) for one in (few, first))
    assert moved < 0.75 * astray


def test_a_world_that_bends_is_left_no_worse_than_it_was(world):
    def bent(knobs):
        return 0.3 * np.sin(3 * EFFECTS @ knobs)

    world(bent)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        wanted = 0.2 * rng.normal(size=len(FEATURES))
        found = calibrated(wanted)
        people = PEOPLE[:SCANS]
        rest = people - people.mean(0)
        measure = whitening(np.concatenate([rest, rest]))  # the search's own
        off = np.linalg.norm(measure @ (wanted - bent(found.knobs)))
        assert off <= np.linalg.norm(measure @ wanted)


def test_errors_that_no_estimator_makes_are_not_assumed(world):
    world(lambda knobs: 0.001 * EFFECTS @ knobs)
    found = calibrated(0.001 * EFFECTS @ (20 * LIMITS))
    assert np.abs(found.knobs / LIMITS).max() < 5


def test_no_parameter_is_moved_beyond_three_of_its_errors(world):
    world(lambda knobs: EFFECTS @ knobs)
    found = calibrated(EFFECTS @ (20 * LIMITS))
    assert np.abs(found.knobs / LIMITS).max() == pytest.approx(3)


def test_a_feature_that_no_knob_reaches_bends_nothing_else(world):
    """As the spectrum of a scan that is too blurred: it asked for 20 SD in vain."""
    effects = 0.01 * EFFECTS
    effects[3] *= 0.01
    world(lambda knobs: effects @ knobs)
    wanted = effects @ LIMITS
    near = calibrated(wanted).knobs
    wanted[3] += 20 * SPREAD
    assert np.abs((calibrated(wanted).knobs - near) / LIMITS).max() < 0.1


def test_fewer_scans_move_less(world):
    world(lambda knobs: 0.02 * EFFECTS @ knobs)
    wanted = 0.02 * EFFECTS @ LIMITS
    few, many = (
        np.linalg.norm(calibrated(wanted, scans).knobs / LIMITS) for scans in (3, 12)
    )
    assert few < many


def test_settings_and_knobs_say_the_same():
    turned = NO_CALIBRATION.turned(np.arange(len(LIMITS), dtype=float))
    assert turned.settings["apodisation"] == turned.knobs[-2] == len(LIMITS) - 2
    assert turned.settings["grain"] == turned.knobs[-1] == len(LIMITS) - 1
    found = dict(turned.settings, offset=np.array(turned.settings["offset"]))
    again = Calibration(**found)
    assert again.knobs.tolist() == turned.knobs.tolist()


def test_fat_that_is_as_dark_as_white_matter_comes_out_so():
    upper = NAMES.index("log_upper_excess")
    bright, dark = (torch.zeros(1, len(NAMES), dtype=torch.float64) for _ in range(2))
    bright[0, upper], dark[0, upper] = np.log(0.4), np.log(0.03)
    assert landmark_curve(bright, dark)[1][0, 4].item() == pytest.approx(1.03)


@pytest.mark.parametrize(
    ("is_calibrated", "expected"), [(True, "calibrated"), (False, NO_CALIBRATION)]
)
def test_a_half_that_is_not_calibrated_is_corrupted_so(
    monkeypatch, is_calibrated, expected
):
    monkeypatch.setattr(goodness, "calibrate", lambda *_, **__: "calibrated")
    used = []
    monkeypatch.setattr(
        goodness, "corrupted_volumes", lambda *given, seed: used.append(given[-1])
    )
    monkeypatch.setattr(goodness, "look_at", lambda *_: None)
    one = SimpleNamespace(features=np.zeros(2))
    sites = (SimpleNamespace(label="A"), SimpleNamespace(label="B"))
    half = goodness.Half(
        sites, (one,), (one,), (one,), None, (), 0, is_calibrated=is_calibrated
    )
    assert goodness.try_half(half).calibration is expected
    assert used == [expected]


@pytest.mark.parametrize(
    ("scans", "is_paired", "calibrated"),
    [
        ((8, 9), False, True),
        ((9, 7), False, False),  # no verdict comes of seven
        ((9, 7), True, True),  # travelers wait for it
    ],
)
def test_halves_are_calibrated_where_a_verdict_or_a_traveler_needs_it(
    scans, is_paired, calibrated
):
    assert goodness.is_tried_calibrated(scans, is_paired=is_paired) == calibrated


@pytest.mark.parametrize("wanted", [True, False])
def test_a_fit_without_calibration_is_tried_as_it_is(monkeypatch, wanted):
    asked = []

    def halves(*given):
        asked.append(given[-1])
        raise StopIteration  # the rest is not asked here

    monkeypatch.setattr(material, "halves", halves)
    known = material.Material({}, {}, {}, {}, 0, None)
    specimens = dict.fromkeys("AB", [None] * 8)
    with pytest.raises(StopIteration):
        known.judge(specimens, {}, {("A", "B"): None}, is_calibrated=wanted)
    assert asked == [wanted]
