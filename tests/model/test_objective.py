"""The denoising bound against closed forms: a linear-Gaussian model, all is known."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medvae.model.objective import dvae
from medvae.model.posterior import Posterior

sys.path.insert(0, str(Path(__file__).parent))
from linear_gaussian import LinearGaussian, rng_of, standard_error

NOISY = LinearGaussian()  # the best encoder of scans with noise of variance 0.25
CLEAN = LinearGaussian(a=0.622010, t2=0.0)  # the best encoder of clean ones
MANY = 200_000


def estimate(model, copies, samples):
    """The bound of many scans of the model, and what it is by the closed form."""
    rng = rng_of(0)
    x = model.draw(MANY, rng)
    y = model.corrupt(x, copies, rng)
    bound = dvae(x, y, model.encode, model.log_likelihood, rng, samples)
    return bound.value, model.dvae(x)


def test_golden_values_are_those_of_the_closed_forms():
    # Every bound is linear in x^2, so at the root of its mean stands the expectation.
    x = torch.full((1, 1), math.sqrt(1.3**2 + 0.4), dtype=torch.float64)
    bound = NOISY.dvae(x).item()
    exact = {
        "a0": (1.3 / (1.3**2 + 0.4), 0.622010),
        "v": (0.4 / (1.3**2 + 0.4), 0.191388),
        "a*": (1.3 / (1.3**2 + 0.4 + 0.25), 0.555556),
        "E log p(x)": (NOISY.log_evidence(x).item(), -1.787521),
        "best VAE bound": (CLEAN.dvae(x).item(), -1.787521),
        "best L_dvae": (bound, -2.013215),
        "its L_cvae": (bound + NOISY.information, -1.843850),
        "its clean-input bound": (replace(NOISY, t2=0.0).dvae(x).item(), -1.811633),
        "gap": (NOISY.information, 0.169365),
    }
    for name, (found, golden) in exact.items():
        assert found == pytest.approx(golden, abs=2e-6), name
    for change in ({"a": 0.53}, {"a": 0.58}, {"v": 0.17}, {"v": 0.21}):
        assert replace(NOISY, **change).dvae(x) < bound  # so it is the best


@pytest.mark.parametrize(
    ("model", "golden"),
    [(CLEAN, -1.787521), (NOISY, -2.013215), (replace(NOISY, t2=0.0), -1.811633)],
    ids=["best bound", "best denoising bound", "its clean-input bound"],
)
def test_golden_bounds_are_what_the_estimator_finds(model, golden):
    value, _ = estimate(model, 2, 4)
    assert value.mean().item() == pytest.approx(golden, abs=4 * standard_error(value))


@pytest.mark.parametrize(("copies", "samples"), [(1, 1), (2, 4), (4, 3)])
def test_corruptions_and_samples_do_not_change_the_expectation(copies, samples):
    value, exact = estimate(NOISY, copies, samples)
    off = value - exact  # scan by scan: most of the spread is that of the scans
    assert standard_error(off) < 0.003
    assert abs(off.mean().item()) < 4 * standard_error(off)


@pytest.mark.parametrize(
    ("corruptions", "samples", "variance"),
    [(1, 1, 0.77), (1, 5, 0.23), (5, 1, 0.15), (5, 5, 0.04)],
)
def test_golden_variance_falls_faster_with_corruptions_than_with_samples(
    corruptions, samples, variance
):
    # Of the estimate for one scan, x = 0.75, repeated; the golden
    # values are given to two decimals.
    x = torch.full((MANY, 1), 0.75, dtype=torch.float64)
    rng = rng_of(0)
    y = NOISY.corrupt(x, corruptions, rng)
    bound = dvae(x, y, NOISY.encode, NOISY.log_likelihood, rng, samples)
    assert bound.value.var().item() == pytest.approx(variance, abs=0.01)


def test_kl_is_of_the_corrupted_code_and_target_is_the_clean_scan():
    seen = {}

    def encode(y):
        return Posterior(y, torch.zeros_like(y))

    def record(x, z):
        seen["target"] = x
        return torch.zeros(len(x), dtype=x.dtype)

    x = torch.zeros(3, 2)
    y = torch.full((2, 3, 2), 2.0)
    bound = dvae(x, y, encode, record, rng_of(0))
    assert bound.kl.tolist() == [4.0, 4.0, 4.0]  # two dimensions of 2^2 / 2
    assert torch.equal(seen["target"], torch.zeros(6, 2))


def test_wrong_stack_of_corruptions_is_refused():
    x = torch.zeros(3, 2)
    with pytest.raises(ValueError, match=r"must be \(M, 3, 2\), got \(3, 2\)"):
        dvae(x, x, NOISY.encode, NOISY.log_likelihood, rng_of(0))


def test_no_samples_are_refused():
    x = torch.zeros(3, 2)
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        dvae(x, x[None], NOISY.encode, NOISY.log_likelihood, rng_of(0), 0)
