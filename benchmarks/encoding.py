"""Does encoding keep its slower half busy, in memory that does not grow?

python benchmarks/encoding.py [--scans 24] [--jobs 1] [--repeats 3]

Three throughputs on the same files: reading alone (unzip, find the head, resample),
network alone (the same volumes from memory), and ``encode_folder``, which does both
at once. Overlap is the third over the slower of the first two; 0.9 is the target.
Peak memory is read after a third of the scans and at the end, of this process and of
those that read. Scans are heads of 176 x 240 x 256 voxels of 1 mm (``--small``: of
2 mm), gzipped; the network is that of ``configs/train.yaml``. Writes
benchmarks/results/encoding.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
import torch
from measured.ratios import spread
from measured.result import header, write

from medvae.encoding import Encoder
from medvae.encoding.folder import Item, encode_folder
from medvae.encoding.reading import read_ahead
from medvae.model.network import DenoisingVAE, NetworkConfig

TARGET = 0.9
SHAPE = (176, 240, 256)


def write_head(path: Path, seed: int, step: int) -> None:
    """A noisy head in air, int16, as a scanner would store it."""
    shape = tuple(n // step for n in SHAPE)
    rng = np.random.default_rng(seed)
    axes = [(np.arange(n) - n / 2) * step for n in shape]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    radius = (x / 72) ** 2 + (y / 92) ** 2 + ((z - 10) / 95) ** 2
    data = 500.0 * (radius < 1) + 300 * (radius < 0.6)
    noise = rng.normal(0, 20, (2, *shape))
    data = np.hypot(data + noise[0], noise[1])
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = [float(axis[0]) for axis in axes]
    nib.save(nib.Nifti1Image(data.astype(np.int16), affine), path)


def peak_mib() -> float:
    """Highest memory so far of this process and of those it started, together, MiB."""
    own = psutil.Process()
    peaks = [Path(f"/proc/{p.pid}/status") for p in (own, *own.children())]
    lines = [line for peak in peaks for line in peak.read_text().splitlines()]
    return sum(int(x.split()[1]) for x in lines if x.startswith("VmHWM")) / 1024


def once(encoder: Encoder, paths: list[Path], jobs: int) -> dict[str, float]:
    """One round of the three throughputs, scans a second."""
    start = time.perf_counter()
    arrivals = [arrived.ready for arrived in read_ahead(paths, encoder.grid, jobs=jobs)]
    reading = len(paths) / (time.perf_counter() - start)
    images = [arrived.image for arrived in arrivals]
    start = time.perf_counter()
    for image in images:
        encoder.encode_batch(torch.from_numpy(image)[None, None])
    network = len(paths) / (time.perf_counter() - start)
    del arrivals, images
    with tempfile.TemporaryDirectory() as out:
        items = [Item(path) for path in paths]
        start = time.perf_counter()
        encode_folder(encoder, items, Path(out), batch_size=1, jobs=jobs)
        both = len(paths) / (time.perf_counter() - start)
    return {"reading": reading, "network": network, "encode": both}


def memory(encoder: Encoder, paths: list[Path], jobs: int) -> dict[str, float]:
    """Peak memory after a third of the scans and after all of them."""
    marks: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as out:
        encode_folder(
            encoder,
            [Item(path) for path in paths],
            Path(out),
            batch_size=1,
            jobs=jobs,
            progress=lambda done, total, name: marks.update({done: peak_mib()}),
        )
    return {
        "after_a_third_mib": marks[len(paths) // 3],
        "at_the_end_mib": marks[len(paths)],
    }


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scans", type=int, default=24)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    options = f"--scans {asked.scans} --jobs {asked.jobs} --repeats {asked.repeats}"
    small = " --small" if asked.small else ""
    before = header(f"encoding.py {options}{small}", "torch", "nibabel", "numpy")
    encoder = Encoder(DenoisingVAE(NetworkConfig()))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"head{i:03d}.nii.gz" for i in range(asked.scans)]
        for i, path in enumerate(paths):
            write_head(path, i, 2 if asked.small else 1)
        grown = memory(encoder, paths, asked.jobs)
        rounds = [once(encoder, paths, asked.jobs) for _ in range(asked.repeats)]
    rate = {key: float(np.median([r[key] for r in rounds])) for key in rounds[0]}
    overlaps = [r["encode"] / min(r["reading"], r["network"]) for r in rounds]
    result = {
        **before,
        "jobs": asked.jobs,
        "target": TARGET,
        "scans_per_second": {key: round(v, 3) for key, v in rate.items()},
        "overlap": spread(overlaps),
        "memory": {key: round(v, 1) for key, v in grown.items()},
    }
    write("encoding", result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
