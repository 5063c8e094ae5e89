"""The per-scan work on a Dask cluster: equal numbers, and no fear of a dead worker."""

import os
import signal
import time
from collections import Counter

import numpy as np
import pytest
from joblib import delayed
from simulated_head import SHARP, STEP, WORSE, scan

from noise_models.scanner import fit, save_scanner
from noise_models.scanner.task_pool import TaskPool

distributed = pytest.importorskip("distributed", reason="needs the extra dask")


@pytest.fixture(scope="module")
def few():
    """Two sites of three small scans."""
    return {
        "sharp": [(scan(s, SHARP)[::2, ::2, ::2], _coarse()) for s in range(3)],
        "worse": [(scan(50 + s, WORSE)[::2, ::2, ::2], _coarse()) for s in range(3)],
    }


def _coarse():
    return tuple(2 * step for step in STEP)


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as made:
        yield made


def fitted(scans, path, **options):
    options = {"calibration": False, **options}
    save_scanner(fit(scans, goodness=False, **options), path)
    return path.read_text()


def test_workers_find_what_one_process_finds_and_a_dead_one_changes_nothing(
    few, cluster, tmp_path
):
    alone = fitted(few, tmp_path / "alone.yaml")
    killed = []

    def kill_one(done, total, label):
        if not killed:
            worker = next(iter(cluster.workers.values()))
            killed.append(worker.process.pid)
            os.kill(killed[0], signal.SIGKILL)

    together = fitted(
        few, tmp_path / "dask.yaml", dask=cluster.scheduler_address, progress=kill_one
    )
    assert killed
    assert together == alone


@pytest.mark.study  # two minutes: everything is calibrated twice
def test_calibration_on_workers_changes_no_digit(few, cluster, tmp_path):
    address = cluster.scheduler_address
    last = {"sharp": (3, SHARP), "worse": (53, WORSE)}  # a fourth: enough to calibrate
    scans = {
        site: [*few[site], (scan(*what)[::2, ::2, ::2], _coarse())]
        for site, what in last.items()
    }
    alone = fitted(scans, tmp_path / "alone.yaml", calibration=True)
    assert alone != fitted(scans, tmp_path / "plain.yaml")
    together = fitted(scans, tmp_path / "dask.yaml", calibration=True, dask=address)
    assert together == alone


def test_a_dead_worker_costs_the_task_it_was_at_and_no_other(cluster, tmp_path):
    names = [f"task{k}" for k in range(10)]
    begun, ended, hit = tmp_path / "begun", tmp_path / "ended", set()
    begun.mkdir()
    ended.mkdir()

    def work(name):  # says when it begins and ends, and where
        mark = f"{name}-{os.getpid()}-{time.time_ns()}"
        (begun / mark).touch()
        time.sleep(0.5)
        (ended / mark).touch()
        return name

    def marks(folder):
        return {path.name for path in folder.iterdir()}

    def kill_one(done, total, label):
        if hit or done < 3:
            return
        time.sleep(0.8)  # into the second task from here, the first one handed over
        while not (at_work := marks(begun) - marks(ended)):
            time.sleep(0.01)
        name, pid, _ = max(at_work, key=lambda mark: mark.split("-")[2]).split("-")
        os.kill(int(pid), signal.SIGKILL)
        hit.add(name)

    pool = TaskPool(1, len(names), kill_one, cluster.scheduler_address)
    assert pool.run((name, delayed(work)(name)) for name in names) == names
    counts = Counter(mark.split("-")[0] for mark in marks(begun))
    assert {name for name, count in counts.items() if count > 1} == hit
    assert counts.total() == len(names) + 1


def test_an_address_where_nothing_answers_is_named(few, monkeypatch):
    monkeypatch.setattr("noise_models.scanner.task_pool._PATIENCE_SECONDS", 0.5)
    with pytest.raises(ValueError, match=r"--dask tcp://127\.0\.0\.1:1: no scheduler"):
        fit(few, dask="tcp://127.0.0.1:1", goodness=False, calibration=False)


def test_processes_and_threads_change_no_digit(few, tmp_path):
    np.testing.assert_equal(
        fitted(few, tmp_path / "two.yaml", jobs=2), fitted(few, tmp_path / "one.yaml")
    )
