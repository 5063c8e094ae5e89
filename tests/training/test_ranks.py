"""Processes that were started together train together, or are told so."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import noise_models
from medvae.cli.app import app
from medvae.errors import UserError
from medvae.training.ranks import check_processes, process_rank
from medvae.training.run import train

sys.path.insert(0, str(Path(__file__).parent))
from training_material import cohort, material, settings

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2"}
STEP = {"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2"}
BATCH = {"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "8"}
SHELL = BATCH | {"SLURM_STEP_NUM_TASKS": "8", "SLURM_JOB_NAME": "bash"}


@pytest.fixture
def started_as(monkeypatch):
    def say(place):
        for name, value in place.items():
            monkeypatch.setenv(name, value)

    return say


@pytest.mark.parametrize(
    "place",
    [
        TORCHRUN,
        TORCHRUN | {"RANK": "0"},
        STEP,
        STEP | {"SLURM_PROCID": "0"},
        {"SLURM_PROCID": "1", "SLURM_NTASKS": "2"},
    ],
)
def test_processes_that_would_each_train_alone_are_refused(started_as, place):
    started_as(place)
    with pytest.raises(UserError, match=r"2 processes were started, but .* is 1: use"):
        check_processes(1, 1)
    check_processes(2, 1)
    check_processes(1, 2)


@pytest.mark.parametrize("place", [{}, BATCH, SHELL, {"LOCAL_RANK": "0"}])
def test_one_process_may_stand_where_several_could(started_as, place):
    started_as(place)
    check_processes(1, 1)
    assert process_rank() == 0


def test_a_second_process_started_from_a_shell_is_not_the_first(started_as):
    started_as(SHELL | {"LOCAL_RANK": "1"})
    assert process_rank() == 1


def test_a_rank_that_is_no_number_is_named(started_as):
    started_as({"RANK": "first"})
    with pytest.raises(UserError, match="RANK=first: must be a whole number"):
        process_rank()


def test_a_second_process_left_alone_writes_nothing(started_as, tmp_path):
    started_as(TORCHRUN)
    run = tmp_path / "run"
    noise = noise_models.get("rician")
    with pytest.raises(UserError, match="2 processes were started"):
        train(settings(), cohort(), material(), noise, run)
    assert not run.exists()


def test_a_second_process_is_told_before_scans_are_looked_for(started_as):
    started_as(TORCHRUN)
    told = CliRunner().invoke(app, ["train", "--noise", "rician", "--data", "nowhere"])
    assert "2 processes were started" in str(told.exception)
