"""A whole training step against a bare loop over the same network and tensors."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from corruption_parts.scanners import fitted, heads
from measured.ratios import ratio, spread
from torch import nn

import noise_models
from medvae.cohort.cohort import Scan
from medvae.model.network import DenoisingVAE
from medvae.model.objective import dvae
from medvae.training.config import TrainConfig, load_config
from medvae.training.data import loader
from medvae.training.module import DenoisingTraining
from medvae.training.run import Material, network_of
from noise_models.base import NoiseModel

TARGET = 1.08
SITES = ("poor", "sharp")  # as `scanners.fitted` names them


class Heads:
    """Prepared volumes of the training grid, in memory."""

    def __init__(self, shape: tuple[int, ...], count: int) -> None:
        whole = heads(max(shape), count)
        cut = tuple(slice(0, size) for size in shape)
        self.volumes = [np.ascontiguousarray(one[0][cut].numpy()) for one in whole]

    def image(self, index: int) -> np.ndarray:
        """One volume."""
        return self.volumes[index]


class Turns(pl.Callback):
    """After every step of the trainer one bare step, each timed on its own."""

    def __init__(self, bare: Bare) -> None:
        self.bare = bare
        self.ours: list[float] = []
        self.bares: list[float] = []
        self.clock = 0.0

    def on_train_start(self, *_: object) -> None:
        self.clock = time.process_time()

    def on_train_batch_end(self, *_: object) -> None:
        self.ours.append(time.process_time() - self.clock)
        start = time.process_time()
        self.bare.step()
        self.bares.append(time.process_time() - start)
        self.clock = time.process_time()


class Laps(pl.Callback):
    """The stages of every step, apart."""

    def __init__(self, watch: Stopwatch) -> None:
        self.watch, self.steps = watch, list[dict[str, float]]()

    def on_train_batch_end(self, *_: object) -> None:
        self.steps.append(self.watch.lap())


class Bare:
    """The same network, loss and optimiser on tensors that are already there."""

    def __init__(self, config: TrainConfig, volumes: Heads) -> None:
        torch.manual_seed(0)
        self.vae = DenoisingVAE(network_of(config, SITES))
        self.optimiser = torch.optim.Adam(self.vae.parameters(), lr=1e-3)
        count, copies = config.optimiser.batch_size, config.objective.copies
        self.x = torch.from_numpy(np.stack(volumes.volumes[:count]))[:, None]
        self.y = self.x + 0.05 * torch.randn(copies, *self.x.shape)
        self.labels = [SITES[k % 2] for k in range(count)] * copies

    def step(self) -> None:
        """Forward, backward, update."""
        self.optimiser.zero_grad()
        sites = self.vae.site_codes(list(self.labels))
        bound = dvae(
            self.x,
            self.y,
            self.vae.encode,
            lambda x, z: self.vae.likelihood(x, self.vae.decode(z, sites)),
            torch.Generator().manual_seed(0),
        )
        loss = -bound.objective.mean() / self.x[0].numel()
        loss.backward()
        nn.utils.clip_grad_norm_(self.vae.parameters(), 1.0)
        self.optimiser.step()


def cases() -> dict[str, tuple[NoiseModel, list[str]]]:
    """Corruptions, with and without augmentation."""
    still = ["augmentation.probability=0", "augmentation.flip=0"]
    return {
        "rician, augmented": (noise_models.get("rician"), []),
        "rician": (noise_models.get("rician"), still),
        "randomised": (noise_models.get("randomised"), still),
        "fitted scanner": (fitted(), still),
    }


def step_costs(shape: tuple[int, int, int], steps: int) -> dict[str, Any]:
    """Ratios of every case, one thread, processor time."""
    torch.set_num_threads(1)
    found = {}
    for name, (noise, overrides) in cases().items():
        config = load_config(
            None,
            [
                f"grid.shape={list(shape)}",
                "optimiser.batch_size=2",
                "optimiser.epochs=1000",
                "device=cpu",
                *overrides,
            ],
            noise="rician",
        )
        turns = _train(config, noise, shape, steps)
        ours, bare = turns.ours[2:], turns.bares[2:]
        found[name] = {
            "ratio": ratio(ours, bare),
            "seconds": spread(ours),
            "bare_seconds": spread(bare),
        }
    return found


def _train(
    config: TrainConfig, noise: NoiseModel, shape: tuple[int, ...], steps: int
) -> Turns:
    volumes = Heads(shape, 4)
    scans = [Scan(Path(f"{k}"), f"{k}", SITES[k % 2]) for k in range(4)]
    material = Material(scans, volumes, {f"{k}": "train" for k in range(4)}, {})
    entries = material.entries("train", ())
    module = DenoisingTraining(
        DenoisingVAE(network_of(config, SITES)), noise, config, entries, []
    )
    turns = Turns(Bare(config, volumes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pl.Trainer(
            max_steps=steps + 2,
            accelerator="cpu",
            gradient_clip_val=1.0,
            callbacks=[turns],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        ).fit(module, loader(entries, volumes, config, training=True))
    return turns
