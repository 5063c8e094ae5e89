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
from corruption_parts.stages import FITTED
from measured.profile import Stages, Stopwatch, clocked, profile, table
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

SITES = ("poor", "sharp")  # as `scanners.fitted` names them
SCANS = 4
SPACING_MM = (2.0, 2.0, 2.0)  # of the default grid

STEP: Stages = {
    "reading": ("medvae.training.data.TrainingScans.__getitem__",),
    "augmentation": ("medvae.training.augmentation.Augmentation.__call__",),
    "corruption": ("medvae.training.module.corrupt",),
    "network, objective: forward": (
        "medvae.training.module.DenoisingTraining.training_step",
    ),
    "backward": ("torch.Tensor.backward",),
    "clipping, Adam": (
        "torch.optim.Adam.step",
        "pytorch_lightning.LightningModule.configure_gradient_clipping",
    ),
}
"""Of one training step; what is left is Lightning."""


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
    """The stages of every step."""

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
        sites = self.vae.site_inputs(list(self.labels))
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
        config = _config(shape, overrides)
        turns = Turns(Bare(config, Heads(shape, SCANS)))
        _train(config, noise, shape, steps, turns)
        ours, bare = turns.ours[2:], turns.bares[2:]
        found[name] = {
            "ratio": ratio(ours, bare),
            "seconds": spread(ours),
            "bare_seconds": spread(bare),
        }
    return found


def step_profiles(shape: tuple[int, int, int], steps: int) -> dict[str, Any]:
    """Where the time of a step goes, by case, one thread, processor time."""
    torch.set_num_threads(1)
    found = {}
    for name, (noise, overrides) in cases().items():
        watch = Stopwatch()
        laps = Laps(watch)
        with clocked(STEP, watch):
            _train(_config(shape, overrides), noise, shape, steps, laps)
        found[f"{name}: one step"] = table(laps.steps[2:], STEP)
    noise = fitted()
    x = torch.from_numpy(np.stack(Heads(shape, 1).volumes)[:, None])
    copies = x.expand(2, *x.shape[1:])
    rng = torch.Generator().manual_seed(0)
    found["fitted scanner: both copies of one volume"] = profile(
        lambda: noise(copies, rng=rng, spacing_mm=SPACING_MM), FITTED, steps
    )
    return found


def _config(shape: tuple[int, int, int], overrides: list[str]) -> TrainConfig:
    return load_config(
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


def _train(
    config: TrainConfig,
    noise: NoiseModel,
    shape: tuple[int, ...],
    steps: int,
    watcher: pl.Callback,
) -> None:
    volumes = Heads(shape, SCANS)
    scans = [Scan(Path(f"{k}"), f"{k}", SITES[k % 2]) for k in range(SCANS)]
    people = {f"{k}": "train" for k in range(SCANS)}
    entries = Material(scans, volumes, people, {}).entries("train", ())
    module = DenoisingTraining(
        DenoisingVAE(network_of(config, SITES)), noise, config, entries, []
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pl.Trainer(
            max_steps=steps + 2,
            accelerator="cpu",
            gradient_clip_val=1.0,
            callbacks=[watcher],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        ).fit(module, loader(entries, volumes, config, training=True))
