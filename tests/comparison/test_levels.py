"""What is kept of an arm's corruption is that of the arm as it is now."""

from types import SimpleNamespace

import numpy as np
import pytest

from medvae.comparison.plan import Arm, Plan
from medvae.comparison.stage import Stage
from medvae.comparison.unit import axes_name
from medvae.noise.energy import Sample


@pytest.fixture
def stage(tmp_path, monkeypatch):
    arms = (Arm(name="scanner", noise="scanner"), Arm(name="mine"))
    store = SimpleNamespace(grid=SimpleNamespace(spacing_mm=(4.0, 4.0, 4.0)))
    made = Stage(Plan(arms=arms), None, store, 0, tmp_path, tmp_path, 1, None)
    image = np.random.default_rng(0).random((16, 16, 16), np.float32)
    head = Sample(image, np.ones(image.shape, bool))
    made.__dict__["samples"] = [head]
    monkeypatch.setattr(Stage, "_wanted", lambda self: 0.01)
    return made


def test_levels_of_another_corruption_under_the_same_name_are_not_taken(stage):
    gaussian = Arm(name="mine", noise="gaussian")
    first = stage.noise(gaussian)
    assert first.name == "gaussian"
    factor = stage.level_factor(gaussian)
    assert factor > 0
    other = Arm(name="mine", noise="salt_and_pepper")
    assert stage.level_factor(other) is None
    assert stage.noise(other).name == "salt_and_pepper"
    assert stage.noise(gaussian) == first
    assert stage.level_factor(gaussian) == factor
    assert stage.level_factor(Arm(name="mine", noise="scanner")) is None


def test_a_kill_between_level_and_factor_loses_neither(stage, monkeypatch):
    arm = Arm(name="mine", noise="gaussian")

    def killed(*_):
        raise KeyboardInterrupt

    for writer in ("freeze", "write_json"):
        with monkeypatch.context() as patch:
            patch.setattr(f"medvae.comparison.stage.{writer}", killed)
            with pytest.raises(KeyboardInterrupt):
                stage.noise(arm)
    stage.noise(arm)
    assert stage.level_factor(arm) > 0


def test_axes_of_other_copies_are_kept_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    presets = tmp_path / "a.yaml", tmp_path / "b" / "a.yaml"
    for level, path in enumerate(presets, start=1):
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"model: gaussian\nsigma: 0.{level}\n")
    along = {"name": "along", "baseline": "axes", "of": "none"}
    noises = [
        *({"noise": "scanner", "dispersion": wide} for wide in (1.0, 2.0)),
        {"noise": "scanner", "regime": "fitted"},
        *({"noise": str(path)} for path in presets),
    ]
    names = [axes_name(Arm(**along, **noise)) for noise in noises]
    assert names[0] == "axes-scanner-unseen.safetensors"
    assert len(set(names)) == len(names)
    fewer = Arm(**along, **noises[0], axes=3)
    assert axes_name(fewer) == names[0]
