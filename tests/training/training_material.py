"""Small material for training tests: smooth volumes, two sites, no files."""

from pathlib import Path

import numpy as np

from medvae.cohort import Cohort, Scan
from medvae.training.config import load_config
from medvae.training.run import Material

SHAPE = (16, 24, 16)


class Waves:
    """Volumes that fit into few codes, made on the fly."""

    def image(self, index):
        rng = np.random.default_rng(index)
        x, y, _ = np.indices(SHAPE) / 8.0
        a, b = rng.normal(size=2)
        return (0.5 + 0.4 * np.cos(x + a) * np.sin(y + b)).astype(np.float32)


def cohort(n=10):
    scans = [Scan(Path(f"{i}.nii"), f"s{i}", "AB"[i % 2]) for i in range(n)]
    return Cohort(Path(), "table", tuple(scans))


def material(n=10):
    splits = {f"s{i}": "train" if i < n - 4 else "validation" for i in range(n)}
    return Material(cohort(n).scans, Waves(), splits, {})


def settings(*overrides, **flags):
    small = [
        "grid.shape=[16,24,16]",
        "grid.spacing_mm=[8,8,8]",
        "network.channels=[4,8]",
        "network.latent_channels=2",
        "optimiser.epochs=2",
        "optimiser.batch_size=2",
        "device=cpu",
    ]
    return load_config(None, [*small, *overrides], **{"noise": "rician"} | flags)
