"""Training one arm for all seeds at once, with its validation curve and two stops."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from medvae.model.nll import importance_nll
from medvae.training.seeds import generator
from mnist_parts.arms import Arm
from mnist_parts.digits import SIDE, Digits
from mnist_parts.network import Stack

RATE = 1e-3
VALIDATION_IMAGES, VALIDATION_SAMPLES = 400, 10
LOOKS = 1.2  # every look at the validation set comes this much later than the last


@dataclass(frozen=True)
class Plan:
    """How long, and with how many images at a time."""

    train_size: int
    steps: int
    batch: int

    @property
    def looks(self) -> set[int]:
        """Steps after which the validation set is looked at, spread geometrically."""
        found, step = {self.steps}, 100.0
        while step < self.steps:
            found.add(round(step))
            step *= LOOKS
        return found


@dataclass
class Trained:
    """The two stops of one training, and how it went.

    Args:
        best: Weights with the best validation NLL, each seed at its own step.
        end: Weights after the step that was named, or the last.
        best_step: One step a seed.
        curve: Step, seconds of computing and validation NLL (S,), at every look.
        seconds: Of computing, training alone, for all seeds together.
    """

    best: dict[str, Tensor]
    end: dict[str, Tensor]
    best_step: list[int]
    curve: list[dict[str, object]] = field(default_factory=list)
    seconds: float = 0.0


def stacked(parts: list[Tensor]) -> Tensor:
    """Images (n, 784) of S seeds as (n * S, 1, 28, 28), the seed last."""
    return torch.stack(parts, 1).flatten(0, 1).view(-1, 1, SIDE, SIDE).float()


def train(
    arm: Arm,
    plan: Plan,
    data: list[Digits],
    seeds: list[int],
    told: Callable[[str], None] = lambda line: None,
    *,
    end: int | None = None,
) -> Trained:
    """Train one network a seed with Adam at a constant rate.

    The stop is chosen by the importance-sampled NLL of the first 400 validation
    images, 10 samples, clean-input proposal: the same rule for every arm, because
    their own bounds have different gaps.

    Args:
        arm: How each step is made.
        plan: How many, and with how many images at a time.
        data: Of every seed.
        seeds: One network each.
        told: What to do with a line of progress.
        end: The step after which the second stop is taken; by default the last.
    """
    model = Stack(seeds)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    watched = stacked([d.validation[:VALIDATION_IMAGES] for d in data])
    found = Trained(_copy(model), {}, [0] * len(seeds))
    lowest = torch.full((len(seeds),), torch.inf)
    batches = Batches(arm, plan, data, seeds)
    for step in range(1, plan.steps + 1):
        start = time.process_time()
        x, rng = batches.next()
        loss = -arm.bound(model, x, rng).objective.mean() * len(seeds)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        found.seconds += time.process_time() - start
        if step == end:
            found.end = _copy(model)
        if step in plan.looks:
            nll = validation_nll(model, watched)
            if not torch.isfinite(nll).all():
                raise FloatingPointError(f"{arm.name}: NLL {nll.tolist()} at {step}.")
            _keep_better(found, model, nll, lowest, step)
            line = {"step": step, "seconds": found.seconds, "nll": nll.tolist()}
            found.curve.append(line)
            told(f"{arm.name} {plan.train_size}: {line}")
    found.end = found.end or _copy(model)
    return found


class Batches:
    """Shuffled batches of every seed, augmented if the arm says so, never repeated.

    Order, augmentation and corruption are seeded from (seeds, epoch).
    """

    def __init__(
        self, arm: Arm, plan: Plan, data: list[Digits], seeds: list[int]
    ) -> None:
        self.arm, self.plan, self.data, self.seeds = arm, plan, data, seeds
        self.epoch, self.place = -1, plan.train_size
        self.orders: list[Tensor] = []
        self.rng = torch.Generator()

    def next(self) -> tuple[Tensor, torch.Generator]:
        """Images (B * S, 1, 28, 28) and what the step draws from."""
        if self.place + self.plan.batch > self.plan.train_size:
            self._start_epoch()
        rows = slice(self.place, self.place + self.plan.batch)
        self.place += self.plan.batch
        taken = [order[rows] for order in self.orders]
        pairs = list(zip(self.data, taken, strict=True))
        if not self.arm.augmented:
            return stacked([d.train[i] for d, i in pairs]), self.rng
        grey = stacked([d.grey[i] for d, i in pairs])
        thresholds = stacked([d.thresholds[i] for d, i in pairs])
        return (moved(grey, self.rng) > thresholds).float(), self.rng

    def _start_epoch(self) -> None:
        self.epoch, self.place = self.epoch + 1, 0
        self.orders = [
            torch.randperm(
                self.plan.train_size, generator=generator("order", seed, self.epoch)
            )
            for seed in self.seeds
        ]
        self.rng = generator("step", self.seeds, self.epoch)


def moved(x: Tensor, rng: torch.Generator) -> Tensor:
    """Images turned by up to 10 degrees, scaled by 10 % and shifted by one pixel."""
    angle, size, right, down = (
        torch.rand(4, len(x), generator=rng).mul(2).sub(1).unbind()
    )
    angle, size = angle * torch.pi / 18, 1 + 0.1 * size
    cos, sin, pixel = angle.cos() * size, angle.sin() * size, 2 / SIDE
    first = torch.stack([cos, -sin, right * pixel], 1)
    matrix = torch.stack([first, torch.stack([sin, cos, down * pixel], 1)], 1)
    grid = nn.functional.affine_grid(matrix, list(x.shape), align_corners=False)
    return nn.functional.grid_sample(x, grid, align_corners=False)


def validation_nll(model: Stack, x: Tensor) -> Tensor:
    """Importance-sampled NLL of images (n * S, 1, 28, 28), the mean of each seed."""
    rng = generator("validation")
    with torch.no_grad():
        seen = model.encode(x)
    nll = importance_nll(
        x,
        [seen],
        model.log_likelihood,
        rng,
        VALIDATION_SAMPLES,
        together=1,
    )
    return nll.nats.view(-1, model.seeds).mean(0)


def _copy(model: Stack) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _keep_better(
    found: Trained, model: Stack, nll: Tensor, lowest: Tensor, step: int
) -> None:
    for seed in torch.nonzero(nll < lowest).flatten().tolist():
        lowest[seed] = nll[seed]
        found.best_step[seed] = step
        for name, value in model.state_dict().items():
            found.best[name][seed] = value[seed]
