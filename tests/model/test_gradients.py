"""What every objective teaches: its gradient is autograd's of a slow loop."""

import sys
from pathlib import Path

import pytest
import torch

from medvae.model.objective import diwae, dvae, invariance, sivi

sys.path.insert(0, str(Path(__file__).parent))
from linear_gaussian import rng_of
from slow_loops import Slow, slow_diwae, slow_dvae, slow_invariance, slow_sivi


def gradients_agree(slow, fast, loop):
    ours, theirs = slow.gradient(fast), slow.gradient(loop)
    assert theirs.abs().min() > 1e-3  # every knob is asked
    return torch.allclose(ours, theirs, rtol=1e-9)


def parts(slow, samples=2):
    return slow.x, slow.y, slow.encode, slow.log_likelihood, rng_of(7), samples


@pytest.mark.parametrize("charge", [{}, {"beta": 2.0}, {"beta": 2.5, "free_bits": 0.4}])
def test_denoising_gradient_is_that_of_a_slow_loop(charge):
    slow = Slow()
    fast = dvae(*parts(slow), **charge).objective.mean()
    assert gradients_agree(slow, fast, slow_dvae(slow, **charge))


@pytest.mark.parametrize("weighting", ["per_corruption", "flat", "mixture"])
def test_importance_gradient_is_that_of_a_slow_loop(weighting):
    slow = Slow()
    fast = diwae(*parts(slow), weighting=weighting).value.mean()
    assert gradients_agree(slow, fast, slow_diwae(slow, weighting))


def test_semi_implicit_gradient_is_that_of_a_slow_loop():
    slow = Slow()
    fast = sivi(*parts(slow), extra=3).value.mean()
    assert gradients_agree(slow, fast, slow_sivi(slow))


@pytest.mark.parametrize("lam", [-1.0, -0.4, 0.7])
def test_invariance_gradient_is_that_of_a_slow_loop(lam):
    slow = Slow()
    fast = invariance(*parts(slow, 1), lam=lam).value.mean()
    assert gradients_agree(slow, fast, slow_invariance(slow, lam))
