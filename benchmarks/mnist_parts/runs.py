"""Every run of the study, kept on disk so that it goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from medvae.files import atomic_path, write_json
from mnist_parts.arms import ARMS
from mnist_parts.digits import digits
from mnist_parts.measuring import Judge
from mnist_parts.network import Stack
from mnist_parts.training import Plan, stacked, train

PLANS = {  # the best of every arm lies before the end, or its last looks are flat
    500: Plan(500, steps=3000, batch=50),
    5000: Plan(5000, steps=12_000, batch=100),
    50000: Plan(50_000, steps=180_000, batch=100),
}
LONGER = {  # moved images go on teaching, and the strongest noises teach slowly
    ("augmentation", 500): 20_000,
    ("augmentation_dvae", 500): 20_000,
    ("augmentation", 5000): 100_000,
    ("augmentation_dvae", 5000): 150_000,
    ("dvae_salt_and_pepper_0.4", 500): 6000,
    ("dvae_gaussian_0.8", 500): 6000,
}
SELECTED = {  # larger sets take longer: one arm for every question that is asked
    5000: (
        "vae",
        "dvae_salt_and_pepper_0.05",
        "dvae_salt_and_pepper_0.1",
        "dvae_gaussian_0.4",
        "augmentation",
        "augmentation_dvae",
        "iwae_k5",
        "invariance_4",
    ),
    50000: ("vae", "dvae_salt_and_pepper_0.05"),
}


@dataclass(frozen=True)
class Run:
    """One arm at one training size, all seeds together."""

    arm: str
    train_size: int

    @property
    def plan(self) -> Plan:
        """Steps and batch of its size; what learns more slowly goes on for longer."""
        plan = PLANS[self.train_size]
        return replace(plan, steps=LONGER.get((self.arm, self.train_size), plan.steps))

    @property
    def end(self) -> int:
        """Step of the second stop: the VAE's own, except with augmentation."""
        if ARMS[self.arm].augmented:
            return self.plan.steps
        return PLANS[self.train_size].steps

    def path(self, work: Path) -> Path:
        """Where its measurements are kept."""
        return work / f"{self.arm}-{self.train_size}.json"

    def is_finished(self, work: Path) -> bool:
        """Whether it is there, and as long as its plan says today."""
        path = self.path(work)
        if not path.exists():
            return False
        plan: dict[str, int] = json.loads(path.read_text())["plan"]
        return plan == asdict(self.plan)


def queue() -> list[Run]:
    """All runs, small training sets before large: every arm at the smallest."""
    return [Run(name, size) for size in PLANS for name in SELECTED.get(size, ARMS)]


def perform(
    run: Run, data: Path, work: Path, seeds: list[int], told: Callable[[str], None]
) -> None:
    """Train and measure one run; its JSON is there if and only if it is finished."""
    arm = ARMS[run.arm]
    sets = [digits(data, seed, run.train_size) for seed in seeds]
    trained = train(arm, run.plan, sets, seeds, told, end=run.end)
    test = stacked([each.test for each in sets])
    found: dict[str, Any] = {}
    for stopping, weights in (("best", trained.best), ("end", trained.end)):
        model = Stack(seeds)
        model.load_state_dict(weights)
        found[stopping] = Judge(arm, model, test).everything()
        told(f"{run.arm} {run.train_size} {stopping}")
        with atomic_path(
            work / f"{run.path(work).stem}-{stopping}.safetensors"
        ) as partial:
            save_file(
                {name: value.contiguous() for name, value in weights.items()}, partial
            )
    content = {
        "arm": asdict(arm),
        "plan": asdict(run.plan),
        "end_step": run.end,
        "seeds": seeds,
        "seconds": trained.seconds / len(seeds),
        "best_step": trained.best_step,
        "curve": trained.curve,
        "stops": found,
    }
    write_json(run.path(work), content)


def one_thread() -> None:
    """Arithmetic on one core, and no time lost on numbers next to zero."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
