"""Trackers by the name of their Lightning logger; metrics.jsonl is written always."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from pytorch_lightning import loggers
from pytorch_lightning.loggers import Logger

from medvae.errors import UserError

PROJECT = "medvae"
NEEDS = {
    "wandb": "wandb",
    "mlflow": "mlflow",
    "tensorboard": "medvae-denoise[tensorboard]",
}
_MODULES = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
}
"""Either of which Lightning's logger needs."""


def check_logger(name: str) -> None:
    """Refuse a tracker that is not installed, before any work; imports none.

    Raises:
        UserError: Says how to install it.
    """
    if name in _MODULES and not any(map(find_spec, _MODULES[name])):
        raise UserError(_missing(name))


def _missing(name: str) -> str:
    return f"logger {name}: not installed. Run: pip install '{NEEDS.get(name, name)}'"


def open_logger(name: str, run: Path) -> Logger | None:
    """The Lightning logger of that name, writing into the run folder.

    Weights & Biases and MLflow are configured by their own environment variables
    (``WANDB_MODE=offline``, ``MLFLOW_TRACKING_URI``).

    Raises:
        UserError: The tracker is not installed.
    """
    makers: dict[str, Callable[[], Logger]] = {
        "tensorboard": lambda: loggers.TensorBoardLogger(run, "tensorboard", ""),
        "csv": lambda: loggers.CSVLogger(run, "csv", ""),
        "wandb": lambda: loggers.WandbLogger(
            project=PROJECT, name=run.name, save_dir=run
        ),
        "mlflow": lambda: loggers.MLFlowLogger(
            PROJECT, run_name=run.name, save_dir=str(run / "mlruns")
        ),
    }
    if name == "none":
        return None
    try:
        return makers[name]()
    except ImportError:
        raise UserError(_missing(name)) from None
