import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from medvae.evaluation import alignment
from medvae.evaluation.alignment import Motion, estimate_motion

SPACING = (3.0, 3.0, 4.0)


@pytest.fixture(scope="module")
def head():
    rng = np.random.default_rng(0)
    x = np.stack(
        np.meshgrid(*[np.linspace(-1, 1, n) for n in (32, 36, 28)], indexing="ij")
    )
    inside = (x**2).sum(0) < 0.55
    return gaussian_filter(inside * (1 + rng.normal(0, 1.5, inside.shape)), 1.2), inside


@pytest.mark.parametrize("turn", [(0, 0, 0), (2.0, -1.5, 3.0)])
def test_a_known_misplacement_is_found_under_another_contrast(head, turn):
    image, mask = head
    there = Motion((4.5, -2.0, 3.0), turn).apply(image, SPACING)
    other = 1.3 * there**0.8 if there.min() >= 0 else 1.3 * there + 0.1
    noisy = other + np.random.default_rng(1).normal(0, 0.03, image.shape)
    back = estimate_motion(noisy, image, mask, SPACING).apply(there, SPACING)
    before = np.mean((there - image)[mask] ** 2)
    assert np.mean((back - image)[mask] ** 2) < 0.05 * before


def test_a_shift_moves_as_scipy_moves_it(head):
    image, mask = head
    ours = Motion((3.0, 0.0, -4.0)).apply(image, SPACING)
    np.testing.assert_allclose(
        ours[mask], shift(image, (1, 0, -1), mode="nearest")[mask], atol=1e-6
    )


def test_a_head_in_place_stays_within_a_twentieth_of_a_voxel(head):
    image, mask = head
    rng = np.random.default_rng(0)
    a, b = (image + rng.normal(0, 0.05, image.shape) for _ in range(2))
    assert np.abs(estimate_motion(a, b, mask, SPACING).shift_mm).max() < 0.15


def test_an_unrelated_image_is_not_thrown_across_the_grid(head):
    image, mask = head
    noise = np.random.default_rng(0).normal(size=image.shape)
    found = estimate_motion(noise, image, mask, SPACING)
    assert np.linalg.norm(found.shift_mm) <= 20
    assert np.linalg.norm(found.turn_degrees) <= 15


def test_a_constant_image_is_left_where_it_is(head):
    _, mask = head
    assert estimate_motion(np.ones(mask.shape), head[0], mask, SPACING) == Motion()


def test_two_grids_are_refused(head):
    with pytest.raises(ValueError, match="one grid needed"):
        estimate_motion(head[0][1:], *head, SPACING)


def test_the_same_pair_is_estimated_once_and_another_anew(head, monkeypatch):
    image, mask = head
    estimated = []

    def counted(*asked):
        estimated.append(asked)
        return Motion((float(len(estimated)), 0.0, 0.0))

    monkeypatch.setattr(alignment, "_estimated", counted)
    monkeypatch.setattr(alignment, "_found", {})
    first = estimate_motion(image, 1 + image, mask, SPACING)
    assert estimate_motion(image.copy(), 1 + image, mask, SPACING) == first
    changed = (
        (image, 2 + image, mask, SPACING),
        (image, 1 + image, ~mask, SPACING),
        (image, 1 + image, mask, (3.0, 3.0, 3.0)),
        (1 + image, image, mask, SPACING),
    )
    for asked in changed:
        assert estimate_motion(*asked) != first
    assert len(estimated) == 5
