"""Trackers get the numbers of metrics.jsonl; those that are missing are named."""

import csv
import json
import sys

import pytest
from training_material import cohort, material, settings

from medvae.errors import UserError
from medvae.training.loggers import open_logger
from medvae.training.run import train
from noise_models.rician import Rician


def test_the_logger_gets_the_numbers_of_every_epoch(tmp_path):
    config = settings("logger=csv")
    train(config, cohort(), material(), Rician(), tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    with (tmp_path / "run" / "csv" / "metrics.csv").open() as handle:
        rows = [row for row in csv.DictReader(handle) if row["train_bound"]]
    assert len(rows) == len(lines) == 2
    for row, line in zip(rows, map(json.loads, lines), strict=True):
        assert float(row["train_bound"]) == line["train_bound"]


def test_tensorboard_writes_into_the_run(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is missing")
    logger = open_logger("tensorboard", tmp_path)
    logger.log_metrics({"bound": 1.0}, step=0)
    logger.save()
    assert list((tmp_path / "tensorboard").glob("events.*"))


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_tracker_is_named_with_its_remedy(name, tmp_path, monkeypatch):
    module = sys.modules[f"pytorch_lightning.loggers.{name}"]
    flag = {"wandb": "_WANDB_AVAILABLE", "mlflow": "_MLFLOW_AVAILABLE"}[name]
    monkeypatch.setattr(module, flag, False)
    if name == "mlflow":
        monkeypatch.setattr(module, "_MLFLOW_SKINNY_AVAILABLE", False, raising=False)
    with pytest.raises(UserError, match=f"logger {name}: not installed"):
        open_logger(name, tmp_path)
