"""What a denoising step costs over a plain one of the same network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import noise_models
from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.objective import Bound, dvae, vae
from medvae.training.corruption import corrupt
from medvae.training.seeds import generator
from mnist_parts.arms import noise_of
from mnist_parts.network import Stack

TARGET = 1.05


def step_cost(steps: int) -> dict[str, Any]:
    """Ratios for the paper's network and for the toolkit's, M = K = 1."""
    return {
        "target": TARGET,
        "unit": "processor time of one step, one thread, denoising over plain",
        "fully connected, 100 digits, salt_and_pepper 0.1": digits_cost(steps),
        "convolutional, 2 volumes of 48 x 56 x 48, rician": volumes_cost(steps // 10),
    }


def digits_cost(steps: int) -> dict[str, float]:
    """The network of the study, one seed, batch 100."""
    model, noise = Stack([0]), noise_of("salt_and_pepper", 0.1)
    x = (torch.rand(100, 1, 28, 28, generator=generator(0)) < 0.2).float()
    rng = generator(1)

    def denoising() -> Bound:
        y = noise(x, rng=rng)[None]
        return dvae(x, y, model.encode, model.log_likelihood, rng)

    plain = partial(vae, x, None, model.encode, model.log_likelihood, rng)
    return interleaved(model, plain, denoising, steps)


def volumes_cost(steps: int) -> dict[str, float]:
    """The default network on a small grid, corrupted as in training."""
    grid = (48, 56, 48)
    model = DenoisingVAE(NetworkConfig(grid_shape=grid, sites=("A", "B")))
    noise = noise_models.get("rician", sigma=(0.02, 0.1))
    x, rng = torch.rand(2, 1, *grid, generator=generator(0)), generator(1)

    def likelihood(target: Tensor, z: Tensor) -> Tensor:
        return model.likelihood(target, model.decode(z, model.site_codes(["A", "B"])))

    def denoising() -> Bound:
        y = corrupt(
            noise,
            x,
            copies=1,
            spacing_mm=(2, 2, 2),
            sources=["A", "B"],
            seeds=[(0, "scan"), (1, "scan")],
        )
        return dvae(x, y, model.encode, likelihood, rng)

    plain = partial(vae, x, None, model.encode, likelihood, rng)
    return interleaved(model, plain, denoising, steps)


def interleaved(
    model: nn.Module,
    plain: Callable[[], Bound],
    denoising: Callable[[], Bound],
    steps: int,
) -> dict[str, float]:
    """Medians of whole steps done in turn, and the ratio of neighbours."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def seconds(bound: Callable[[], Bound]) -> float:
        start = time.process_time()
        loss = -bound().objective.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return time.process_time() - start

    for _ in range(3):
        seconds(plain), seconds(denoising)
    pairs = [(seconds(plain), seconds(denoising)) for _ in range(steps)]
    ratios = sorted(ours / theirs for theirs, ours in pairs)
    return {
        "steps": steps,
        "plain_ms": round(1e3 * statistics.median(p for p, _ in pairs), 3),
        "denoising_ms": round(1e3 * statistics.median(d for _, d in pairs), 3),
        "ratio_of_medians": round(
            statistics.median(d for _, d in pairs)
            / statistics.median(p for p, _ in pairs),
            4,
        ),
        "ratio_quartiles": [
            round(ratios[len(ratios) // 4], 4),
            round(ratios[3 * len(ratios) // 4], 4),
        ],
    }
