"""A point stays where it is in the room, and noise shrinks by the promised factor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medvae.volume.grid import Grid, Placement
from medvae.volume.resampling import FWHM_PER_SIGMA, _axis_weights, noise_gain, resample

angles = st.floats(-0.5, 0.5)
sizes = st.floats(0.8, 3.0)
spots = st.floats(-8.0, 8.0)


def rotation(a, b, c):
    def turn(angle, i, j):
        out = np.eye(3)
        out[[i, i, j, j], [i, j, i, j]] = (
            np.cos(angle),
            -np.sin(angle),
            np.sin(angle),
            np.cos(angle),
        )
        return out

    return turn(a, 0, 1) @ turn(b, 1, 2) @ turn(c, 0, 2)


def native_affine(angle, spacing, shape):
    affine = np.eye(4)
    affine[:3, :3] = rotation(*angle) @ np.diag(spacing)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def blob(affine, shape, centre_mm, sigma_mm=7.0):
    world = np.tensordot(affine[:3, :3], np.indices(shape), 1)
    world = world + affine[:3, 3, None, None, None]
    apart = world - np.asarray(centre_mm)[:, None, None, None]
    return np.exp(-(apart**2).sum(axis=0) / (2 * sigma_mm**2))


def centre_of(data, affine):
    weights = data / data.sum()
    voxel = [(weights * i).sum() for i in np.indices(data.shape)]
    return affine[:3, :3] @ voxel + affine[:3, 3]


def placed(affine, shape):
    grid = Grid((36, 34, 32), (2.5, 3.0, 3.5))
    return Placement(grid, grid.affine_at(np.zeros(3)), shape, affine)


@settings(max_examples=12, deadline=None)
@given(
    st.tuples(angles, angles, angles),
    st.tuples(sizes, sizes, sizes),
    st.tuples(spots, spots, spots),
)
def test_a_blob_keeps_its_place_in_the_room_both_ways(angle, spacing, centre):
    shape = tuple(int(90 / s) for s in spacing)
    affine = native_affine(angle, spacing, shape)
    place = placed(affine, shape)
    on_grid = place.to_grid(blob(affine, shape, centre))
    back = place.to_native(on_grid)
    assert centre_of(on_grid, place.grid_affine) == pytest.approx(centre, abs=0.06)
    assert centre_of(back, affine) == pytest.approx(centre, abs=0.06)


@settings(max_examples=8, deadline=None)
@given(st.tuples(sizes, sizes, sizes), st.tuples(spots, spots, spots))
def test_an_axis_aligned_scan_keeps_a_blob_where_it_is(spacing, centre):
    shape = tuple(int(90 / s) for s in spacing)
    affine = native_affine((0, 0, 0), spacing, shape)
    place = placed(affine, shape)
    on_grid = place.to_grid(blob(affine, shape, centre))
    assert centre_of(on_grid, place.grid_affine) == pytest.approx(centre, abs=0.02)


def test_the_separable_route_agrees_with_the_general_one(monkeypatch):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(20, 24, 22))
    matrix = np.diag([1.7, 0.9, 2.2, 1.0])
    matrix[:3, 3] = 0.4, 0.3, 0.6
    fast = resample(data, matrix, (11, 26, 10))
    monkeypatch.setattr("medvae.volume.resampling._is_aligned", lambda *_: False)
    slow = resample(data, matrix, (11, 26, 10))
    assert np.abs(fast - slow).max() < 2e-5


def test_a_grid_laid_on_itself_changes_nothing():
    data = np.random.default_rng(0).normal(size=(9, 8, 7)).astype(np.float32)
    assert resample(data, np.eye(4), (9, 8, 7)) == pytest.approx(data, abs=1e-5)


def test_a_coarse_grid_has_the_resolution_it_promises():
    data = np.zeros((65, 9, 9))
    data[32] = 1.0
    matrix = np.diag([4.0, 1.0, 1.0, 1.0])
    profiles = []
    for offset in range(4):  # four phases interleave to the full profile
        matrix[0, 3] = offset
        profiles.append(resample(data, matrix, (16, 9, 9))[:, 4, 4])
    profile = np.stack(profiles, axis=1).ravel()
    place = np.arange(64) - 32
    variance = (profile * place**2).sum() / profile.sum()
    assert np.sqrt(variance) * FWHM_PER_SIGMA == pytest.approx(np.sqrt(15), rel=0.01)


def test_detail_finer_than_the_new_grid_folds_back_only_as_promised():
    turn = np.pi * 0.45
    data = np.broadcast_to(np.cos(turn * np.arange(128))[:, None, None], (128, 6, 6))
    matrix = np.diag([4.0, 1.0, 1.0, 1.0])
    kept = resample(data, matrix, (32, 6, 6))[4:-4].std()
    folded = resample(data, matrix, (32, 6, 6), antialias=False)[4:-4].std()
    promised = np.exp(-15 / FWHM_PER_SIGMA**2 * (1 - np.cos(turn)))
    assert kept / folded == pytest.approx(promised, rel=0.02)
    assert promised < 0.11


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.5, 3.0])
@pytest.mark.parametrize("angle", [(0, 0, 0), (0.2, 0.1, -0.15)])
def test_white_noise_shrinks_by_the_promised_gain(scale, angle):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(*angle) * scale
    matrix[:3, 3] = 40 - matrix[:3, :3] @ np.full(3, 11.5) + 0.37
    noise = np.random.default_rng(1).normal(size=(80, 80, 80))
    measured = resample(noise, matrix, (24, 24, 24)).std()
    promised = noise_gain(matrix, (24, 24, 24), (80, 80, 80))
    assert measured == pytest.approx(promised, rel=0.06)


def test_half_a_voxel_costs_noise_and_a_whole_voxel_none():
    half, whole = np.eye(4), np.eye(4)
    half[:3, 3], whole[:3, 3] = 0.5, 1.0
    shape = (20, 20, 20)
    assert noise_gain(whole, shape, shape) == pytest.approx(1, abs=1e-6)
    assert noise_gain(half, shape, shape) == pytest.approx(0.78**1.5, abs=0.06)


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_beyond_the_field_of_view_there_is_nothing(angle):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(angle, 0, 0)
    matrix[:3, 3] = -20
    out = resample(np.ones((10, 10, 10)), matrix, (20, 20, 20))
    assert not out[:8].any()
    assert resample(np.ones((10, 10, 10)), np.eye(4), (20, 10, 10))[10:].max() == 0


def test_a_constant_stays_that_constant_up_to_the_edge():
    out = resample(np.full((30, 30, 30), 7.0), np.diag([3.0, 3.0, 3.0, 1.0]), (10,) * 3)
    assert out == pytest.approx(np.full((10, 10, 10), 7.0), abs=1e-4)


@pytest.mark.parametrize("scale", [1 / 3, 0.9, 2.0])
def test_no_weight_is_so_small_that_it_only_costs_time(scale):
    sizes = (200, 300)
    found = _axis_weights(scale, 0.3, sizes, sigma=0.0)
    exact = ndimage.affine_transform(
        np.eye(300), [scale, 1], [0.3, 0], output_shape=sizes, order=3, mode="nearest"
    )
    exact[(scale * np.arange(200) + 0.3) > 299.5] = 0
    assert np.abs(exact[exact != 0]).min() < 1e-37  # denormal in single precision
    assert np.abs(found[found != 0]).min() > 1e-13
    assert np.abs(found - exact).max() < 1e-7
