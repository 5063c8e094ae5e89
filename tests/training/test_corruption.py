"""Corruption in training: fresh at every step, the same after every restart."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import RandAffine, RandSmoothDeform

import noise_models
from medvae.training.augmentation import Augmentation
from medvae.training.corruption import corrupt
from medvae.training.data import SeededOrder

sys.path.insert(0, str(Path(__file__).parent))
from training_material import settings

NOISE = noise_models.get("rician", sigma=(0.05, 0.1))


def corrupted(x, names, epoch=0, copies=2):
    return corrupt(
        NOISE,
        x,
        copies=copies,
        spacing_mm=(1, 1, 1),
        sources=[None] * len(names),
        seeds=[(0, "corruption", epoch, name) for name in names],
    )


def test_a_scan_is_corrupted_alike_whoever_else_is_in_the_batch():
    x = torch.rand(3, 1, 6, 6, 6)
    together = corrupted(x, ["a", "b", "c"])
    alone = corrupted(x[1:2], ["b"])
    assert torch.equal(together[:, 1:2], alone)


def test_every_epoch_and_every_copy_draws_afresh():
    x = torch.rand(1, 1, 6, 6, 6)
    first, later = corrupted(x, ["a"], 0), corrupted(x, ["a"], 1)
    assert not torch.equal(first, later)
    assert not torch.equal(first[0], first[1])


def test_the_target_is_bit_identical_after_the_corruption():
    x = torch.rand(2, 1, 6, 6, 6)
    before = x.clone()
    corrupted(x, ["a", "b"])
    assert torch.equal(x, before)


def test_order_changes_with_the_epoch_and_repeats_with_the_seed():
    orders = []
    for epoch in (0, 1, 0):
        order = SeededOrder(20, seed=3, shuffle=True)
        order.set_epoch(epoch)
        orders.append([number for _, number, _ in order])
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[1]) == list(range(20))


def blob():
    places = torch.stack(torch.meshgrid(*[torch.arange(24.0)] * 3, indexing="ij"))
    centre = torch.tensor([8.0, 12, 12]).view(3, 1, 1, 1)
    return torch.exp(-(places - centre).square().sum(0) / 18)[None]


def test_augmentation_moves_the_head_and_repeats_with_its_seed():
    config = settings("augmentation.probability=1", "augmentation.flip=0")
    move = Augmentation(config.augmentation, (24,) * 3, (2.0,) * 3)
    x = blob()
    first, again, other = move(x, 1), move(x, 1), move(x, 2)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0.001 < (first - x).abs().mean() < 0.1


def test_deformation_alone_moves_no_further_than_it_may():
    bend = bend_by(4)
    ramp = torch.arange(24.0)[:, None, None].expand(24, 24, 24)[None]  # voxels
    moved = (bend(ramp, 5) - ramp)[0, 4:-4, 4:-4, 4:-4].abs().max().item()
    assert 0.2 < moved <= 2.0 + 0.1  # 4 mm are two voxels


def bend_by(elastic_mm):
    config = settings(
        *("augmentation.probability=1", "augmentation.flip=0"),
        *("augmentation.rotate_degrees=0", "augmentation.scale=0"),
        *("augmentation.translate_mm=0", f"augmentation.elastic_mm={elastic_mm}"),
    )
    return Augmentation(config.augmentation, (24,) * 3, (2.0,) * 3)


def test_a_vanishing_deformation_changes_nothing():
    x = torch.rand(1, 24, 24, 24, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(bend_by(1e-5)(x, 3), x, atol=1e-3)


def test_the_deformation_does_not_tear():
    ramp = torch.arange(24.0)[:, None, None].expand(24, 24, 24)[None]  # voxels
    shift = (bend_by(4)(ramp, 5) - ramp)[0, 3:-3, 12, 12]
    assert shift.diff().abs().max() < 0.4  # two voxels at most, over four places


def test_no_deformation_may_be_asked_for():
    torch.testing.assert_close(bend_by(0)(blob(), 3), blob(), rtol=0, atol=1e-5)


def monai_transforms(shape, spacing=2.0):
    affine = RandAffine(
        prob=1.0,
        rotate_range=[np.deg2rad(5.0)] * 3,
        translate_range=[4.0 / spacing] * 3,
        scale_range=[0.05] * 3,
        padding_mode="zeros",
    )
    bend = RandSmoothDeform(
        spatial_size=shape,
        rand_size=(6, 6, 6),
        prob=1.0,
        def_range=2 * 2.0 / (spacing * np.mean(shape)),
        field_mode="trilinear",
        grid_mode="bilinear",
        grid_align_corners=True,
    )
    return affine, bend


@pytest.mark.parametrize("seed", range(3))
def test_one_resampling_does_what_two_of_monais_do(seed):
    config = settings("augmentation.probability=1", "augmentation.flip=0")
    shape = (24, 28, 26)
    x = torch.nn.functional.interpolate(blob()[None], shape, mode="trilinear")[0]
    ours = Augmentation(config.augmentation, shape, (2.0,) * 3)(x, seed)
    theirs = x
    for number, move in enumerate(monai_transforms(shape), start=1):
        move.set_random_state(seed + number)
        theirs = move(theirs)
    # They blur twice, and stretch the field to the extremes of its coarse values.
    difference = (ours - torch.as_tensor(np.asarray(theirs))).abs().mean()
    assert difference < 0.1 * (ours - x).abs().mean()


def test_flip_mirrors_left_and_right():
    config = settings("augmentation.probability=0", "augmentation.flip=1")
    flip = Augmentation(config.augmentation, (24,) * 3, (2.0,) * 3)
    assert torch.equal(flip(blob(), 0), blob().flip(1))


def test_augmentation_switched_off_changes_nothing():
    config = settings("augmentation.probability=0", "augmentation.flip=0")
    assert torch.equal(
        Augmentation(config.augmentation, (24,) * 3, (2.0,) * 3)(blob(), 0), blob()
    )
