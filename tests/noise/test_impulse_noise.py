"""Salt and pepper: how many, which, and how bright."""

import numpy as np
import pytest
import torch
from scipy import stats

from noise_models.pepper import Pepper
from noise_models.salt_and_pepper import SaltAndPepper


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


GREY = torch.full((1, 1, 300, 300), 0.5)


@pytest.mark.parametrize("salt_fraction", [0.0, 0.25, 0.5, 1.0])
def test_salt_and_pepper_come_in_the_asked_proportion(salt_fraction):
    noise = SaltAndPepper(p=0.4, salt_fraction=salt_fraction, low=0.0, high=1.0)
    y = noise(GREY, rng=seeded())
    assert (y == 1).double().mean().item() == pytest.approx(
        0.4 * salt_fraction, abs=0.005
    )
    assert (y == 0).double().mean().item() == pytest.approx(
        0.4 * (1 - salt_fraction), abs=0.005
    )


def test_pepper_is_salt_and_pepper_without_salt():
    x = torch.rand(2, 1, 20, 20, 20)
    params = {"p": torch.tensor([0.1, 0.5]), "salt_fraction": torch.zeros(2)}
    pepper, both = (m.apply(x, params, seeded()) for m in (Pepper(), SaltAndPepper()))
    assert torch.equal(pepper, both)


def test_one_bright_vessel_does_not_set_the_salt():
    x = torch.rand(1, 1, 40, 40, 40)
    x[..., 20, 20, 20] = 1000
    y = SaltAndPepper(p=0.5, salt_fraction=1.0)(x, rng=seeded())
    salt = y[y != x]
    assert salt.unique().numel() == 1
    assert salt[0].item() == pytest.approx(1.0, abs=0.02)


def test_every_volume_and_channel_has_its_own_salt():
    x = (
        torch.rand(2, 2, 30, 30, 30)
        * torch.tensor([[1.0, 2], [3, 4]])[..., None, None, None]
    )
    y = SaltAndPepper(p=0.5, salt_fraction=1.0)(x, rng=seeded())
    salt = torch.where(y != x, y, 0).amax((2, 3, 4))
    torch.testing.assert_close(
        salt, torch.tensor([[1.0, 2], [3, 4]]), rtol=0.02, atol=0
    )


def test_replaced_voxels_do_not_repeat_between_volumes():
    y = Pepper(p=0.5, low=0.0)(torch.ones(2, 1, 100, 100), rng=seeded())
    assert (y[0] == y[1]).double().mean().item() == pytest.approx(0.5, abs=0.03)


def test_mean_falls_by_the_masked_share():
    y = Pepper(p=0.25, low=0.0)(torch.ones(1, 1, 300, 300), rng=seeded())
    assert y.mean().item() == pytest.approx(0.75, abs=0.01)


def test_probability_one_replaces_every_voxel_and_zero_none():
    x = torch.full((1, 1, 1000, 1000), 0.5)
    assert (Pepper(p=1.0, low=0.0)(x, rng=seeded()) == 0).all()
    assert torch.equal(Pepper(p=0.0, low=0.0)(x, rng=seeded()), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_voxel_is_its_own_value_or_a_level_to_the_bit(dtype):
    x = 1000 * torch.randn(2, 2, 30, 31, generator=seeded(1), dtype=dtype)
    x[0, 0, 0] = 0
    noise = SaltAndPepper(p=(0.2, 0.9), salt_fraction=(0.2, 0.8), low=-0.1, high=0.7)
    params = noise.draw(2, seeded())
    y = noise.apply(x, params, seeded(2))
    u = torch.rand(x.shape, generator=seeded(2)).to(dtype)
    p, salt = (params[key].to(dtype).view(2, 1, 1, 1) for key in ("p", "salt_fraction"))
    low, high = x.new_tensor(-0.1), x.new_tensor(0.7)
    hit = torch.where(u < p * (1 - salt), low, high)
    assert torch.equal(y, torch.where(u < p, hit, x))


@pytest.mark.parametrize("p", [0.02, 0.2, 0.6])
def test_voxels_are_hit_each_on_its_own(p):
    """All 81 patterns of four voxels, as often as independence has them."""
    salt, n = 0.3, 40000
    noise = SaltAndPepper(p=p, salt_fraction=salt, low=0.0, high=1.0)
    y = noise(torch.full((n, 1, 2, 2), 0.5), rng=seeded())
    kinds = (2 * y).long().flatten(1)  # pepper, neither, salt
    seen = torch.bincount(kinds @ torch.tensor([27, 9, 3, 1]), minlength=81)
    one = np.array([p * (1 - salt), 1 - p, p * salt])
    expected = n * np.einsum("a,b,c,d->abcd", one, one, one, one).ravel()
    common = expected > 5
    rest = n - expected[common].sum()
    found = [*seen.numpy()[common], n - seen.numpy()[common].sum()]
    assert stats.chisquare(found, [*expected[common], rest]).pvalue > 1e-4


@pytest.mark.parametrize("most", [0.2, 0.9])
@pytest.mark.parametrize("channels", [1, 2])
def test_each_volume_is_hit_as_often_as_its_own_level_says(most, channels):
    p = torch.linspace(0, most, 8)  # as many volumes as voxels along an axis
    x = torch.full((8, channels, 8, 100, 100), 0.5)
    salt = torch.linspace(1, 0, 8)
    noise = SaltAndPepper(low=0.0, high=1.0)
    y = noise.apply(x, {"p": p, "salt_fraction": salt}, seeded())
    for level, expected in ((1, p * salt), (0, p * (1 - salt))):
        found = (y == level).float().mean((2, 3, 4))
        spread = (expected * (1 - expected) / 80000).sqrt()[:, None]
        assert ((found - expected[:, None]).abs() <= 4.5 * spread).all()


def test_few_hits_take_the_values_of_their_own_volume_and_channel():
    scale = torch.tensor([[1.0, 2], [3, 4]])[..., None, None, None]
    x = (1 + torch.rand(2, 2, 30, 30, 30, generator=seeded(1))) * scale
    y = SaltAndPepper(p=0.1, salt_fraction=0.5)(x, rng=seeded())
    for found, end in ((y.amax((2, 3, 4)), 2), (y.amin((2, 3, 4)), 1)):
        torch.testing.assert_close(found, end * scale[..., 0, 0, 0], rtol=0.01, atol=0)
    hit = (y != x).flatten(2)
    salted = torch.where(hit, y.flatten(2), 0.0)
    assert all(row[row > 0].unique().numel() == 2 for row in salted.flatten(0, 1))


def test_volumes_that_share_memory_are_hit_apart():
    x = torch.full((1, 1, 100, 100), 0.5).expand(3, 1, 100, 100)
    y = Pepper(p=0.1, low=0.0)(x, rng=seeded())
    assert torch.unique((y == 0).flatten(1), dim=0).shape[0] == 3
    assert (x == 0.5).all()


def test_probability_above_one_is_refused():
    with pytest.raises(
        ValueError, match=r"p must satisfy 0 <= low <= high <= 1, got 1\.5"
    ):
        SaltAndPepper(p=1.5)
