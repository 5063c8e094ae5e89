"""The per-scan work on a Dask cluster: equal numbers, and no fear of a dead worker."""

import os
import signal

import numpy as np
import pytest
from simulated_head import SHARP, STEP, WORSE, scan

from noise_models.scanner import fit, save_scanner

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
    save_scanner(fit(scans, goodness=False, calibration=False, **options), path)
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


def test_an_address_where_nothing_answers_is_named(few, monkeypatch):
    monkeypatch.setattr("noise_models.scanner.task_pool._PATIENCE_SECONDS", 0.5)
    with pytest.raises(ValueError, match=r"--dask tcp://127\.0\.0\.1:1: no scheduler"):
        fit(few, dask="tcp://127.0.0.1:1", goodness=False, calibration=False)


def test_processes_and_threads_change_no_digit(few, tmp_path):
    np.testing.assert_equal(
        fitted(few, tmp_path / "two.yaml", jobs=2), fitted(few, tmp_path / "one.yaml")
    )
