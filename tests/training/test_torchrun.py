"""Two real processes that torchrun starts, as the cluster page says: train, encode."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medvae.encoding.table import read_table
from medvae.phantom import make_phantom
from medvae.training.checkpoints import read_checkpoint

ROOT = Path(__file__).parents[2]
TORCHRUN = Path(sys.executable).with_name("torchrun")
MEDVAE = Path(sys.executable).with_name("medvae")
SMALL = (
    "grid.shape=[16,16,16]",
    "grid.spacing_mm=[12,12,12]",
    "network.channels=[4,8]",
    "network.latent_channels=2",
    "optimiser.epochs=2",
    "devices=2",
)


def together(folder, *words):
    """What two processes of a medvae command said; torchrun logs it by rank."""
    start = [TORCHRUN, "--standalone", "--nproc-per-node", "2", "--log-dir", words[0]]
    start += ["--redirects", "3", "--no-python", MEDVAE, *words]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    env["XDG_CACHE_HOME"] = str(folder / "cache")
    done = subprocess.run(
        [*map(str, start)], cwd=folder, env=env, capture_output=True, text=True
    )
    told = [
        "".join(
            file.read_text() for file in sorted((folder / words[0]).rglob(f"{k}/*"))
        )
        for k in "01"
    ]
    assert done.returncode == 0, (told, done.stderr)
    return told


@pytest.mark.slow
@pytest.mark.skipif(not MEDVAE.exists(), reason="the command is not installed")
def test_two_processes_train_one_run_and_share_its_scans(tmp_path):
    data = make_phantom(
        tmp_path / "data", sites=("NYU", "KKI"), subjects=3, travelers=0, voxel_scale=6
    )
    words = [word for setting in SMALL for word in ("--set", setting)]
    train = ("train", "--noise", "rician", "--data", data, "--device", "cpu")
    first, second = together(tmp_path, *train, "--jobs", 1, "-o", "run", *words)
    assert "run written to run" in first
    assert "run written to run" not in second
    epochs = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in epochs] == [0, 1]
    steps = read_checkpoint(tmp_path / "run/checkpoints/last.ckpt")["global_step"]
    assert steps == 2

    told = together(tmp_path, "encode", "run", data, "-o", "codes", "--jobs", 0)
    for rank, text in enumerate(told):
        said = f"3 of 3 scans encoded into codes by process {rank} of 2"
        assert said in " ".join(text.split())
    index, vectors = read_table(tmp_path / "codes")
    assert len(index) == len(vectors) == 6
    assert np.isfinite(vectors).all()
