"""What one scan costs in every stage, for the model of cost in docs/scale.md.

    python benchmarks/stages.py [--runs 3]

One simulated head of 184 x 220 x 208 voxels of 1 mm, one thread: processor seconds, and
the most memory that a stage holds above what the process held before it, its libraries
and the network (`held_mib`). The training grid and the network are the defaults. Writes
benchmarks/results/stages.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from corruption_parts.scanners import fitted
from fit_parts.simulator import Machine, scan
from measured.memory import added_mib, forget_peak
from measured.ratios import interleaved, spread
from measured.result import header, write

from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.objective import dvae
from medvae.training.corruption import corrupt
from medvae.volume import Grid, check_scan, prepare_scans
from noise_models.scanner import estimate_cached

COPIES = 2


class File:
    """A scan as the cache wants to know it."""

    def __init__(self, path: Path) -> None:
        self.path, self.mask = path, None


def stages(folder: Path) -> dict[str, Callable[[], object]]:
    """Every stage on one scan, by name."""
    path = folder / "scan.nii.gz"
    made = scan(0, Machine(voxel_mm=(1, 1, 1), fine_mm=(1, 1, 1)))
    nib.save(nib.Nifti1Image(made.image.astype(np.int16), np.eye(4)), path)
    config = NetworkConfig()
    grid = Grid(config.grid_shape, config.spacing_mm)
    caches = iter(range(10**6))
    kept = prepare_scans([File(path)], grid, folder / "kept")
    x = torch.from_numpy(np.array(kept.image(0)))[None, None]
    vae, noise = DenoisingVAE(config), fitted()
    draws = [x + 0.05 * torch.randn_like(x) for _ in range(COPIES)]

    def step() -> None:
        bound = dvae(
            x,
            torch.stack(draws),
            vae.encode,
            lambda t, z: vae.likelihood(
                t, vae.decode(z, vae.site_inputs([None] * COPIES))
            ),
            torch.Generator(),
        )
        (-bound.objective.mean()).backward()

    def encode() -> None:
        with torch.no_grad():
            vae.encode(x)

    return {
        "header": lambda: check_scan(path, header_only=True),
        "check": lambda: check_scan(path),
        "prepare": lambda: prepare_scans(
            [File(path)], grid, folder / f"cache{next(caches)}"
        ),
        "estimate": lambda: estimate_cached(path, "scan"),
        "corrupt": lambda: corrupt(
            noise,
            x,
            copies=COPIES,
            spacing_mm=config.spacing_mm,
            sources=["sharp"],
            seeds=[(0,)],
        ),
        "train": step,
        "encode": encode,
    }


def stored(folder: Path) -> dict[str, int]:
    """Bytes on disk of one scan."""
    config = NetworkConfig()
    kept = sum(p.stat().st_size for p in (folder / "kept").rglob("*") if p.is_file())
    return {
        "scan": (folder / "scan.nii.gz").stat().st_size,
        "prepared": kept,
        "code": 4 * int(np.prod(config.latent_shape)),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    result: dict[str, Any] = header(f"stages.py --runs {runs}", "torch", "numpy")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work = stages(folder)
        seconds = interleaved(work, runs, time.process_time)
        result["copies"] = COPIES
        result["seconds"] = {stage: spread(found) for stage, found in seconds.items()}
        result["held_mib"] = round(forget_peak(), 1)
        result["peak_mib"] = {
            stage: spread([added_mib(one) for _ in range(runs)])
            for stage, one in work.items()
        }
        result["bytes"] = stored(folder)
    write("stages", result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
