"""Two real processes that torchrun starts, on one node or on two: train, encode."""

import json
import os
import socket
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
)


def together(folder, nodes, *words):
    """What two processes of a medvae command said; torchrun logs it by rank.

    On one node, or on two, which meet as machines do.
    """
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    env["XDG_CACHE_HOME"] = str(folder / "cache")
    place = ["--standalone"] if nodes == 1 else ["--master-port", str(free_port())]
    log = folder / f"{words[0]}-{nodes}"
    agents = [
        subprocess.Popen(
            [
                *(TORCHRUN, *place, "--nnodes", str(nodes), "--node-rank", str(node)),
                *("--nproc-per-node", str(2 // nodes), "--redirects", "3"),
                *("--log-dir", log / str(node), "--no-python", MEDVAE),
                *map(str, words),
            ],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for node in range(nodes)
    ]
    said = [agent.communicate(timeout=300)[0] for agent in agents]
    ranks = [(0, 0), (0, 1)] if nodes == 1 else [(0, 0), (1, 0)]
    told = [
        "".join(f.read_text() for f in sorted((log / str(node)).rglob(f"{k}/*")))
        for node, k in ranks
    ]
    assert [agent.returncode for agent in agents] == [0] * nodes, (told, said)
    return told


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_phantom(
        tmp_path_factory.mktemp("data") / "phantom",
        sites=("NYU", "KKI"),
        subjects=3,
        travelers=0,
        voxel_scale=6,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data):
    """By number of nodes: a folder with a run of two processes, and what each said."""
    if not MEDVAE.exists():
        pytest.skip("the command is not installed")
    runs = {}
    for nodes in (1, 2):
        folder = tmp_path_factory.mktemp(f"nodes-{nodes}")
        settings = (*SMALL, f"nodes={nodes}", f"devices={2 // nodes}")
        words = [word for setting in settings for word in ("--set", setting)]
        train = ("train", "--noise", "rician", "--data", data, "--device", "cpu")
        told = together(folder, nodes, *train, "--jobs", 1, "-o", "run", *words)
        runs[nodes] = folder, told
    return runs


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [1, 2])
def test_two_processes_train_one_run_and_share_its_scans(trained, data, nodes):
    folder, (first, second) = trained[nodes]
    assert "run written to run" in first
    assert "run written to run" not in second
    epochs = (folder / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in epochs] == [0, 1]
    steps = read_checkpoint(folder / "run/checkpoints/last.ckpt")["global_step"]
    assert steps == 2

    told = together(folder, nodes, "encode", "run", data, "-o", "codes", "--jobs", 0)
    for rank, text in enumerate(told):
        said = f"3 of 3 scans encoded into codes by process {rank} of 2"
        assert said in " ".join(text.split())
    index, vectors = read_table(folder / "codes")
    assert len(index) == len(vectors) == 6
    assert np.isfinite(vectors).all()


@pytest.mark.slow
def test_where_two_processes_run_changes_no_bit_of_the_model(trained):
    one, two = (
        (folder / "run/model.safetensors").read_bytes()
        for folder, _ in trained.values()
    )
    assert one == two
