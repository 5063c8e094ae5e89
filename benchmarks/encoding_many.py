"""Thousands of scans in one call: one bad, the call killed half-way and given again.

    python benchmarks/encoding_many.py [--scans 3000] [--side 16]

Writes ``scans`` tiny NIfTI heads and a model into a folder in memory (/dev/shm), one of
the files cut short, and runs ``medvae encode`` on all of them. The first call is killed
(SIGKILL) when half of the codes are there; the second, word for word the same, goes on.
Peak memory of the second is its process's and its readers' together. A call with a
tenth of the scans says what it is for few. Writes
benchmarks/results/encoding_many.json.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
import torch
from measured.result import header, write

from medvae.encoding.table import read_table
from medvae.model.network import DenoisingVAE, NetworkConfig
from medvae.model.weights import save_model

MEDVAE = [sys.executable, "-c", "from medvae.cli import main; main()"]
WATCHED_S = 0.5


@dataclass(frozen=True)
class Call:
    """What became of one call of the program."""

    code: int
    seconds: float
    processor_seconds: float
    peak_mib: float
    told: str


def write_scans(folder: Path, count: int, side: int) -> list[Path]:
    """Noisy balls of ``side`` voxels of 192 / side mm; the one in the middle is cut."""
    axis = np.linspace(-1, 1, side)
    ball = 600.0 * (np.hypot(np.hypot(*np.ix_(axis, axis))[..., None], axis) < 0.7)
    affine = np.diag([192 / side] * 3 + [1.0])
    paths = [folder / f"scan{i:05d}.nii.gz" for i in range(count)]
    for i, path in enumerate(paths):
        noise = np.random.default_rng(i).normal(0, 20, ball.shape)
        nib.save(nib.Nifti1Image(np.abs(ball + noise).astype(np.int16), affine), path)
    bad = paths[count // 2]
    bad.write_bytes(bad.read_bytes()[:200])
    return paths


def call(words: list[str], kill_at: int | None = None, out: Path | None = None) -> Call:
    """Run the program to its end, or kill it when ``out`` holds ``kill_at`` codes."""
    start, peak, used = time.perf_counter(), 0.0, 0.0
    with tempfile.TemporaryFile("w+") as told:
        running = subprocess.Popen(
            [*MEDVAE, *words], stdout=told, stderr=told, start_new_session=True
        )
        while running.poll() is None:
            time.sleep(WATCHED_S)
            now, spent = _resources(running.pid)
            peak, used = max(peak, now), max(used, spent)
            if kill_at and out and sum(1 for _ in out.glob("*.json")) >= kill_at:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
        seconds = time.perf_counter() - start
        told.seek(0)
        return Call(running.returncode, seconds, used, peak, told.read())


def _resources(pid: int) -> tuple[float, float]:
    """Highest memory, MiB, and processor seconds of a process and its children."""
    memory, seconds = 0.0, 0.0
    try:
        own = psutil.Process(pid)
        for process in (own, *own.children(recursive=True)):
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            memory += sum(int(x.split()[1]) for x in status if x.startswith("VmHWM"))
            spent = process.cpu_times()
            seconds += spent.user + spent.system
    except (psutil.Error, OSError):  # it has ended in between
        pass
    return memory / 1024, seconds


def check(out: Path, paths: list[Path], last: Call) -> dict[str, object]:
    """What the table holds, and what was said of the bad scan."""
    bad = paths[len(paths) // 2]
    index, vectors = read_table(out)
    good = {str(path.absolute()) for path in paths if path != bad}
    return {
        "exit_code": last.code,
        "bad_scan_is_named": f"error: {bad}" in last.told,
        "errors_told": last.told.count("error: "),
        "rows": len(index),
        "vectors": list(vectors.shape),
        "every_good_scan_once": len(index) == len(good) and {*index["path"]} == good,
        "rows_in_order": index["row"].tolist() == list(range(len(index))),
        "vectors_finite": bool(np.isfinite(vectors).all()),
    }


def main() -> None:
    """Encode few, encode many with a kill between, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=3000)
    parser.add_argument("--side", type=int, default=16)
    asked = parser.parse_args()
    line = f"encoding_many.py --scans {asked.scans} --side {asked.side}"
    before = header(line, "torch", "nibabel", "numpy")
    torch.manual_seed(0)
    memory = Path("/dev/shm")  # nosec B108 (a folder of its own is made in it)
    place = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        root = Path(folder)
        config = NetworkConfig(
            grid_shape=(16, 16, 16),
            spacing_mm=(12.0, 12.0, 12.0),
            channels=(4, 8),
            latent_channels=2,
        )
        save_model(DenoisingVAE(config), root / "run")
        (root / "scans").mkdir()
        paths = write_scans(root / "scans", asked.scans, asked.side)
        options = ["--jobs", "1", "--batch-size", "16", "-o"]
        some = paths[: asked.scans // 10]
        few = call(
            ["encode", str(root / "run"), *map(str, some), *options, str(root / "few")]
        )
        many = ["encode", str(root / "run"), *map(str, paths), *options]
        out = root / "many"
        killed = call([*many, str(out)], kill_at=asked.scans // 2, out=out)
        kept = sum(1 for _ in out.glob("*_latent.json"))
        last = call([*many, str(out)])
        found = check(out, paths, last)
    todo = asked.scans - kept
    result = {
        **before,
        "scans": asked.scans,
        "side": asked.side,
        "few": {
            "scans": len(some),
            "exit_code": few.code,
            "peak_mib": round(few.peak_mib, 1),
            "seconds": round(few.seconds, 1),
            "processor_seconds": round(few.processor_seconds, 1),
        },
        "killed": {"exit_code": killed.code, "codes_kept": kept},
        "continued": {
            "scans": todo,
            "peak_mib": round(last.peak_mib, 1),
            "seconds_a_scan": round(last.seconds / todo, 4),
            "processor_seconds_a_scan": round(last.processor_seconds / todo, 4),
            **found,
        },
    }
    write("encoding_many", result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
