"""What a run learns to keep of a scan that it harmonises."""

import dataclasses

import numpy as np
import torch
from training_material import SHAPE, Waves, cohort, material, settings

from medvae.model.acquired_region import BEYOND_MM
from medvae.model.detail import BANDS
from medvae.model.weights import load_model
from medvae.training.detail import spread_over
from medvae.training.run import train
from noise_models.none import Nothing


class Shaded:
    """The same volumes under two other scanners' shading, which is smooth."""

    def views(self, index):
        x = np.indices(SHAPE, dtype=np.float32)[1] / SHAPE[1]
        shading = 2 * np.cos(2 * np.pi * x)
        return [Waves().image(index) + shading, Waves().image(index) - shading]


def gain(tmp_path, name, *overrides, views=None):
    stuff = dataclasses.replace(material(), views=views)
    config = settings(*overrides, noise="none")
    return load_model(train(config, cohort(), stuff, Nothing(), tmp_path / name)).detail


def test_what_the_corruption_changed_is_not_kept(tmp_path):
    plain = gain(tmp_path, "plain")
    shaded = gain(tmp_path, "shaded", views=Shaded())
    assert ((shaded >= 0) & (shaded <= 1)).all()
    own = 1  # the band of the shading: one wave in 24 voxels, .083 of Nyquist's
    assert shaded[own] < 0.2 < 0.4 < plain[own]
    assert (shaded[BANDS // 2 :] > shaded[own]).all()


def test_the_same_run_learns_the_same_gain(tmp_path):
    one, other = (gain(tmp_path, name, views=Shaded()) for name in "ab")
    assert torch.equal(one, other)


def test_without_sites_there_is_nothing_to_learn(tmp_path):
    found = gain(tmp_path, "a", "network.conditional=false", views=Shaded())
    assert found.tolist() == [1.0] * BANDS


def test_a_run_without_corruption_or_validation_learns_it_too(tmp_path):
    config = settings("objective.name=vae", noise="none")
    stuff = material()
    stuff = dataclasses.replace(stuff, splits=dict.fromkeys(stuff.splits, "train"))
    run = train(config, cohort(), stuff, Nothing(), tmp_path / "a")
    found = load_model(run).detail
    assert ((found >= 0) & (found <= 1)).all()
    assert not torch.equal(found, torch.ones(BANDS))


def test_a_run_of_before_the_gain_goes_on(tmp_path):
    run, config = tmp_path / "a", settings(noise="none")
    train(config, cohort(), material(), Nothing(), run)
    for path in (run / "checkpoints").glob("*.ckpt"):
        content = torch.load(path, weights_only=True)
        del content["state_dict"]["vae.detail"]
        torch.save(content, path)
    (run / "model.safetensors").unlink()
    train(config, cohort(), material(), Nothing(), run, resume=True)
    assert load_model(run).detail.min() < 1


def test_scans_of_every_site_take_part():
    """Sorted by site, the first sixteen of many would all be of one."""
    for count in (17, 40, 1000):
        found = spread_over(count)
        assert len(set(found)) == 16
        assert (found[0], found[-1]) == (0, count - 1)
        assert max(np.diff(found)) - min(np.diff(found)) <= 1


class Ended:
    """The same volumes, of which a third was not scanned."""

    def views(self, index):
        view = Waves().image(index)
        view[:5] = 0
        return [view]


def test_what_was_not_scanned_is_no_reason_to_keep_less(tmp_path):
    ended = gain(tmp_path, "ended", views=Ended())
    assert ended[:4].min() > 0.5


def test_a_run_knows_where_the_scans_of_each_site_end(tmp_path):
    class Short(Waves):
        def image(self, index):
            x = Waves.image(self, index)
            if index % 2:  # site B
                x[:, :, :4] = 0
            return x

    stuff = dataclasses.replace(material(), volumes=Short())
    run = train(settings(noise="none"), cohort(), stuff, Nothing(), tmp_path / "a")
    faces = load_model(run).field_of_view
    assert faces[0].abs().min() == BEYOND_MM
    assert faces[1, 2].tolist() == [(3.5 - 7.5) * 8, BEYOND_MM]
