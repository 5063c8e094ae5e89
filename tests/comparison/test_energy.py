"""Corruption energy: known values, and matching that really matches."""

from pathlib import Path

import numpy as np
import pytest

import noise_models
from medvae.cohort import Cohort, Scan
from medvae.comparison.plan import Arm, Plan
from medvae.comparison.stage import Stage
from medvae.noise.energy import Sample, changed, energy, match_energy, scaled

SPACING = (4.0, 4.0, 4.0)


def samples(n=3):
    x, y, z = np.indices((20, 24, 20)) / 6.0
    rng = np.random.default_rng(0)
    found = []
    for _ in range(n):
        a, b = rng.normal(size=2)
        image = 0.6 + 0.3 * np.cos(x + a) * np.sin(y + b) * np.cos(z)
        mask = np.zeros(image.shape, bool)
        mask[3:-3, 3:-3, 3:-3] = True
        found.append(Sample(image.astype(np.float32), mask))
    return found


def test_gaussian_energy_is_the_variance_inside_the_mask():
    noise = noise_models.get("gaussian", sigma=0.2)
    assert energy(noise, samples(), SPACING) == pytest.approx(0.04, rel=0.03)


@pytest.mark.parametrize("name", ["gaussian", "salt_and_pepper", "randomised"])
@pytest.mark.parametrize("wanted", [0.002, 0.03])
def test_a_matched_corruption_has_the_energy_it_was_matched_to(name, wanted):
    scans = samples()
    found = match_energy(
        noise_models.load(name), wanted, lambda n: energy(n, scans, SPACING, draws=64)
    )
    own = energy(found.noise, scans, SPACING, draws=64)
    assert own == pytest.approx(wanted, rel=0.02)
    # Fresh draws agree within what 192 levels over a decade scatter, 8 % a standard
    # deviation in either measurement.
    again = energy(found.noise, scans, SPACING, draws=64, seed=99)
    assert again == pytest.approx(wanted, rel=0.3)
    assert found.noise == scaled(noise_models.load(name), found.factor)


def test_an_energy_that_no_level_has_is_refused():
    scans = samples()
    with pytest.raises(ValueError, match="salt_and_pepper: no level has the energy"):
        match_energy(
            noise_models.get("salt_and_pepper"),
            50.0,
            lambda n: energy(n, scans, SPACING),
        )


def test_what_a_scan_does_not_show_is_no_change_of_what_it_shows():
    ends = noise_models.get("field_of_view", lost=0.3)
    assert energy(ends, samples(), SPACING) == 0


def test_only_a_level_can_be_scaled():
    with pytest.raises(ValueError, match="none has no level to scale; known: "):
        scaled(noise_models.get("none"), 2.0)


def test_what_a_corruption_does_not_show_is_no_change_of_it():
    sample = samples(1)[0]
    ended = sample.image.copy()
    ended[:10] = 0  # a field of view that ends in the middle
    assert changed(sample.image, ended[None], sample.mask) == 0.0
    noisy = np.stack([ended, ended + 0.1 * (ended != 0)])
    found = changed(sample.image, noisy, sample.mask)
    assert found == pytest.approx(0.005, rel=1e-4)


def test_views_made_beforehand_are_measured_on_the_scans_of_the_other_arms():
    scans = {i: Scan(Path(f"{i}.nii"), f"p{i}", "ABCD"[i // 10]) for i in range(40)}
    asked = []

    class Told:
        def image(self, i):
            asked.append(i)
            return np.ones((4, 4, 4), np.float32)

        def mask(self, i):
            return np.ones((4, 4, 4), bool)

        def views(self, i):
            return [self.image(i) * (1.0 + i)]

    stage = Stage(
        plan=Plan(arms=(Arm(name="none"),), held_out=("N",), energy_scans=8),
        cohort=Cohort(Path(), "table", tuple(scans.values())),
        store=Told(),
        seed=0,
        out=Path(),
        cache=Path(),
        jobs=1,
        bar=None,
    )
    vars(stage)["splits"] = {scan.subject: "train" for scan in scans.values()}
    assert len(stage.samples) == 8
    own, asked[:] = set(asked), []
    assert stage.views_energy(Told()) == pytest.approx(np.mean([i**2 for i in own]))
    assert set(asked) == own
    assert len({scans[i].site for i in own}) > 2
