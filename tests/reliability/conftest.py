"""Shared by the reliability tests: a tiny model and a tiny fitted file."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from tiny_fit import fitted_noise

from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.weights import save_model
from noise_models.scanner import save_scanner


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """An untrained model on a coarse grid, as a run folder holds it."""
    folder = tmp_path_factory.mktemp("model") / "run"
    torch.manual_seed(0)
    config = NetworkConfig(
        grid_shape=(16, 16, 16),
        spacing_mm=(12.0, 12.0, 12.0),
        channels=(2, 4),
        latent_channels=1,
        sites=("A", "B"),
    )
    save_model(DenoisingVAE(config), folder)
    return folder


@pytest.fixture(scope="session")
def fit_file(tmp_path_factory):
    """What fit-noise would have written of them."""
    return save_scanner(fitted_noise(), tmp_path_factory.mktemp("fit") / "scanner.yaml")
