"""What a training run tells the world: lines of numbers and how far it is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from medvae.errors import UserError
from medvae.files import write_text
from medvae.inputs import read_text
from medvae.training.module import DenoisingTraining

Progress = Callable[[int, int, str], None]


class Chronicle(pl.Callback):
    """Writes one JSON line per epoch to metrics.jsonl and reports progress.

    After an interruption the lines of epochs that are trained again are dropped, so
    that every epoch stands there once.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path, self.progress = path, progress
        self.lines: list[dict[str, Any]] = []
        self.started = time.monotonic()

    def on_train_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        if self.path.exists():
            lines = read_metrics(self.path)
            self.lines = [e for e in lines if e["epoch"] < trainer.current_epoch]
        self._report(trainer)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        self._report(trainer)

    def on_train_epoch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        if not isinstance(pl_module, DenoisingTraining):
            raise TypeError(f"expected DenoisingTraining, got {type(pl_module)}.")
        numbers = {k: round(v, 6) for k, v in pl_module.averages().items()}
        seconds = round(time.monotonic() - self.started, 3)
        progress = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        self.lines.append(progress | numbers | {"seconds": seconds})
        for logger in trainer.loggers:
            logger.log_metrics(numbers, step=trainer.current_epoch)
        if trainer.is_global_zero:
            write_text(self.path, "".join(json.dumps(e) + "\n" for e in self.lines))

    def _report(self, trainer: pl.Trainer) -> None:
        if self.progress is None:
            return
        last = self.lines[-1] if self.lines else {}
        bound = last.get("validation_bound", last.get("train_bound"))
        total = int(trainer.estimated_stepping_batches)
        label = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        if bound is not None:
            label += f"  bound {bound:.0f} nats"
        self.progress(trainer.global_step, total, label)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl, one an epoch.

    Raises:
        UserError: It is not there, or a line is no epoch's; names the line.
    """
    if not path.is_file():
        raise UserError(f"{path} not found. It is written by: medvae train")
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}). Remove it.") from None
    return [
        _epoch(line, f"{path}:{number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _epoch(line: str, where: str) -> dict[str, Any]:
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", error)
        raise UserError(f"{where}: not JSON ({reason}). Remove the line.") from None
    if (
        not isinstance(found, dict)
        or not isinstance(found.get("epoch"), int)
        or not all(isinstance(value, int | float) for value in found.values())
    ):
        raise UserError(f"{where}: must hold an epoch's numbers. Remove the line.")
    return found
