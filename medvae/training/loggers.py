"""Trackers by the name of their Lightning logger; metrics.jsonl is written always."""

from __future__ import annotations

from collections.abc import Callable
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
        raise UserError(
            f"logger {name}: not installed. Run: pip install '{NEEDS.get(name, name)}'"
        ) from None
