"""The other bounds against closed forms and against each other."""

import math
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medvae.model.objective import (
    diwae,
    dvae,
    invariance,
    iwae,
    leave_one_out,
    pairwise,
    sivi,
    vae,
    within,
)
from medvae.model.objective.bound import paint
from medvae.model.posterior import Posterior

sys.path.insert(0, str(Path(__file__).parent))
from linear_gaussian import LinearGaussian, rng_of, standard_error
from slow_loops import Slow

GOLDEN = LinearGaussian()
MANY = 60_000


def estimate(objective, copies, *, model=GOLDEN, n=MANY, seed=0, **options):
    """The objective at n scans of the model, minus its own closed-form L_dvae."""
    rng = rng_of(seed)
    x = model.draw(n, rng)
    y = model.corrupt(x, copies, rng)
    bound = objective(x, y, model.encode, model.log_likelihood, rng, **options)
    return bound.value - model.dvae(x)


@pytest.mark.parametrize(
    ("extra", "golden"),
    [(0, -2.017), (1, -1.937), (2, -1.908), (5, -1.878), (20, -1.856), (100, -1.849)],
)
def test_golden_semi_implicit_bound_rises_with_extra_corruptions(extra, golden):
    # Golden values are Monte-Carlo, +-0.003; ours adds its own error.
    rise = estimate(sivi, 1 + extra, extra=extra, n=200_000 if extra < 100 else 50_000)
    error = standard_error(rise)
    assert error < 0.003
    assert -2.013215 + rise.mean().item() == pytest.approx(
        golden, abs=0.003 + 3 * error
    )


def test_golden_gap_is_the_information_about_the_corruption():
    assert GOLDEN.information == pytest.approx(0.169365, abs=1e-5)
    assert -2.013215 + GOLDEN.information == pytest.approx(-1.843850, abs=1e-5)


def test_semi_implicit_bound_never_passes_the_marginalised_encoder_s():
    rise = estimate(sivi, 20, extra=19, n=100_000)
    assert rise.mean() < GOLDEN.information
    assert rise.mean() > 0.8 * GOLDEN.information


def test_information_is_bracketed_by_its_three_estimates():
    rng = rng_of(1)
    x = GOLDEN.draw(MANY, rng)
    y = GOLDEN.corrupt(x, 4, rng)
    painted = paint(x, y, GOLDEN.encode, GOLDEN.log_likelihood, rng, 2)
    low = within(painted.posteriors, painted.z)
    high = leave_one_out(painted.posteriors, painted.z)
    top = pairwise(painted.posteriors)
    for below, above in [(low, GOLDEN.information), (GOLDEN.information, high)]:
        gap = torch.as_tensor(above - below)
        assert gap.mean() > 5 * standard_error(gap)
    assert (top - high).mean() > 5 * standard_error(top - high)
    assert top.mean().item() == pytest.approx(
        GOLDEN.pairwise, abs=4 * standard_error(top)
    )


def test_information_within_copies_is_at_most_their_logarithm():
    far = [
        Posterior(torch.full((1, 1), 100.0 * m), torch.zeros(1, 1)) for m in range(3)
    ]
    z = torch.stack([q.mean for q in far])[None]
    assert within(far, z).item() == pytest.approx(math.log(3), rel=1e-6)


def test_pairwise_information_agrees_with_torch_distributions():
    rng = rng_of(2)
    a, b = [
        Posterior(torch.randn(5, 3, generator=rng), torch.randn(5, 3, generator=rng))
        for _ in range(2)
    ]
    p, q = (torch.distributions.Normal(each.mean, each.std) for each in (a, b))
    kl = torch.distributions.kl_divergence
    expected = 0.5 * (kl(p, q) + kl(q, p)).sum(1)
    assert torch.allclose(pairwise([a, b]), expected, rtol=1e-5)


@pytest.mark.parametrize("lam", [-1.0, -0.5, 0.0, 0.5, 2.0])
def test_invariance_errs_below_what_it_stands_for(lam):
    value = estimate(invariance, 3, lam=lam)
    promised = -lam * GOLDEN.information  # L_cvae - (1 + lam) I, minus L_dvae
    error = standard_error(value)
    assert value.mean() < promised + 4 * error
    told = GOLDEN.pairwise if lam > 0 else None
    if told:
        assert value.mean().item() == pytest.approx(-lam * told, abs=4 * error)


def test_invariance_at_zero_is_the_denoising_bound_to_the_bit():
    x, y = GOLDEN.draw(50, rng_of(0)), None
    y = GOLDEN.corrupt(x, 3, rng_of(1))
    parts = (x, y, GOLDEN.encode, GOLDEN.log_likelihood)
    ours = invariance(*parts, rng_of(2), lam=0.0).value
    assert torch.equal(ours, dvae(*parts, rng_of(2)).value)


def test_invariance_at_minus_one_is_the_semi_implicit_bound():
    ours = estimate(invariance, 4, lam=-1.0)
    theirs = estimate(sivi, 4, seed=5)
    error = math.hypot(standard_error(ours), standard_error(theirs))
    assert ours.mean().item() == pytest.approx(theirs.mean().item(), abs=4 * error)


def test_raising_the_invariance_bound_lowers_the_information():
    # Over the gain alone, at fixed variance: the charge moves the best gain to zero.
    def best_gain(lam):
        gains = [0.02 * i for i in range(40)]
        models = [LinearGaussian(a=gain) for gain in gains]
        x = GOLDEN.draw(4000, rng_of(0))
        values = []
        for model in models:
            y = model.corrupt(x, 2, rng_of(1))
            bound = invariance(
                x, y, model.encode, model.log_likelihood, rng_of(2), lam=lam
            )
            values.append(bound.value.mean().item())
        return gains[max(range(len(gains)), key=values.__getitem__)]

    assert best_gain(-1.0) > best_gain(0.0) > best_gain(4.0) > 0


models = st.builds(
    LinearGaussian,
    w=st.floats(-2, 2),
    s2=st.floats(0.1, 2),
    t2=st.floats(0.01, 2),
    a=st.floats(-1, 1),
    v=st.floats(0.05, 1.5),
)


@settings(max_examples=40, deadline=None)
@given(model=models, copies=st.integers(1, 4), samples=st.integers(1, 4))
def test_bounds_are_in_order_on_random_models(model, copies, samples):
    rng = rng_of(0)
    x = model.draw(4000, rng)
    y = model.corrupt(x, copies, rng)
    parts = (x, y, model.encode, model.log_likelihood)
    each = diwae(*parts, rng_of(1), samples, weighting="per_corruption").value
    flat = diwae(*parts, rng_of(1), samples, weighting="flat").value
    mixture = diwae(*parts, rng_of(1), samples, weighting="mixture").value
    evidence = model.log_evidence(x)
    assert (each <= flat + 1e-9).all()  # same codes: Jensen holds for every scan
    for below, above in [
        (model.dvae(x), each),
        (flat, evidence),
        (mixture, evidence),
        (dvae(*parts, rng_of(2), samples).value, evidence),
    ]:
        gap = above - below
        assert gap.mean().item() >= -5 * standard_error(gap) - 1e-9


@settings(max_examples=40, deadline=None)
@given(model=models, copies=st.integers(2, 4), lam=st.floats(-1, 5))
def test_invariance_is_a_lower_bound_on_random_models(model, copies, lam):
    rng = rng_of(3)
    x = model.draw(4000, rng)
    y = model.corrupt(x, copies, rng)
    bound = invariance(x, y, model.encode, model.log_likelihood, rng, lam=lam)
    gap = model.dvae(x) - lam * model.information - bound.value
    assert gap.mean().item() >= -5 * standard_error(gap) - 1e-9
    cvae = model.dvae(x) + model.information
    gap = model.log_evidence(x) - cvae
    assert gap.mean().item() >= -5 * standard_error(gap) - 1e-9


@settings(max_examples=25, deadline=None)
@given(model=models, copies=st.integers(1, 2), extra=st.integers(0, 4))
def test_semi_implicit_bound_lies_between_the_two_on_random_models(
    model, copies, extra
):
    rng = rng_of(6)
    x = model.draw(4000, rng)
    y = model.corrupt(x, copies + extra, rng)
    parts = (x, y, model.encode, model.log_likelihood, rng)
    rise = sivi(*parts, extra=extra).value - model.dvae(x)
    for gap in (rise, model.information - rise):
        assert gap.mean().item() >= -5 * standard_error(gap) - 1e-9


def test_importance_weights_of_an_exact_posterior_do_not_vary():
    variance = 1 / (1 + 1.3**2 / 0.4)
    exact = LinearGaussian(a=variance * 1.3 / 0.4, v=variance, t2=1e-12)
    x = exact.draw(20, rng_of(0))
    value = iwae(x, None, exact.encode, exact.log_likelihood, rng_of(1), 3).value
    assert torch.allclose(value, exact.log_evidence(x), atol=1e-5)


def test_clean_objectives_are_the_denoising_ones_without_corruption():
    x = GOLDEN.draw(30, rng_of(0))
    parts = (GOLDEN.encode, GOLDEN.log_likelihood)
    assert torch.equal(
        vae(x, None, *parts, rng_of(1), 2).value,
        dvae(x, x[None], *parts, rng_of(1), 2).value,
    )
    assert torch.equal(
        iwae(x, None, *parts, rng_of(1), 2).value,
        diwae(x, x[None], *parts, rng_of(1), 2).value,
    )


def test_beta_and_free_bits_change_what_is_raised_and_not_the_bound():
    slow = Slow()
    parts = (slow.x, slow.y, slow.encode, slow.log_likelihood)
    plain = dvae(*parts, rng_of(1))
    heavy = dvae(*parts, rng_of(1), beta=3.0)
    spared = dvae(*parts, rng_of(1), free_bits=50.0)
    assert torch.equal(plain.value, heavy.value)
    assert torch.allclose(plain.objective - heavy.objective, 2 * plain.kl)
    assert torch.allclose(spared.objective, plain.reconstruction - 100.0)


def test_free_bits_hold_every_dimension_up_on_its_own():
    from medvae.model.objective.denoising import kl_charge

    mean = torch.tensor([[2.0, 0.0], [0.0, 0.0]])  # KL 2 and 0, then 0 and 0
    charge = kl_charge(Posterior(mean, torch.zeros(2, 2)), 1.0, 0.5)
    assert charge.tolist() == [1.5, 1.5]  # the means 1 and 0, the second held at 0.5


@pytest.mark.parametrize(
    ("objective", "options", "message"),
    [
        (dvae, {"beta": -1.0}, "beta and free_bits must be at least 0, got -1.0"),
        (sivi, {"extra": 4}, "4 of 4 corruptions unpainted leaves 0"),
        (
            diwae,
            {"weighting": "all"},
            "one of per_corruption, flat, mixture, got 'all'",
        ),
        (invariance, {"lam": -1.5}, "lam must be at least -1, got -1.5"),
    ],
)
def test_a_bad_option_is_named(objective, options, message):
    slow = Slow()
    with pytest.raises(ValueError, match=message):
        objective(
            slow.x, slow.y, slow.encode, slow.log_likelihood, rng_of(0), **options
        )


def test_invariance_of_a_single_corruption_is_refused():
    slow = Slow()
    with pytest.raises(ValueError, match="at least 2 corruptions of each scan, got 1"):
        invariance(slow.x, slow.y[:1], slow.encode, slow.log_likelihood, rng_of(0))
