"""Several corruptions in a row."""

import pytest
import torch

import noise_models
from noise_models import Chain


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_chain_is_its_steps_in_order():
    blur, noise = noise_models.get("blur", fwhm_mm=3), noise_models.get("rician")
    x, rng = torch.rand(2, 1, 12, 12, 12), seeded()
    params = [blur.draw(2, rng), noise.draw(2, rng)]
    by_hand = noise.apply(blur.apply(x, params[0], rng), params[1], rng)
    assert torch.equal(Chain([blur, noise])(x, rng=seeded()), by_hand)


def test_order_matters_blur_after_noise_smooths_it():
    blur = noise_models.get("blur", fwhm_mm=3)
    noise = noise_models.get("gaussian", sigma=0.1)
    x = torch.ones(1, 1, 24, 24, 24)
    after = Chain([noise, blur])(x, rng=seeded()).std()
    before = Chain([blur, noise])(x, rng=seeded()).std()
    assert after < 0.3 * before


def test_one_model_may_come_twice_with_its_own_levels():
    weak, strong = (noise_models.get("gaussian", sigma=s) for s in (0.3, 0.4))
    params = Chain([weak, strong]).draw(1, seeded())
    assert params["0.gaussian.sigma"].item() == pytest.approx(0.3)
    assert params["1.gaussian.sigma"].item() == pytest.approx(0.4)
    y = Chain([weak, strong])(torch.zeros(1, 1, 40, 40, 40), rng=seeded())
    assert y.std().item() == pytest.approx(0.5, rel=0.01)  # variances add


def test_eleventh_step_is_not_taken_for_the_first():
    steps = [noise_models.get("gaussian", sigma=0.01 * (i + 1)) for i in range(12)]
    chain = Chain(steps)
    params = chain.draw(1, seeded())
    x = torch.zeros(1, 1, 40, 40, 40)
    expected = 0.01 * sum((i + 1) ** 2 for i in range(12)) ** 0.5
    assert chain.apply(x, params, seeded()).std().item() == pytest.approx(
        expected, rel=0.01
    )


def test_nothing_is_rounded_between_steps():
    chain = Chain([noise_models.get("contrast"), noise_models.get("bias_field")])
    x = torch.rand(1, 1, 16, 16).bfloat16()
    exact = chain(x.float(), rng=seeded()).bfloat16()
    assert torch.equal(chain(x, rng=seeded()), exact)


def test_spacing_reaches_every_step():
    chain = Chain([noise_models.get("none"), noise_models.get("blur", fwhm_mm=2)])
    point = torch.zeros(1, 1, 17, 17)
    point[..., 8, 8] = 1
    fine, coarse = (chain(point, rng=seeded(), spacing_mm=(s, s)) for s in (0.5, 4))
    assert fine.max() < 0.1 < 0.5 < coarse.max()


def test_chain_equal_and_hashable_by_content():
    one, two = (Chain([noise_models.get("rician")]) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)


def test_empty_chain_is_refused():
    with pytest.raises(ValueError, match="at least one model"):
        Chain([])


def test_step_that_is_no_model_is_refused():
    with pytest.raises(TypeError, match="must be noise models, got 'rician'"):
        Chain(["rician"])
