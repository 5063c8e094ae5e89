"""A scan of 512 voxels a side fits into 4 GiB when it is encoded by windows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "encoding_large.py"
SMALL = ("--no-record", "--channels", "2", "4")


def encoded(side):
    done = subprocess.run(
        [sys.executable, SCRIPT, *SMALL, "--side", str(side)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["code"][1:] >= [side // 4] * 3  # all of it, not the head alone
    return found["peak_mib"]


@pytest.mark.study
def test_512_voxels_a_side_need_less_than_4_gib():
    assert encoded(512) < 4096
