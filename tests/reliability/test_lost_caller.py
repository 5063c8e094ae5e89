"""A killed command leaves no process of its own behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scan_bytes import head, scan, written

ROOT = Path(__file__).parents[2]

READERS = """
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
# Workers that are busy, as those of a fit or a comparison are when it is killed.
BUSY = """
import os, signal, sys, time
from pathlib import Path
from joblib import delayed
from noise_models.workers import workers
signal.signal(signal.SIGINT, signal.default_int_handler)  # off in a shell's background
def work(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(60)
def wait():
    while len(os.listdir(sys.argv[1])) < 2:
        time.sleep(0.05)
    print(*os.listdir(sys.argv[1]), flush=True)
"""
IN_ORDER = """
import threading
threading.Thread(target=wait).start()
list(workers(2)(delayed(work)(sys.argv[1]) for _ in range(2)))
"""
FIT = """
import threading
from noise_models.scanner.task_pool import TaskPool
threading.Thread(target=wait).start()
TaskPool(2, 2, None).run([("a", delayed(work)(sys.argv[1]))] * 2)
"""
POOL = re.compile(r"(Parallel|_Workers)\(\s*n_jobs")
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="needs /proc"
)


@needs_proc
@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_readers_end_with_the_command_that_started_them(kill, tmp_path):
    for i in range(6):
        written(scan(head() * (i + 1)), f"{i}.nii")(tmp_path)
    with started(READERS, tmp_path) as caller:
        readers = told(caller)
        caller.send_signal(kill)
    assert len(readers) == 2
    assert not left_after_a_while(readers)


@needs_proc
@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("task", [IN_ORDER, FIT], ids=["pool", "fit"])
def test_busy_workers_end_with_the_command_that_started_them(kill, task, tmp_path):
    with started(BUSY + task, tmp_path) as caller:
        busy = told(caller)
        caller.send_signal(kill)
    assert len(busy) == 2
    assert not left_after_a_while(busy)


@needs_proc
def test_after_ctrl_c_workers_are_gone_and_only_the_caller_speaks(tmp_path):
    with started(BUSY + IN_ORDER, tmp_path, start_new_session=True) as caller:
        busy = told(caller)
        os.killpg(caller.pid, signal.SIGINT)  # as a terminal does: to all of them
        said = caller.communicate(timeout=30)[1]
    assert not left_after_a_while(busy)
    assert caller.returncode != 0
    assert said.count("Traceback") == 1
    assert said.rstrip().endswith("KeyboardInterrupt")


def test_every_pool_is_of_workers_that_watch_their_caller():
    elsewhere = {
        str(path.relative_to(ROOT))
        for package in ("medvae", "noise_models")
        for path in (ROOT / package).rglob("*.py")
        if re.search(
            r"(Parallel|_Workers)\(\s*n_jobs", text := path.read_text(encoding="utf-8")
        )
        or ("ProcessPoolExecutor(" in text and "serve_caller" not in text)
    }
    # On a Dask cluster the workers are the cluster's.
    assert elsewhere == {
        "noise_models/workers.py",
        "noise_models/scanner/task_pool.py",
    }


def started(script, folder, **options):
    words = [sys.executable, "-c", script, folder]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, text=True, **pipes, **options)


def told(caller):
    return [int(word) for word in caller.stdout.readline().split()]


def left_after_a_while(processes):
    late = time.monotonic() + 20
    while time.monotonic() < late and any(map(is_running, processes)):
        time.sleep(0.1)
    left = [process for process in processes if is_running(process)]
    for process in left:
        os.kill(process, signal.SIGKILL)
    return left


def is_running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")")[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # ended, and nobody has asked yet
