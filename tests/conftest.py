"""Shared by every test: one thread a process, so that parallel tests do not fight."""

import pytest
import torch
from hypothesis import settings

from noise_models import registry

torch.set_num_threads(1)

# The same inputs every time: a check must not go red for a change that has nothing to
# do with it. benchmarks/fuzz.py draws new ones, and so does, for every property,
# pytest --hypothesis-profile=default.
settings.register_profile("same-inputs", derandomize=True)
settings.load_profile("same-inputs")


@pytest.fixture(scope="session")
def untrained():
    """Makes a model of sites A and B, without training, whose decoder tells them."""

    from medvae.model.network import DenoisingVAE, NetworkConfig  # not for all tests

    def make():
        torch.manual_seed(0)
        config = NetworkConfig(
            grid_shape=(16, 16, 16),
            spacing_mm=(8.0, 8.0, 8.0),
            channels=(4, 8),
            latent_channels=2,
            sites=("A", "B"),
        )
        vae = DenoisingVAE(config).eval()
        with torch.no_grad():
            for value in vae.parameters():
                value.add_(0.1 * torch.randn_like(value))
        return vae

    return make


@pytest.fixture
def spare_registry(monkeypatch):
    """Models registered in the test are forgotten after it, and no other.

    All of them are imported first: one whose module is imported in the test only would
    be forgotten as well, and never registered again.
    """
    for name in registry.names():
        registry.model_class(name)
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
