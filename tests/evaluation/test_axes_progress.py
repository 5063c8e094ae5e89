"""What the search for axes says of its progress."""

from types import SimpleNamespace

import numpy as np

from medvae.encoding.axes import PersonAxes
from medvae.evaluation import run_axes


def test_preparing_and_copying_are_counted_as_one_work(monkeypatch, tmp_path):
    scans = ["a", "b", "c"]
    settings = SimpleNamespace(dispersion=1.0, grid=None, model_digest="a")
    axes = PersonAxes(np.zeros(1), np.ones((1, 1)), np.ones((1, 1)))

    def counted(progress):
        for done, name in enumerate(scans, 1):
            progress(done, len(scans), name)

    for name, made in {
        "Encoder": SimpleNamespace(load=lambda run: settings),
        "scans_learned": lambda run, cohort: scans,
        "load_config": lambda path: settings,
        "open_noise": lambda name, dispersion: (None, ""),
        "prepare_scans": lambda *a: counted(a[-1]),
        "fit_person_axes": lambda *a, progress, **k: counted(progress) or axes,
    }.items():
        monkeypatch.setattr(run_axes, name, made)
    told = []
    found = run_axes.fit_run_axes(
        tmp_path, None, progress=lambda *one: told.append(one)
    )
    assert found.model_digest == "a"
    assert told == [(k + 1, 6, scans[k % 3]) for k in range(6)]
