"""Work done block by block, on several threads and in place, changes no number."""

import pytest
import torch

import noise_models
from noise_models.cosine import (
    CosineField,
    cosine_basis,
    cosine_field,
    cosine_terms,
)
from noise_models.normals import DRAWN, fill_normal, on_threads
from noise_models.scanner.spectrum import coloured_noise, complex_noise
from noise_models.separable import along, along_all, along_mirrored
from noise_models.voxelwise import BLOCK, blocks, in_blocks

LARGE = (1, 1, 80, 60, 56)  # two blocks and a rest


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["randomised", "rician", "contrast", "bias_field"])
def test_threads_change_nothing(threads, name):
    model, x = noise_models.get(name), torch.rand(LARGE)
    found = []
    for count in (1, 3):
        threads(count)
        found.append(model(x, rng=seeded()))
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["blur", "bias_field", "rician", "contrast", "spike"])
@pytest.mark.parametrize("shape", [(2, 1, 20, 18), (2, 2, 9, 10, 11), LARGE])
def test_in_place_or_not_is_the_same(name, shape):
    model, x = noise_models.get(name), 0.2 + torch.rand(shape)
    params = model.draw(len(x), seeded(1))
    kept = model.apply(x, params, seeded(2))
    assert torch.equal(model.spend(x.clone(), params, seeded(2)), kept)


@pytest.mark.parametrize("shape", [(3, 7), (5, BLOCK - 1), (2, BLOCK + 1), (0, 4)])
def test_blocks_cover_every_voxel_once(shape):
    x = torch.zeros(shape)
    in_blocks(x, lambda rows, voxels: x[rows, voxels].add_(1))
    on_threads(x, lambda rows, voxels, _: x[rows, voxels].add_(1))
    assert torch.equal(x, torch.full(shape, 2.0))
    assert all(x[part].numel() <= BLOCK for part in blocks(x))


def test_an_error_in_a_block_is_not_lost(threads):
    threads(2)

    def fail(rows, voxels, number):
        if number == 1:
            raise ValueError("block 1")

    with pytest.raises(ValueError, match="block 1"):
        on_threads(torch.zeros(LARGE), fail)


def test_blocks_of_normals_are_normal_and_not_alike():
    x = fill_normal(torch.empty(1, 8 * DRAWN), seeded()).view(8, DRAWN)
    assert x.mean(1).abs().max() < 4 / DRAWN**0.5
    assert (x.std(1) - 1).abs().max() < 4 / (2 * DRAWN) ** 0.5
    others = torch.corrcoef(x) - torch.eye(8)
    assert others.abs().max() < 4.5 / DRAWN**0.5


@pytest.mark.parametrize("size", [127, 128, 129, 130])
@pytest.mark.parametrize("axis", [2, 3, 4])
def test_halves_of_a_mirrored_filter_do_what_the_whole_does(size, axis):
    shape = [2, 1, 5, 6, 7]
    shape[axis] = size
    x = torch.rand(shape)
    half = torch.rand(2, size, size)
    matrices = half + half.flip(1, 2)
    torch.testing.assert_close(
        along_mirrored(x, axis, matrices),
        along(x, axis, matrices),
        rtol=1e-4,
        atol=1e-3,
    )


def test_memory_that_was_given_away_takes_the_result():
    x = torch.rand(1, 1, 4, 4)
    halves = {axis: 0.5 * torch.eye(4)[None] for axis in (2, 3)}
    expected = x / 4
    y = along_all(x, halves, spare=x)
    assert y.data_ptr() == x.data_ptr()
    assert torch.equal(y, expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("last", [48, 45])
def test_coloured_noise_has_the_spectrum_asked_for(parts, axis, last):
    # The last axis has half of the frequencies, and one or two that have no partner.
    shape = (48, 48, last)
    places = [1, 1, 1]
    places[axis] = -1
    size = shape[axis]
    falling = torch.exp(-8 * torch.arange(size // 2 + 1) / size)
    spectrum = falling.view(places).expand([n // 2 + 1 for n in shape])
    make = complex_noise if parts == 2 else coloured_noise
    like = torch.empty(1, 1, *shape)
    fields = make(spectrum[None].clone(), like, seeded())
    fields = fields.unbind(-1) if parts == 2 else (fields,)
    for field in fields:
        power = torch.fft.rfft(field[0, 0], dim=axis, norm="ortho").abs().square()
        power = power.movedim(axis, 0).flatten(1).mean(1)
        torch.testing.assert_close(power, falling, rtol=0.1, atol=0)
    if parts == 2:
        both = torch.stack([field.flatten() for field in fields])
        assert torch.corrcoef(both)[0, 1].abs() < 0.02


@pytest.mark.parametrize("shape", [(2, 1, 9, 10, 11), (1, 2, 70, 60, 50), (2, 1, 6, 5)])
def test_planes_of_a_field_are_those_of_the_whole_field(shape):
    x = torch.empty(shape)
    spacing = (4.0,) * (len(shape) - 2)
    factors = cosine_basis(shape[2:], spacing, order=3)
    weights = torch.randn(shape[0], len(cosine_terms(len(spacing), 3)))
    whole = cosine_field(weights, factors).unsqueeze(1).expand(shape).flatten(1)
    field = CosineField.of(weights, factors, torch.ones(shape[0]), shape[1])

    def work(volumes, voxels):
        found = field.at(volumes, voxels)
        torch.testing.assert_close(found, whole[volumes, voxels] + 1)

    in_blocks(x, work)


def test_a_filter_of_several_axes_may_write_where_it_reads():
    x = torch.rand(2, 1, 130, 9, 128)
    matrices = {}
    for axis in (2, 3, 4):
        half = torch.rand(2, x.shape[axis], x.shape[axis]) / x.shape[axis]
        matrices[axis] = half + half.flip(1, 2)
    apart = x
    for axis, matrix in matrices.items():
        apart = along(apart, axis, matrix)
    before = x.clone()
    torch.testing.assert_close(along_all(x, matrices), apart)
    assert torch.equal(x, before)
    torch.testing.assert_close(along_all(x, matrices, spare=x), apart)
