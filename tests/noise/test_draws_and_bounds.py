"""What is drawn covers what is promised, and what is out of bounds is named.

Every claim here let a changed program pass before: they are what mutation testing
found missing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch

import noise_models
from noise_models.anisotropy import Anisotropy
from noise_models.base import NoiseModel
from noise_models.bias_field import BiasField
from noise_models.chain import Chain
from noise_models.cosine import cosine_basis, cosine_field
from noise_models.ghosting import Ghosting
from noise_models.gibbs import Gibbs
from noise_models.randomised import Randomised
from noise_models.salt_and_pepper import SaltAndPepper
from noise_models.spike import Spike

MANY = 4000


def rng_of(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("pepper", "p", 1.5),
        ("salt_and_pepper", "p", 1.5),
        ("salt_and_pepper", "salt_fraction", 1.5),
        ("ghosting", "intensity", 1.5),
        ("ghosting", "period", 1),
        ("ghosting", "period", 17),
        ("spike", "amplitude", 0),
        ("ghosting", "axis", 3),
        ("anisotropy", "thickness_mm", 0),
        ("anisotropy", "axis", 3),
        ("bias_field", "rms", 0),
        ("bias_field", "order", 0),
        ("bias_field", "order", 7),
        ("bias_field", "extent_mm", -1),
        ("blur", "fwhm_mm", -1),
        ("contrast", "strength", 0),
        ("contrast", "knots", 1),
        ("gaussian", "sigma", 0),
        ("rician", "sigma", 0),
        ("noncentral_chi", "sigma", 0),
        ("noncentral_chi", "coils", 0),
        ("gibbs", "kept", 1.5),
        ("gibbs", "kept", 0),
    ],
)
def test_a_setting_out_of_bounds_is_named_first(name, option, value):
    with pytest.raises(ValueError, match=rf"^{name}: {option} must"):
        noise_models.get(name, **{option: value})


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_given_axis_is_kept(axis):
    for model in (Ghosting(axis=axis), Anisotropy(axis=axis)):
        assert set(model.draw(50, rng_of())["axis"].tolist()) == {axis}


@pytest.mark.parametrize("model", [Ghosting(), Anisotropy()], ids=["ghosts", "slices"])
def test_no_given_axis_draws_each_a_third_of_the_time(model):
    axes = model.draw(MANY, rng_of())["axis"].floor()
    shares = [(axes == axis).double().mean().item() for axis in range(3)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.03)


@pytest.mark.parametrize("model", [Ghosting(), Spike()], ids=["ghosts", "spike"])
def test_phases_cover_the_circle_evenly(model):
    phase = model.draw(MANY, rng_of())["phase"]
    assert phase.min() < 0.02
    assert 2 * math.pi - 0.02 < phase.max() <= 2 * math.pi
    assert phase.mean().item() == pytest.approx(math.pi, abs=0.1)


def test_spikes_lie_anywhere_below_nyquist():
    frequency = Spike().draw(MANY, rng_of())["frequency"]
    assert frequency.shape == (MANY, 3)
    assert -0.5 <= frequency.min() < -0.49
    assert 0.49 < frequency.max() <= 0.5


def test_every_axis_of_a_volume_is_cut_at_its_own_frequency():
    kept = Gibbs(kept=(0.5, 1.0)).draw(MANY, rng_of())["kept"]
    assert kept.shape == (MANY, 3)
    assert torch.corrcoef(kept.T)[0, 1].abs() < 0.1


def test_a_volume_that_keeps_all_of_k_space_keeps_its_sign_and_every_bit():
    x = torch.randn(2, 1, 8, 8, 8)
    kept = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.5]])
    y = Gibbs().apply(x, {"kept": kept}, rng_of())
    assert torch.equal(y[0], x[0])
    assert (y[1] >= 0).all()


def test_a_slice_does_not_ask_for_a_third_axis():
    x = torch.randn(1, 1, 8, 8)
    kept = torch.tensor([[1.0, 1.0, 0.5]])
    assert torch.equal(Gibbs().apply(x, {"kept": kept}, rng_of()), x)


@dataclass(frozen=True)
class Listener(NoiseModel):
    """Says what it was told of the source."""

    def draw(self, n, rng, *, source: Sequence[object] | None = None):
        return {"told": torch.tensor([float(len(str(s))) for s in source or [""] * n])}

    def apply(self, x, params, rng, *, spacing_mm=None):
        return x


def test_a_chain_tells_every_step_where_the_volumes_are_from():
    drawn = Chain([Listener(), Listener()]).draw(2, rng_of(), source=["A", "BBB"])
    assert [told.tolist() for told in drawn.values()] == [[1.0, 3.0]] * 2


def test_randomised_blurs_in_millimetres():
    x = torch.rand(1, 1, 12, 12, 12, generator=rng_of(1))
    model = Randomised(fwhm_mm=4.0)
    fine, coarse = (model(x, rng=rng_of(), spacing_mm=s) for s in ((1,) * 3, (4,) * 3))
    assert fine.std() < 0.8 * coarse.std()


def test_pepper_may_be_given_and_salt_the_image_s_own():
    x = torch.rand(1, 1, 32, 32, 32, generator=rng_of(1))
    y = SaltAndPepper(p=1.0, salt_fraction=0.5, low=-1.0)(x, rng=rng_of())
    values = y.unique().tolist()
    assert values[0] == -1.0
    assert values[1] == pytest.approx(1.0, abs=0.005)
    assert len(values) == 2


def test_salt_may_be_given_and_pepper_the_image_s_own():
    x = torch.rand(1, 1, 32, 32, 32, generator=rng_of(1))
    values = SaltAndPepper(p=1.0, high=9.0)(x, rng=rng_of()).unique().tolist()
    assert values == pytest.approx([0.0, 9.0], abs=0.005)


def test_pepper_as_bright_as_salt_is_refused():
    with pytest.raises(ValueError, match=r"low must be below high, got 1\.0 and 1\.0"):
        SaltAndPepper(low=1.0, high=1.0)


def test_shading_is_the_same_in_every_channel_and_multiplies():
    x = torch.rand(2, 3, 12, 12, 12, generator=rng_of(1)) + 0.5
    model, spacing = BiasField(rms=0.3), (8.0, 8.0, 8.0)
    params = model.draw(2, rng_of())
    together = model.apply(x, params, rng_of(), spacing_mm=spacing)
    for channel in range(3):
        own = model.apply(
            x[:, channel : channel + 1], params, rng_of(), spacing_mm=spacing
        )
        assert torch.allclose(together[:, channel : channel + 1], own)


def test_a_field_over_the_image_s_own_extent_does_not_depend_on_the_voxel_size():
    x = torch.ones(1, 1, 12, 16, 8)
    model = BiasField(rms=0.3, extent_mm=0)
    params = model.draw(1, rng_of())
    fields = [
        model.apply(x, params, rng_of(), spacing_mm=s) for s in ((1, 1, 1), (3, 3, 3))
    ]
    assert torch.allclose(*fields)
    wide = BiasField(rms=0.3, extent_mm=36.0)
    own = wide.apply(
        torch.ones(1, 1, 12, 12, 12), params, rng_of(), spacing_mm=(3,) * 3
    )
    cube = model.apply(torch.ones(1, 1, 12, 12, 12), params, rng_of())
    assert torch.allclose(own, cube)


def test_a_field_stays_level_beyond_its_box():
    middle = torch.tensor([[20.0, 20.0, 20.0]])
    factors = cosine_basis((41, 41, 41), (10.0,) * 3, middle, 200.0)
    weights = torch.randn(1, 9, generator=rng_of())  # of order 2
    field = cosine_field(weights, factors)
    assert torch.allclose(field[0, :11], field[0, 10:11].expand(11, -1, -1))
    assert torch.allclose(field[0, 30:], field[0, 30:31].expand(11, -1, -1))
