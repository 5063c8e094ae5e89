"""What a denoising step costs over a plain one of the same network, M = K = 1.

Processor time of whole steps, plain and denoising in turn, so that whatever else the
machine does slows both. "plain again" is a plain step over a plain one: as far as it is
from 1, nothing is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from measured.ratios import interleaved, ratio, spread
from torch import Tensor, nn

import noise_models
from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.objective import Bound, dvae, vae
from medvae.training.corruption import corrupt
from medvae.training.seeds import generator
from mnist_parts.arms import ARMS, noise_of
from mnist_parts.network import Stack

TARGET = 1.05
LEVELS = {"salt_and_pepper": 0.1, "pepper": 0.1, "gaussian": 0.4}

Raised = Callable[[], Bound]


def step_cost(steps: int) -> dict[str, Any]:
    """Ratios for the paper's network and for the toolkit's."""
    return {
        "target": TARGET,
        "unit": "processor time of a step, one thread, over that of the plain step "
        "before it; milliseconds where it says ms",
        "command": "OMP_NUM_THREADS=1 python benchmarks/mnist.py --step-cost",
        "fully connected, 100 digits": digits_cost(steps),
        "convolutional, 2 volumes of 48 x 56 x 48": volumes_cost(steps // 20),
    }


def digits_cost(steps: int) -> dict[str, Any]:
    """The network of the study, one seed, batch 100, as its arms train it."""
    model, rng = Stack([0]), generator(1)
    x = (torch.rand(100, 1, 28, 28, generator=generator(0)) < 0.2).float()
    plain = partial(ARMS["vae"].bound, model, x, rng)
    denoising = {
        f"{kind} {level:g}": partial(
            ARMS[f"dvae_{kind}_{level:g}"].bound, model, x, rng
        )
        for kind, level in LEVELS.items()
    }
    found = compared(model, plain, denoising, steps)
    level = LEVELS["salt_and_pepper"]
    noise, hit = noise_of("salt_and_pepper", level), round(level * x.numel())
    parts: dict[str, Callable[[], object]] = {
        "copy": x.clone,
        "levels": partial(noise.draw, len(x), rng),
        "places": partial(torch.randint, x.numel(), (hit,), generator=rng),
        "uniform numbers": partial(torch.rand, x.shape, generator=rng),
        "normal numbers": partial(torch.randn, x.shape, generator=rng),
        "all": partial(noise, x, rng=rng),
    }
    allowed = (TARGET - 1) * found["plain_ms"]["median"]
    spent = between_steps(model, plain, parts, steps // 2)
    return {**found, "allowed_ms": round(allowed, 6), "corruption_ms": spent}


def volumes_cost(steps: int) -> dict[str, Any]:
    """The default network on a small grid, corrupted as in training."""
    grid = (48, 56, 48)
    model = DenoisingVAE(NetworkConfig(grid_shape=grid, sites=("A", "B")))
    noise = noise_models.get("rician", sigma=(0.02, 0.1))
    x, rng = torch.rand(2, 1, *grid, generator=generator(0)), generator(1)

    def likelihood(target: Tensor, z: Tensor) -> Tensor:
        return model.likelihood(target, model.decode(z, model.site_inputs(["A", "B"])))

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
    return compared(model, plain, {"rician 0.02 to 0.1": denoising}, steps)


def compared(
    model: nn.Module, plain: Raised, denoising: dict[str, Raised], steps: int
) -> dict[str, Any]:
    """Milliseconds of a plain step, and the ratios of the others to it."""
    step = stepper(model)
    kinds = {"plain": plain, **denoising, "plain again": plain}
    work = {name: partial(step, bound) for name, bound in kinds.items()}
    seconds = interleaved(work, steps, time.process_time)
    base = seconds.pop("plain")
    ratios = {name: ratio(own, base) for name, own in seconds.items()}
    return {"plain_ms": milliseconds(base), **ratios}


def between_steps(
    model: nn.Module, plain: Raised, parts: dict[str, Callable[[], object]], steps: int
) -> dict[str, Any]:
    """Milliseconds of each part after a plain step, which leaves it cold caches."""
    step, work = partial(stepper(model), plain), {}
    for name, part in parts.items():
        work |= {f"step before {name}": step, name: part}
    seconds = interleaved(work, steps, time.process_time)
    return {name: milliseconds(seconds[name]) for name in parts}


def stepper(model: nn.Module) -> Callable[[Raised], None]:
    """One step of training on whatever bound it is given."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def step(bound: Raised) -> None:
        loss = -bound().objective.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def milliseconds(seconds: list[float]) -> dict[str, Any]:
    """Median and quartiles."""
    return spread([1e3 * value for value in seconds])
