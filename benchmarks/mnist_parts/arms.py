"""What is compared: every arm of the study, and how each raises its objective."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from torch import Generator, Tensor

import noise_models
from medvae.model import objective
from medvae.model.objective import Bound
from mnist_parts.network import Stack
from noise_models.base import NoiseModel

LEVELS = {
    "salt_and_pepper": (0.05, 0.1, 0.2, 0.4),
    "pepper": (0.05, 0.1, 0.2, 0.4),
    "gaussian": (0.1, 0.2, 0.4, 0.8),
}
USUAL = ("salt_and_pepper", 0.1)  # the noise of the arms that vary something else
OBJECTIVES = {
    name: getattr(objective, name)
    for name in ("vae", "iwae", "dvae", "sivi", "diwae", "invariance")
}


@cache  # looking models up costs as much as a training step
def noise_of(name: str, level: float) -> NoiseModel:
    """The corruption of binary images at one level: a probability, or a sigma."""
    settings: dict[str, Any] = {
        "salt_and_pepper": {"p": level, "salt_fraction": 0.5, "low": 0.0, "high": 1.0},
        "pepper": {"p": level, "low": 0.0},
        "gaussian": {"sigma": level},
    }[name]
    return noise_models.get(name, **settings)


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Args:
        name: As in the results.
        objective: A function of :mod:`medvae.model.objective`.
        noise: Name of the corruption, or ``none``.
        level: Its probability or sigma.
        M: Corruptions of every image at every step.
        K: Codes of each.
        options: Further arguments of the objective.
        augmented: Whether images are moved first, target and input alike.
    """

    name: str
    objective: str = "dvae"
    noise: str = "none"
    level: float = 0.0
    M: int = 1
    K: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    augmented: bool = False

    def corrupt(self, x: Tensor, copies: int, rng: Generator) -> Tensor:
        """Fresh corruptions (copies, N, 1, 28, 28) of images (N, 1, 28, 28)."""
        return corrupted(self.noise, self.level, x, copies, rng)

    def bound(self, model: Stack, x: Tensor, rng: Generator) -> Bound:
        """The objective of images (N, 1, 28, 28), one number for each."""
        raised = partial(OBJECTIVES[self.objective], **self.options)
        y = None if self.noise == "none" else self.corrupt(x, self.M, rng)
        found: Bound = raised(x, y, model.encode, model.log_likelihood, rng, self.K)
        return found


def corrupted(
    noise: str, level: float, x: Tensor, copies: int, rng: Generator
) -> Tensor:
    """Copies (copies, N, 1, 28, 28) of images (N, 1, 28, 28), each corrupted afresh."""
    if noise == "none":
        return x.expand(copies, *x.shape)
    many = x.expand(copies, *x.shape).flatten(0, 1)
    return noise_of(noise, level)(many, rng=rng).view(copies, *x.shape)


def _all() -> dict[str, Arm]:
    noise, level = USUAL
    usual: dict[str, Any] = {"noise": noise, "level": level}
    arms = [Arm("vae", "vae"), Arm("iwae_k5", "iwae", K=5)]
    arms += [
        Arm(f"dvae_{kind}_{amount:g}", noise=kind, level=amount)
        for kind, levels in LEVELS.items()
        for amount in levels
    ]
    arms += [
        Arm("dvae_m5", M=5, **usual),
        Arm("dvae_k5", K=5, **usual),
        Arm("diwae_k5", "diwae", K=5, options={"weighting": "flat"}, **usual),
        Arm("augmentation", "vae", augmented=True),
        Arm("augmentation_dvae", augmented=True, **usual),
    ]
    arms += [
        Arm(f"invariance_{lam:g}", "invariance", M=2, options={"lam": lam}, **usual)
        for lam in (-1.0, 0.0, 1.0, 4.0)
    ]
    return {arm.name: arm for arm in arms}


ARMS = _all()
