"""One table, every corruption: the promises that all of them make."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

import noise_models

SIGMA = 0.1


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def corrupt(name: str, options: dict[str, object], x: Tensor, **keywords) -> Tensor:
    return noise_models.get(name, **options)(x, rng=seeded(), **keywords)


def unchanged(name, options):
    x = torch.rand(2, 1, 8, 8, 8)
    return (corrupt(name, options, x) - x).abs().max().item(), 0.0


def std_at_one(name, options):
    return corrupt(name, options, torch.ones(1, 1, 64, 64, 64)).std().item(), SIGMA


def rayleigh_floor(name, options):
    air = corrupt(name, options, torch.zeros(1, 1, 64, 64, 64))
    return air.mean().item(), SIGMA * math.sqrt(math.pi / 2)


def chi_floor(name, options):
    coils = options["coils"]
    air = corrupt(name, options, torch.zeros(1, 1, 64, 64, 64))
    mean = math.sqrt(2) * math.gamma(coils + 0.5) / math.gamma(coils)
    return air.mean().item(), SIGMA * mean


def share_replaced(name, options):
    x = 0.5 + 0.1 * torch.rand(1, 1, 64, 64, 64, generator=seeded(1))
    changed = (corrupt(name, options, x) != x).double().mean().item()
    return changed, options["p"]


def point_spread(name, options):
    """Variance of a blurred point along a 2 mm axis, in mm^2."""
    point = torch.zeros(1, 1, 33, 41, 37)
    point[..., 16, 20, 18] = 1
    y = corrupt(name, options, point, spacing_mm=(1.0, 2.0, 1.5))
    along = y.sum((0, 1, 2, 4))
    position = (torch.arange(41) - 20) * 2.0
    variance = (along * position**2).sum() / along.sum()
    return variance.item(), options["fwhm_mm"] ** 2 / (8 * math.log(2))


def log_rms(name, options):
    y = corrupt(name, options, torch.ones(1, 1, 60, 48, 40), spacing_mm=(4, 5, 6))
    return y.log().square().mean().sqrt().item(), options["rms"]


def log_slope_std(name, options):
    """Spread of the log slopes inside each curve, over many curves."""
    levels = torch.linspace(0, 1, options["knots"]).expand(2000, 1, 1, -1)
    slopes = corrupt(name, options, levels).diff(dim=-1).log()
    return slopes.var(-1).mean().sqrt().item(), options["strength"]


def overshoot(name, options):
    """Gibbs: 1/2 + Si(pi)/pi of a unit step, wherever k-space is cut."""
    step = torch.zeros(1, 1, 512, 4)
    step[..., 256:, :] = 1
    return corrupt(name, options, step).max().item(), 1.0895


def stripe_std(name, options):
    tissue = corrupt(name, options, torch.full((1, 1, 32, 32, 32), 50.0))
    return tissue.std().item(), options["amplitude"] / math.sqrt(2)


def ghost_level(name, options):
    dot = torch.zeros(1, 1, 24, 4)
    dot[..., 12, :] = 1
    y = corrupt(name, options, dot)
    return y[..., 12 + 24 // options["period"], :].mean().item(), 0.1


def slice_noise(name, options):
    """Averaging 5 independent voxels leaves 1/sqrt(5) of the noise at slice centres."""
    noise = torch.randn(1, 1, 45, 60, 60, generator=seeded(3))
    centres = corrupt(name, options, noise)[..., 2::5, :, :]
    return centres.std().item(), 1 / math.sqrt(5)


def surface_scaled(name, options):
    """Twice the tail of a Gaussian of 9 mm, 9.5 mm below a flat surface."""
    slab = torch.ones(1, 1, 100, 12)
    slab[..., :20, :] = 0
    change = corrupt(name, options, slab)[0, 0, 29, 6].item() - 1
    share = math.erfc(9.5 / 9 / math.sqrt(2))
    return change / (options["ratio"] - 1), share


def share_shown(name, options):
    shown = corrupt(name, options, torch.ones(1, 1, 5, 40)).mean().item()
    return shown, 1 - options["lost"]


@dataclass(frozen=True)
class Row:
    """Options, and a moment known from theory: returns (measured, expected)."""

    moment: Callable[[str, dict[str, object]], tuple[float, float]]
    options: dict[str, object] = field(default_factory=dict)
    tolerance: float = 0.01
    draws_voxels: bool = False  # whether apply itself uses the generator
    draws_places: bool = False  # as many numbers as voxels are hit, over the batch


TABLE = {
    "none": Row(unchanged),
    "gaussian": Row(std_at_one, {"sigma": SIGMA}, draws_voxels=True),
    "rician": Row(rayleigh_floor, {"sigma": SIGMA}, draws_voxels=True),
    "noncentral_chi": Row(chi_floor, {"sigma": SIGMA, "coils": 4}, draws_voxels=True),
    "salt_and_pepper": Row(
        share_replaced, {"p": 0.2}, draws_voxels=True, draws_places=True
    ),
    "pepper": Row(share_replaced, {"p": 0.2}, draws_voxels=True, draws_places=True),
    "blur": Row(point_spread, {"fwhm_mm": 5.0}),
    "bias_field": Row(log_rms, {"rms": 0.2}),
    "contrast": Row(log_slope_std, {"strength": 0.3, "knots": 6}, tolerance=0.03),
    "gibbs": Row(overshoot, {"kept": 0.1}),
    "spike": Row(stripe_std, {"amplitude": 0.1}),
    "ghosting": Row(ghost_level, {"intensity": 0.2, "period": 4, "axis": 0}),
    "anisotropy": Row(slice_noise, {"thickness_mm": 5.0, "axis": 0}, tolerance=0.03),
    "field_of_view": Row(share_shown, {"lost": 0.2}),
    "scalp": Row(surface_scaled, {"ratio": 0.5}, tolerance=0.02),
    "randomised": Row(rayleigh_floor, {"sigma": SIGMA}, draws_voxels=True),
}
every = pytest.mark.parametrize("name", TABLE)
random = pytest.mark.parametrize("name", [n for n in TABLE if n != "none"])
images = pytest.mark.parametrize("shape", [(2, 1, 12, 10), (2, 2, 8, 9, 10)])


def head(*shape: int) -> Tensor:
    """A positive image with some structure, and air."""
    x = 0.3 + torch.rand(shape, generator=seeded(7))
    x[..., -4:] = 0
    return x


def test_every_model_has_a_row():
    fitted = {"scanner"}
    ours = {n for n in noise_models.names() if n not in fitted}
    assert ours == set(TABLE)


@every
def test_preset_equals_the_defaults(name):
    assert noise_models.load(name) == noise_models.get(name)


@every
def test_moment_is_the_promised_one(name):
    row = TABLE[name]
    measured, expected = row.moment(name, row.options)
    assert measured == pytest.approx(expected, rel=row.tolerance, abs=1e-6)


@every
@images
def test_same_seed_same_voxels(name, shape):
    model, x = noise_models.load(name), head(*shape)
    assert torch.equal(model(x, rng=seeded(5)), model(x, rng=seeded(5)))


@random
@images
def test_another_seed_other_voxels(name, shape):
    model, x = noise_models.load(name), head(*shape)
    assert not torch.equal(model(x, rng=seeded(5)), model(x, rng=seeded(6)))


@every
@images
def test_clean_image_is_left_as_it_was(name, shape):
    x = head(*shape)
    before = x.clone()
    y = noise_models.load(name)(x, rng=seeded())
    y.zero_()  # nor may the output share memory with the input
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", [n for n, r in TABLE.items() if n != "none"])
def test_levels_reach_only_their_volume_when_batch_equals_an_axis(name):
    model, x = noise_models.load(name), head(8, 1, 8, 8, 8)
    first, second = model.draw(8, seeded(1)), model.draw(8, seeded(4))
    mixed = {key: value.clone() for key, value in first.items()}
    for key in mixed:
        mixed[key][3] = second[key][3]
    before, after = (model.apply(x, p, seeded(9)) for p in (first, mixed))
    differs = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert differs == [volume == 3 for volume in range(8)]


@pytest.mark.parametrize("name", [n for n, r in TABLE.items() if not r.draws_voxels])
@images
def test_a_batch_is_its_volumes_one_by_one(name, shape):
    model, x = noise_models.load(name), head(*shape)
    params = model.draw(2, seeded())
    together = model.apply(x, params, seeded())
    for i in range(2):
        own = {key: value[i : i + 1] for key, value in params.items()}
        alone = model.apply(x[i : i + 1], own, seeded())
        torch.testing.assert_close(together[i : i + 1], alone)


@every
def test_double_precision_sees_the_same_corruption(name):
    model, x = noise_models.load(name), head(2, 1, 8, 9, 10)
    single, double = model(x, rng=seeded()), model(x.double(), rng=seeded())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, atol=1e-5, rtol=1e-5)


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_the_rounded_result(name, dtype):
    model, x = noise_models.load(name), head(2, 1, 8, 9, 10).to(dtype)
    y = model(x, rng=seeded())
    assert y.dtype == dtype
    assert torch.equal(y, model(x.float(), rng=seeded()).to(dtype))


@every
def test_model_survives_pickling(name):
    model, x = noise_models.load(name), head(2, 1, 8, 8)
    copy = pickle.loads(pickle.dumps(model))
    assert copy == model
    assert torch.equal(copy(x, rng=seeded()), model(x, rng=seeded()))


@every
def test_parameters_have_one_row_per_volume(name):
    params = noise_models.load(name).draw(5, seeded())
    assert all(value.shape[0] == 5 for value in params.values())


@random
def test_parameters_for_other_volumes_are_refused(name):
    model = noise_models.load(name)
    with pytest.raises(ValueError, match="one row for each of the 2 volumes"):
        model.apply(head(2, 1, 8, 8), model.draw(3, seeded()), seeded())


@random
def test_whole_numbers_are_refused(name):
    x = torch.ones(1, 1, 8, 8, dtype=torch.int16)
    with pytest.raises(TypeError, match=r"floating point, got torch\.int16"):
        noise_models.load(name)(x, rng=seeded())


@random
def test_missing_batch_axis_is_refused(name):
    with pytest.raises(ValueError, match=r"must be \(B, C, X, Y\)"):
        noise_models.load(name)(torch.ones(8, 8, 8), rng=seeded())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every
def test_gpu_sees_the_same_corruption(name):
    model, x = noise_models.load(name), head(2, 1, 8, 9, 10)
    here, there = model(x, rng=seeded()), model(x.cuda(), rng=seeded())
    torch.testing.assert_close(there.cpu(), here, atol=1e-5, rtol=1e-5)
