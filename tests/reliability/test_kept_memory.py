"""What a command frees serves its next array: no page is asked for again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from joblib import delayed

from noise_models.workers import workers

TOUCH = """
import os, resource
{first}
def touch():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for mb in (40, 80):  # above and below twice what glibc would keep by itself
        b"x" * (mb << 20)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * 4096 / 2**20
touch()
print(touch())
"""
KEPT = "from noise_models.kept_memory import keep_freed_memory; keep_freed_memory()"
WORKER = "from noise_models.workers import serve_caller; serve_caller()"


def touched_again(first, **env):
    """Megabytes that come anew from the system when arrays are made a second time."""
    done = subprocess.run(
        [sys.executable, "-c", TOUCH.format(first=first)],
        capture_output=True,
        text=True,
        check=True,
        env={k: v for k, v in os.environ.items() if "MALLOC" not in k} | env,
    )
    return float(done.stdout)


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="of glibc")


@pytest.mark.parametrize("first", [KEPT, WORKER], ids=["command", "worker"])
def test_arrays_made_again_take_the_pages_of_those_before(first):
    assert touched_again("") > 100
    assert touched_again(first) < 2


@pytest.mark.parametrize(
    "own",
    [
        {"MALLOC_ARENA_MAX": "1"},
        {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"},
    ],
    ids=str,
)
def test_settings_of_the_user_are_left_alone(own):
    assert touched_again(KEPT, **own) > 100


def begun_with(megabytes):
    """Memory of the process at the start of a task that uses some and frees it."""
    before = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
    b"x" * (megabytes << 20)
    return before


def test_between_tasks_a_worker_keeps_nothing_that_looks_like_a_leak():
    held = list(workers(2)(delayed(begun_with)(400) for _ in range(8)))
    assert max(held) < min(held) + 100
