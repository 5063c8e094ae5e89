"""Cost of one estimate against reading the scan and one Fourier transform of it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from measured.ratios import ratio
from measured.result import machine
from scipy import fft

from fit_parts.pools import second
from fit_parts.simulator import Machine, scan
from medvae.threads import one_thread
from noise_models.scanner.scans import estimate_cached, read_scan

SHAPE = (256, 256, 192)


@one_thread
def speed(runs: int) -> dict[str, Any]:
    """Medians over interleaved runs, one thread each; target at most 6."""
    where = machine()
    made = scan(0, Machine(voxel_mm=(1, 1, 1), fine_mm=(1, 1, 1)))
    before = [(n - m) // 2 for n, m in zip(SHAPE, made.image.shape, strict=True)]
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, *SHAPE)) * made.sigma * 400
    image = np.rint(np.hypot(*noise))
    inner = tuple(
        slice(max(b, 0), max(b, 0) + min(n, m))
        for b, n, m in zip(before, SHAPE, made.image.shape, strict=True)
    )
    cut = tuple(
        slice(max(-b, 0), max(-b, 0) + min(n, m))
        for b, n, m in zip(before, SHAPE, made.image.shape, strict=True)
    )
    image[inner] = made.image[cut]
    clock = time.process_time
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.nii.gz"
        nib.save(nib.Nifti1Image(image.astype(np.int16), np.eye(4)), path)
        for _ in range(runs + 1):
            start = clock()
            data, _ = read_scan(path)
            data = np.asarray(data, np.float32)
            fft.rfftn(data)
            floor = clock() - start
            start = clock()
            estimate_cached(path, path.name)
            seconds.append((clock() - start, floor))
    ours, floors = np.array(seconds[1:]).T
    return {
        "machine": where,
        "clock": "processor",
        "threads": 1,
        "shape": list(SHAPE),
        "seconds": float(np.median(ours)),
        "floor_seconds": float(np.median(floors)),
        "ratio": {
            **ratio(ours.tolist(), floors.tolist()),
            "min": float((ours / floors).min()),
            "max": float((ours / floors).max()),
        },
        "runs": runs,
        "target": 6,
    }


@one_thread
def linearity(few: int, many: int) -> dict[str, Any]:
    """Processor seconds a scan of few and of many, first time and from the cache."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        found: dict[str, Any] = {}
        start = 0
        for count in (few, many):
            scans = [second(start + k, Machine()) for k in range(count)]
            start += count
            pairs = [(s["image"], s["spacing"]) for s in scans]
            for state in ("first", "again"):
                begun = time.process_time()
                for k, one in enumerate(pairs):
                    estimate_cached(one, str(k), "S", cache)
                seconds = (time.process_time() - begun) / count
                found[f"{count} scans, {state}"] = {"seconds_per_scan": seconds}
    return found
