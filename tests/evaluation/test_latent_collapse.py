import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from medvae.evaluation.collapse import activity, gaussian_kl


def test_kl_is_that_of_torch():
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=(5, 3)), rng.uniform(0.1, 2, size=(5, 3))
    theirs = kl_divergence(Normal(torch.tensor(mean), torch.tensor(std)), Normal(0, 1))
    np.testing.assert_allclose(gaussian_kl(mean, std), theirs.numpy(), rtol=1e-6)


def test_a_collapsed_encoder_has_no_active_dimension():
    found = activity(np.zeros((10, 6)), np.ones((10, 6)))
    assert found.share_inactive == 1
    assert found.kl_nats.sum() == 0


def test_a_dimension_that_pays_for_a_constant_is_inactive():
    mean = np.random.default_rng(0).normal(size=(30, 2))
    mean[:, 1] = 3.0
    assert activity(mean, np.full((30, 2), 0.1)).inactive.tolist() == [False, True]


def test_a_zero_posterior_spread_is_refused():
    with pytest.raises(ValueError, match="std must be > 0"):
        gaussian_kl([0.0], [0.0])
