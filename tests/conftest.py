"""Shared by every test: one thread a process, so that parallel tests do not fight."""

import pytest
import torch

from noise_models import registry

torch.set_num_threads(1)


@pytest.fixture
def spare_registry(monkeypatch):
    """Models registered in the test are forgotten after it, and no other.

    All of them are imported first: one whose module is imported in the test only would
    be forgotten as well, and never registered again.
    """
    for name in registry.names():
        registry.model_class(name)
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
