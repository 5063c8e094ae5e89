"""fit-noise on few scans and on many: time a scan, and peak memory.

    python benchmarks/fit_scale.py [--few 10] [--many 300] [--runs 2]

Small heads of the second simulator, every one with a seed of its own, as files. Both
counts are fitted in processes of their own, in turn, one job, nothing remembered;
goodness and calibration, which look at a fixed number of scans, are left out. Writes
benchmarks/results/fit_scale.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from fit_parts.simulator import Machine, scan
from measured.ratios import ratio, spread
from measured.result import header, write

ONE = """
import json, resource, sys, time
from pathlib import Path
from noise_models.scanner import fit
files = sorted(Path(sys.argv[1]).glob("*.nii"))[: int(sys.argv[2])]
half = len(files) // 2
busy = time.process_time()
fit({"A": files[:half], "B": files[half:]}, goodness=False, calibration=False)
print(json.dumps({
    "seconds_per_scan": (time.process_time() - busy) / len(files),
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def one(folder: Path, count: int) -> dict[str, float]:
    """Fit ``count`` scans in a new process."""
    command = [sys.executable, "-c", ONE, str(folder), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Simulate, fit both counts in turn, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--many", type=int, default=300)
    parser.add_argument("--runs", type=int, default=2)
    args = parser.parse_args()
    options = f"--few {args.few} --many {args.many} --runs {args.runs}"
    before = header(f"fit_scale.py {options}", "numpy", "scipy", "torch")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        machine = Machine(voxel_mm=(4.0, 4.0, 4.0), fine_mm=(4.0, 4.0, 4.0))
        for number in range(args.many):
            made = scan(number, machine)
            image = nib.Nifti1Image(
                made.image.astype(np.int16), np.diag([4.0, 4.0, 4.0, 1.0])
            )
            nib.save(image, folder / f"{number:05d}.nii")
        pairs: list[tuple[Any, Any]] = [
            (one(folder, args.few), one(folder, args.many)) for _ in range(args.runs)
        ]
    few, many = zip(*pairs, strict=True)
    result = {
        **before,
        "counts": [args.few, args.many],
        "time_ratio": ratio(*_both(many, few, "seconds_per_scan")),
        "memory_ratio": ratio(*_both(many, few, "peak_mib")),
        "seconds_per_scan": spread([run["seconds_per_scan"] for run in many]),
        "peak_mib": spread([run["peak_mib"] for run in many]),
    }
    write("fit_scale", result)
    print(json.dumps(result, indent=2))


def _both(
    many: tuple[dict[str, float], ...], few: tuple[dict[str, float], ...], key: str
) -> tuple[list[float], list[float]]:
    return [run[key] for run in many], [run[key] for run in few]


if __name__ == "__main__":
    main()
