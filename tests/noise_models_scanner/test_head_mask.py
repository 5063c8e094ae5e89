"""The head on a block-averaged scan."""

import numpy as np
import pytest

from noise_models.scanner.head import head_mask


def ball(shape, middle, radius):
    places = np.meshgrid(*map(np.arange, shape), indexing="ij")
    away = sum((p - m) ** 2 for p, m in zip(places, middle, strict=True))
    rng = np.random.default_rng(0)
    return np.where(away < radius**2, 1.0, 0.02) + 0.005 * rng.standard_normal(shape)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", [0, -1])
def test_a_head_that_the_view_cuts_is_marked_up_to_the_edge(axis, end):
    shape, middle = [20, 22, 24], [10, 11, 12]
    middle[axis] = 2 if end == 0 else shape[axis] - 3
    blocks = ball(shape, middle, 8)
    mask = head_mask(blocks)
    assert mask.shape == blocks.shape
    truth = blocks > 0.5
    missed = truth & ~mask
    assert not (mask & ~truth).any()
    # Opening rounds off what is thinner than three blocks: the rim at the edge alone.
    inner = ball(shape, middle, 7) > 0.5
    assert not (missed & inner).any()
    assert mask.take(end, axis=axis).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", [0, -1])
def test_a_sinus_that_the_view_lays_open_is_inside(axis, end):
    shape, middle = [20, 22, 24], [10, 11, 12]
    middle[axis] = 0 if end == 0 else shape[axis] - 1
    head, sinus = ball(shape, middle, 9), ball(shape, middle, 4) > 0.5
    mask = head_mask(np.where(sinus, 0.02, head))
    assert mask[sinus].all()
    assert not mask[head < 0.5].any()
