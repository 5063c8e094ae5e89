"""The SLURM example: scans are prepared once, then all processes train."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from medvae.cli.app import app
from medvae.phantom import make_phantom
from medvae.training.config import load_config

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs/examples/train.slurm"
SMALL = (
    "grid.shape=[16,16,16]",
    "grid.spacing_mm=[12,12,12]",
    "network.channels=[4,8]",
    "network.latent_channels=2",
    "optimiser.epochs=1",
    "devices=2",
    "device=cpu",
    "jobs=1",
)


def commands_of(script, folder):
    """Words of every medvae command, as bash runs the script: srun starts one."""
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/activate").touch()
    for name, does in (
        ("medvae", 'printf "%s\\0" "$@" >> told; echo >> told'),
        ("srun", 'printf "srun\\0" >> told; "$@"'),
    ):
        stub = folder / name
        stub.write_text(f"#!/bin/bash\n{does}\n")
        stub.chmod(0o755)
    place = {"PATH": f"{folder}:{os.environ['PATH']}", "SLURM_CPUS_PER_TASK": "8"}
    subprocess.run(["bash", script], cwd=folder, env=os.environ | place, check=True)
    lines = (folder / "told").read_text().splitlines()
    return [line.strip("\0").split("\0") for line in lines]


def test_the_example_prepares_before_it_trains_with_what_slurm_gives(tmp_path):
    once, every = commands_of(SCRIPT, tmp_path)
    assert every.pop(0) == "srun"
    assert once[: len(every)] == every
    assert "--prepare-only" in once
    train = typer.main.get_command(app).commands["train"]
    for words in (once, every):
        asked = train.make_context("train", words[1:]).params
        settings = load_config(None, asked["set_"], device=asked["device"])
    sbatch = dict(re.findall(r"#SBATCH --([\w-]+)=(\S+)", SCRIPT.read_text()))
    assert settings.devices == int(sbatch["ntasks-per-node"])
    assert settings.nodes == int(sbatch["nodes"])
    assert sbatch["gres"] == f"gpu:{settings.devices}"


def prepared(cache):
    return {path.name: path.stat().st_mtime_ns for path in cache.glob("volumes/*")}


@pytest.mark.slow
def test_what_one_process_prepared_two_find(tmp_path):
    make_phantom(
        tmp_path / "data", sites=("NYU", "KKI"), subjects=2, travelers=0, voxel_scale=6
    )
    cache, run = tmp_path / "cache", tmp_path / "run"
    words = ["train", "--noise", "rician", "--data", str(tmp_path / "data")]
    words += ["-o", str(run), "--cache", str(cache)]
    words += [word for setting in SMALL for word in ("--set", setting)]
    told = CliRunner().invoke(app, [*words, "--prepare-only"])
    assert told.exit_code == 0
    before = prepared(cache)
    assert len(before) == 4
    assert not run.exists()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    group |= {"TORCHELASTIC_RUN_ID": "x", "PYTHONPATH": str(ROOT)}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", "from medvae.cli import main; main()", *words],
            env=os.environ | group | {"RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
        )
        for rank in "01"
    ]
    errors = [rank.communicate(timeout=300)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], errors
    assert (run / "model.safetensors").exists()
    assert prepared(cache) == before
