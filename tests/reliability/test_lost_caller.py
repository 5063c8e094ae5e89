"""A killed command leaves no process of its own behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scan_bytes import head, scan, written

READ_ONE = """
import sys, time, multiprocessing
from pathlib import Path
from medvae.encoding.reading import read_ahead
from medvae.volume import Grid
scans = sorted(Path(sys.argv[1]).rglob("*.nii"))
arrivals = read_ahead(scans, Grid((16,) * 3, (12.0,) * 3), jobs=2, ahead=9)
for _ in range(6):
    next(arrivals)
print(*(p.pid for p in multiprocessing.active_children()), flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_readers_end_with_the_command_that_started_them(kill, tmp_path):
    for i in range(6):
        written(scan(head() * (i + 1)), f"{i}.nii")(tmp_path)
    words = [sys.executable, "-c", READ_ONE, tmp_path]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as caller:
        readers = [int(word) for word in caller.stdout.readline().split()]
        caller.send_signal(kill)
    late = time.monotonic() + 20
    while time.monotonic() < late and any(map(is_running, readers)):
        time.sleep(0.1)
    assert len(readers) == 2
    left = [reader for reader in readers if is_running(reader)]
    for reader in left:
        os.kill(reader, signal.SIGKILL)
    assert not left


def is_running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")")[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # ended, and nobody has asked yet
