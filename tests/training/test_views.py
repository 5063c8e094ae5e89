"""Corruptions made beforehand: moved with their volume, and drawn afresh."""

import dataclasses

import torch
from training_material import Waves, cohort, material, settings

from medvae.training.augmentation import Augmentation
from medvae.training.data import TrainingScans
from medvae.training.run import train
from noise_models.none import Nothing


class Doubled:
    """Two views of every volume: twice and three times as bright."""

    def views(self, index):
        return [2 * Waves().image(index), 3 * Waves().image(index)]


def scans(*, training=True, copies=1):
    config = settings("augmentation.probability=1")
    spacing = config.grid.spacing_mm
    augmentation = Augmentation(config.augmentation, config.grid.shape, spacing)
    return TrainingScans(
        material().entries("train", ()),
        Waves(),
        seed=0,
        augmentation=augmentation if training else None,
        views=Doubled(),
        copies=copies,
    )


def factor(item):
    ratio = item["views"][:, 0] / item["image"].clamp(min=1e-6)
    return ratio[:, item["image"][0] > 0.2]


def test_a_view_moves_with_its_volume():
    found = scans()
    for epoch in range(3):
        item = found[epoch, 1]
        still = torch.from_numpy(Waves().image(1))
        assert (item["image"][0] - still).abs().max() > 0.05
        ratio = factor(item)
        assert torch.allclose(ratio, ratio.mean().round(), atol=1e-3)


def test_views_are_drawn_afresh_in_training_and_kept_in_validation():
    drawn = {round(factor(scans()[epoch, 0]).mean().item()) for epoch in range(20)}
    assert drawn == {2, 3}
    kept = [scans(training=False)[epoch, 0]["views"] for epoch in range(8)]
    assert all(torch.equal(kept[0], other) for other in kept)
    both = scans(copies=2)[0, 0]
    assert sorted(round(r.mean().item()) for r in factor(both)) == [2, 3]


def test_a_run_learns_from_views_instead_of_the_noise(tmp_path):
    weights = []
    for name, views in (("plain", None), ("views", Doubled())):
        stuff = dataclasses.replace(material(), views=views)
        config = settings(noise="none")
        run = train(config, cohort(), stuff, Nothing(), tmp_path / name)
        weights.append((run / "model.safetensors").read_bytes())
    assert weights[0] != weights[1]
