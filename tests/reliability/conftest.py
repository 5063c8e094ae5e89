"""Shared by the reliability tests: a tiny model and a tiny fitted file."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.weights import save_model
from noise_models.scanner import Pair, ScannerNoise, Site, save_scanner
from noise_models.scanner.estimate import NAMES
from noise_models.scanner.record import Goodness, Record


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


def fitted_noise():
    """Two sites of ten scans each, and their pairs."""
    sites = []
    for label, log_sigma in (("A", -4.0), ("B", -3.0)):
        mean = [log_sigma if name == "log_sigma" else 0.1 for name in NAMES]
        sites.append(
            Site(
                label=label,
                mean=tuple(mean),
                covariance=tuple(map(tuple, (0.01 * np.eye(len(NAMES))).tolist())),
                ci95=tuple((m - 0.05, m + 0.05) for m in mean),
                scans=10,
                subjects=10,
                spacing_mm=(1.0, 1.0, 1.0),
                evidence=(10, 0, 0),
            )
        )
    pair = Pair(0.05, (0.5, 0.5, 0.5), 0.0, 0.0)
    tried = Goodness(0.99, 0.62, 0.5, "pass", (10, 10))
    record = Record(
        pairs={"A->B": pair, "B->A": pair}, goodness={"A->B": tried}, seed=0
    )
    return ScannerNoise(tuple(sites), record=record)


@pytest.fixture(scope="session")
def fit_file(tmp_path_factory):
    """What fit-noise would have written of them."""
    return save_scanner(fitted_noise(), tmp_path_factory.mktemp("fit") / "scanner.yaml")
