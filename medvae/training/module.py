"""The Lightning module: corrupt, encode, paint, score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from medvae.errors import UserError
from medvae.model.network import DenoisingVAE
from medvae.model.objective import Bound
from medvae.training.config import TrainConfig
from medvae.training.corruption import corrupt
from medvae.training.data import Entry
from medvae.training.seeds import generator
from noise_models.base import NoiseModel

SCALE_RATE = 10.0  # the likelihood's scale, a single number, learns so much faster
WARM_UP = 0.05  # share of all steps in which the learning rate rises


class DenoisingTraining(pl.LightningModule):
    """Raises a bound of :mod:`medvae.model.objective` step by step."""

    def __init__(
        self,
        vae: DenoisingVAE,
        noise: NoiseModel,
        config: TrainConfig,
        training: Sequence[Entry],
        validation: Sequence[Entry],
    ) -> None:
        super().__init__()
        self.vae, self.noise, self.config = vae, noise, config
        self.entries = {"train": training, "validation": validation}
        self.objective = config.objective.bound()
        self.noted: dict[str, list[Tensor]] = {}  # values of the scans, for averages

    def bound(self, batch: dict[str, Any], stage: str, epoch: int) -> Bound:
        """The bound of one batch, nats per volume, (B,)."""
        x: Tensor = batch["image"]
        entries = [self.entries[stage][int(number)] for number in batch["entry"]]
        settings, seed = self.config.objective, self.config.seed
        corrupted = self.corrupted(batch, stage, epoch) if settings.copies else None
        sites = self.vae.site_inputs(self.labels(batch, stage) * settings.painted)
        parts = (seed, "latent", stage, epoch)
        return self.objective(
            x,
            corrupted,
            self.vae.encode,
            lambda target, z: self.vae.likelihood(target, self.vae.decode(z, sites)),
            [generator(*parts, entry.name, device=x.device) for entry in entries],
        )

    def labels(self, batch: dict[str, Any], stage: str) -> list[str | None]:
        """The site of every volume; None where the decoder does not know it."""
        known = set(self.vae.config.sites)
        sites = [self.entries[stage][int(number)].site for number in batch["entry"]]
        return [site if site in known else None for site in sites]

    def corrupted(self, batch: dict[str, Any], stage: str, epoch: int) -> Tensor:
        """M corruptions of every volume, made beforehand or drawn now, (M, B, ...)."""
        if "views" in batch:
            made: Tensor = batch["views"]
            return made.transpose(0, 1)
        entries = [self.entries[stage][int(number)] for number in batch["entry"]]
        seed = self.config.seed
        return corrupt(
            self.noise,
            batch["image"],
            copies=self.config.objective.copies,
            spacing_mm=self.config.grid.spacing_mm,
            sources=[entry.source for entry in entries],
            seeds=[(seed, "corruption", stage, epoch, entry.name) for entry in entries],
        )

    def training_step(self, batch: dict[str, Any], batch_index: int) -> Tensor:
        bound = self.bound(batch, "train", self.current_epoch)
        loss: Tensor = -(bound.objective * batch["share"].to(bound.objective)).sum()
        self._refuse_not_finite(loss, batch, "train", self.current_epoch)
        self._note("train", bound, batch)
        voxels: int = batch["image"][0].numel()
        return loss / voxels

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> None:
        # The same corruptions at every epoch, so that epochs can be compared.
        bound = self.bound(batch, "validation", 0)
        self._refuse_not_finite(bound.value.mean(), batch, "validation", 0)
        self._note("validation", bound, batch)

    def on_validation_epoch_end(self) -> None:
        self.log("validation_bound", self._mean(self.noted["validation_value"]))

    def _refuse_not_finite(
        self, loss: Tensor, batch: dict[str, Any], stage: str, drawn_at: int
    ) -> None:
        """Name the scans of a batch; the noise, too, where the fault is its own."""
        if torch.isfinite(loss):
            return
        names = [self.entries[stage][int(i)].name for i in batch["entry"]]
        where = f"at epoch {self.current_epoch} on {', '.join(names)}"
        if self.config.objective.copies and torch.isfinite(batch["image"]).all():
            corrupted = self.corrupted(batch, stage, drawn_at)  # the same draw again
            if not torch.isfinite(corrupted).all():
                raise UserError(
                    f"{self.noise.name} makes voxels that are not finite {where}. "
                    "Lower its levels."
                )
        raise UserError(
            f"the {stage} loss is {loss.item()} {where}. Look at these scans, or "
            "lower optimiser.learning_rate."
        )

    def _note(self, stage: str, bound: Bound, batch: dict[str, Any]) -> None:
        counted = batch["share"] > 0  # the others stand in for scans of other devices
        for name in ("value", "reconstruction", "kl"):
            values = getattr(bound, name).detach()[counted]
            self.noted.setdefault(f"{stage}_{name}", []).append(values)

    def _mean(self, values: Sequence[Tensor]) -> float:
        """Mean over the scans of all devices."""
        mine = torch.cat(list(values))
        both = torch.stack([mine.sum(), mine.new_tensor(len(mine))])
        total, count = self.trainer.strategy.reduce(both, reduce_op="sum")
        return float(total / count)

    def averages(self) -> dict[str, float]:
        """Means since the last call, nats per volume, and the likelihood's scale."""
        means = {
            name.replace("value", "bound"): self._mean(values)
            for name, values in self.noted.items()
        }
        self.noted.clear()
        return means | {"scale": self.vae.likelihood.scale.item()}

    def configure_optimizers(self) -> Any:  # noqa: ANN401 (Lightning's own type is Any)
        scale = list(self.vae.likelihood.parameters())
        ids = {id(parameter) for parameter in scale}
        weights = [p for p in self.vae.parameters() if id(p) not in ids]
        rate = self.config.optimiser.learning_rate
        optimiser = torch.optim.Adam(
            [
                {"params": weights, "lr": rate},
                {"params": scale, "lr": rate * SCALE_RATE},
            ]
        )
        steps = max(int(self.trainer.estimated_stepping_batches), 1)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, Schedule(steps))
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


class Schedule:
    """Learning-rate factor: linear warm-up, then a cosine down to 1/20.

    Example:
        >>> factor = Schedule(100)
        >>> round(factor(5), 2), round(factor(100), 2)
        (1.0, 0.05)
    """

    def __init__(self, steps: int) -> None:
        self.steps, self.warm = steps, max(round(steps * WARM_UP), 1)

    def __call__(self, step: int) -> float:
        if step < self.warm:
            return (step + 1) / (self.warm + 1)
        share = min((step - self.warm) / max(self.steps - self.warm, 1), 1.0)
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share))
