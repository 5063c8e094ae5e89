"""What encoding a volume costs: our encoder and that of Stanford's MedVAE.

Theirs has our import name, so the two cannot be installed together. MEDVAE_STANFORD
names a folder in which its wheel (``medvae`` 0.1.7 on PyPI) was unpacked. What a volume
costs hangs on no weight, so theirs are random: no download. Its settings are those of
``medvae_4_1_3d``, a code of one channel and a fourth of the grid.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measured.memory import forget_peak, peak_mib
from measured.ratios import ratio, spread
from torch import Tensor, nn

FOLDER = "MEDVAE_STANFORD"
SOURCE = Path("medvae/utils/vae/diffusionmodels_3d.py")
SETTINGS = {
    "double_z": True,
    "z_channels": 1,
    "resolution": 512,
    "in_channels": 1,
    "out_ch": 1,
    "ch": 128,
    "ch_mult": [1, 2, 4],
    "num_res_blocks": 2,
    "attn_resolutions": [],
    "dropout": 0.0,
}


Encode = Callable[[Tensor], object]


def ours(shape: tuple[int, ...]) -> tuple[Encode, nn.Module]:
    """The default network, and the part of it that encodes."""
    from medvae.model.network import DenoisingVAE, NetworkConfig

    vae = DenoisingVAE(NetworkConfig(grid_shape=shape)).eval()
    return vae.encode, vae.encoder


def stanford(shape: tuple[int, ...]) -> tuple[Encode, nn.Module]:
    """Stanford's encoder, out of its wheel."""
    del shape
    path = Path(os.environ[FOLDER]) / SOURCE
    spec = importlib.util.spec_from_file_location("stanford", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    encoder = module.Encoder(**SETTINGS).eval()
    return encoder, encoder


ENCODERS = {"medvae": ours, "Stanford MedVAE": stanford}


def encoder_costs(shape: tuple[int, int, int], rounds: int) -> dict[str, Any]:
    """Encoders in turn, each in a process of its own, and theirs over ours."""
    runs = [{name: _alone(name, shape) for name in ENCODERS} for _ in range(rounds)]

    def all_of(name: str, key: str) -> list[float]:
        return [run[name][key] for run in runs]

    keys = ("seconds_per_volume", "peak_mib")
    found: dict[str, Any] = {
        name: {key: spread(all_of(name, key)) for key in keys}
        | {"parameters": runs[0][name]["parameters"]}
        for name in ENCODERS
    }
    first, second = ENCODERS
    for key in keys:
        found[second][f"{key}_ratio"] = ratio(all_of(second, key), all_of(first, key))
    return found


def _alone(name: str, shape: tuple[int, int, int]) -> dict[str, Any]:
    command = [sys.executable, __file__, name, json.dumps(shape)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Processor seconds of one volume on one thread, and memory above the start."""
    torch.set_num_threads(1)
    x = torch.randn((1, 1, *shape), generator=torch.Generator().manual_seed(0))
    before = forget_peak()
    encode, module = ENCODERS[name](shape)
    costs = []
    with torch.inference_mode():
        encode(x)
        for _ in range(3):
            start = time.process_time()
            encode(x)
            costs.append(time.process_time() - start)
    return {
        "seconds_per_volume": statistics.median(costs),
        "peak_mib": peak_mib() - before,
        "parameters": sum(p.numel() for p in module.parameters()),
    }


if __name__ == "__main__":
    # Started by `_alone`.
    which, size = sys.argv[1:]
    print(json.dumps(_measure(which, tuple(json.loads(size)))))
