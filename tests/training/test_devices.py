"""Two processes take the steps of one: same batches, corruptions, losses, weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from medvae.model.weights import load_model
from medvae.training.data import SeededOrder

sys.path.insert(0, str(Path(__file__).parent))
from training_material import Waves

SCRIPT = Path(__file__).parent / "train_alone.py"
ROOT = Path(__file__).parents[2]
# 7 scans for training in batches of 4: the last batch is short, and odd.
SETTINGS = ("optimiser.batch_size=4", "optimiser.epochs=3")


def program(folder, *overrides, stop=0):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "STOP_AT": str(stop)}
    done = subprocess.run(
        [sys.executable, SCRIPT, folder, *SETTINGS, *overrides],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert stop or done.returncode == 0, done.stderr[-2000:]
    return folder


def numbers(run):
    told = [json.loads(t) for t in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in told]


def repainted(run):
    vae, x = load_model(run).eval(), torch.from_numpy(Waves().image(0))[None, None]
    with torch.no_grad():
        return vae.decode(vae.encode(x).mean, vae.site_inputs(["A"]))


def assert_alike(one, other):
    assert len(numbers(one)) == len(numbers(other)) == 3
    for a, b in zip(numbers(one), numbers(other), strict=True):
        assert a == pytest.approx(b, rel=2e-4)
    # Not the weights: biases before a normalisation have no gradient but rounding,
    # which Adam scales up, and change nothing.
    ours, theirs = (repainted(run) for run in (one, other))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-3)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return program(tmp_path_factory.mktemp("one") / "run")


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(alone, tmp_path):
    assert_alike(program(tmp_path / "two", "devices=2"), alone)


@pytest.mark.slow
def test_two_processes_gather_two_batches_a_step_as_one_does(tmp_path):
    # Batches of 2, 2, 2 and 1: the last one leaves a process without a scan.
    gathered = ("optimiser.batch_size=2", "optimiser.accumulate=2")
    two = program(tmp_path / "two", *gathered, "devices=2")
    assert_alike(two, program(tmp_path / "one", *gathered))


@pytest.mark.slow
def test_two_processes_go_on_where_they_were_stopped(alone, tmp_path):
    run = program(tmp_path / "two", "devices=2", stop=3)
    assert not (run / "model.safetensors").exists()
    program(run, "devices=2", "--resume")
    assert_alike(run, alone)


@pytest.mark.parametrize("devices", [1, 2, 3])
def test_every_batch_is_dealt_whole(devices):
    dealt = [
        list(SeededOrder(7, seed=0, shuffle=True, batch=4, rank=r, devices=devices))
        for r in range(devices)
    ]
    assert len({len(part) for part in dealt}) == 1
    counted = [place[1] for part in dealt for place in part if place[2] > 0]
    assert sorted(counted) == list(range(7))
    shares = sum(place[2] for part in dealt for place in part) / devices
    assert shares == pytest.approx(2)  # one for each of two batches
