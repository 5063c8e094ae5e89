"""Where the head is, and what 1 means, whatever the scanner did."""

import numpy as np
import pytest
from scipy import ndimage
from simple_head import make_head

from medvae.volume import foreground_mask, reference_level
from medvae.volume.foreground import block_mean, fill_holes
from medvae.volume.tissue_mode import tissue_mode

SPACING = (2.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def head():
    return make_head()


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize(
    "look",
    [
        {},
        {"noise": 0.12},
        {"zeroed": True},
        {"bias": 0.5},
        {"gm": 0.58, "csf": 0.24, "fat": 0.8},
        {"level": 0.02},
    ],
)
def test_the_foreground_is_the_head(look):
    head = make_head(**look)
    assert dice(foreground_mask(head.image, SPACING), head.inside) > 0.95


def test_noise_alone_has_no_solid_foreground():
    noise = np.abs(np.random.default_rng(0).normal(size=(48, 48, 48)))
    assert foreground_mask(noise, SPACING).mean() < 0.05


@pytest.mark.parametrize("fat", [0.8, 3.0])
@pytest.mark.parametrize(("gm", "csf"), [(0.58, 0.24), (0.7, 0.35), (0.85, 0.48)])
def test_the_unit_is_white_matter_whatever_contrast_and_scalp(gm, csf, fat):
    head = make_head(gm=gm, csf=csf, fat=fat, bias=0.15, noise=0.03)
    found = reference_level(head.image, foreground_mask(head.image, SPACING), SPACING)
    assert found.kind == "white matter"
    assert found.level / head.white_level == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("bias", [0.15, 0.3])
@pytest.mark.parametrize("noise", [0.01, 0.08])
def test_bias_and_noise_do_not_move_the_unit(bias, noise):
    head = make_head(bias=bias, noise=noise)
    found = reference_level(head.image, foreground_mask(head.image, SPACING), SPACING)
    assert found.level / head.white_level == pytest.approx(1, abs=0.05)


def test_the_unit_scales_with_the_scan(head):
    inside = foreground_mask(head.image, SPACING)
    one = reference_level(head.image, inside, SPACING).level
    assert reference_level(head.image * 3, inside, SPACING).level == pytest.approx(
        3 * one, rel=1e-4
    )


def test_a_thing_too_small_for_a_brain_falls_back_to_its_median():
    data = np.full((30, 30, 30), 1.0)
    inside = np.zeros(data.shape, bool)
    inside[10:20, 10:20, 10:20] = True
    data[inside] = 50
    found = reference_level(data, inside, (1.0, 1.0, 1.0))
    assert (found.level, found.kind) == (50, "foreground median")


def test_a_negative_foreground_is_refused():
    inside = np.ones((8, 8, 8), bool)
    with pytest.raises(ValueError, match=r"median is -3.0, must be positive"):
        reference_level(np.full((8, 8, 8), -3.0), inside, SPACING)


def test_the_mask_of_a_fine_scan_is_not_shifted_by_its_blocks():
    place = np.indices((60, 63, 66)) - np.array([30, 31, 33])[:, None, None, None]
    ball = np.linalg.norm(place, axis=0) < 20
    found = foreground_mask(ball * 100.0, (1.0, 1.0, 1.0))
    assert place[:, found].mean(axis=1) == pytest.approx([0, 0, 0], abs=0.15)


def test_a_foreground_finer_than_the_blocks_falls_back_to_its_median():
    data = np.zeros((24, 24, 24))
    inside = np.zeros(data.shape, bool)
    inside[::3, ::3, ::3] = True  # no block of 3 mm is half full
    data[inside] = 7.0
    found = reference_level(data, inside, (1.0, 1.0, 1.0))
    assert (found.level, found.kind) == (7.0, "foreground median")


def test_a_block_beyond_the_edge_is_completed_with_its_last_voxels():
    line = np.array([1.0, 3.0, 5.0]).reshape(3, 1, 1)
    means, factors = block_mean(line, (1.0, 1.0, 1.0), 2.0)
    assert factors == (2, 1, 1)
    assert means.ravel().tolist() == [2.0, 5.0]


def places(n):
    return np.random.default_rng(0).uniform(-1, 1, (n, 3))


def test_intensities_that_pile_up_nowhere_have_no_mode():
    falling = -np.log(1 - (np.arange(8000) + 0.5) / 8000) + 1e-3
    assert tissue_mode(falling, places(8000)) is None


@pytest.mark.parametrize("seed", range(40))
def test_holes_are_filled_as_scipy_fills_them(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 12, 3)) < rng.uniform(0.3, 0.95)
    assert (fill_holes(mask) == ndimage.binary_fill_holes(mask)).all()
    filled = fill_holes(mask, in_slices=True)
    for z in range(mask.shape[2]):
        expected = ndimage.binary_fill_holes(mask[:, :, z])
        assert (filled[:, :, z] == expected).all()
