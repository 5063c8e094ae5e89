"""How medvae behaves in a shell: quiet, plain, interrupted, completed."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import pytest
import yaml
from typer.testing import CliRunner

from medvae.cli import after_interruption, heed_every_interrupt
from medvae.cli.app import app
from medvae.errors import UserError
from medvae.model.weights import save_model

sys.path.insert(0, str(Path(__file__).parents[1] / "encoding"))
from small_encoder import head_image, small_encoder

MEDVAE = [sys.executable, "-c", "from medvae.cli import main; main()"]


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_quiet_says_nothing_and_json_still_speaks():
    assert run("--quiet", "config", "show").output == ""
    assert json.loads(run("--quiet", "config", "show", "--json").output)["seed"] == 0
    assert "seed: 0" in run("config", "show").output


def test_the_schema_knows_what_the_settings_refuse(tmp_path):
    run("config", "schema", "-o", tmp_path / "s.json")
    schema = json.loads((tmp_path / "s.json").read_text())
    assert schema["additionalProperties"] is False
    optimiser = schema["$defs"]["OptimiserSettings"]["properties"]
    assert optimiser["epochs"]["minimum"] == 1
    shown = yaml.safe_load(run("config", "show").output)
    assert set(shown) == set(schema["properties"])


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("optimizer.epochs=1", "optimiser"),
        ("optimiser.epoch=1", "epochs"),
        ("network.latent_chanels=1", "latent_channels"),
        ("objective.corruption=1", "corruptions"),
        ("augmentation.rotate=1", "rotate_degrees"),
        ("grid.spacing=[1,1,1]", "spacing_mm"),
        ("loger=csv", "logger"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_nearest_in_any_section(override, nearest):
    with pytest.raises(UserError, match=f"Did you mean '{nearest}'"):
        run("config", "show", "--set", override)


def test_no_colour_in_a_pipe():
    words = [*MEDVAE, "train", "--data", "nowhere"]
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"\x1b" not in done.stderr + done.stdout


def on_a_terminal(words, **extra):
    """What a command writes when its output is a terminal."""
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color"} | extra
    done = subprocess.run(words, stdout=theirs, stderr=theirs, env=env, check=False)
    os.close(theirs)
    told = os.read(ours, 4096)
    os.close(ours)
    assert done.returncode == 2
    return told


def test_a_terminal_has_colour_unless_the_user_wants_none():
    words = [*MEDVAE, "train", "--data", "nowhere"]
    red = b"\x1b[31m"
    assert red in on_a_terminal(words)
    assert red not in on_a_terminal(words, NO_COLOR="1")


def test_completion_is_offered_for_the_shell():
    asked = os.environ | {"_MEDVAE_COMPLETE": "complete_bash"}
    asked |= {"COMP_WORDS": "medvae harm", "COMP_CWORD": "1"}
    program = Path(sys.executable).with_name("medvae")
    if not program.exists():
        pytest.skip("medvae is not installed as a program")
    done = subprocess.run([program], env=asked, capture_output=True, text=True)
    assert done.stdout.split() == ["harmonize"]


def test_every_kind_of_verb_says_how_to_go_on():
    assert after_interruption(["train", "--resume"]).endswith("medvae train --resume")
    told = after_interruption(["-q", "encode", "run", "a b.nii"])
    assert told.endswith("go on with: medvae -q encode run 'a b.nii'")
    for verb in ("decode", "harmonize"):
        assert f"go on with: medvae {verb} run" in after_interruption([verb, "run"])
    told = after_interruption(["noise", "apply", "rician", "a.nii"])
    assert told.endswith("go on with: medvae noise apply rician a.nii")
    assert "start again" in after_interruption(["export", "run"])
    told = after_interruption(["fit-noise", "A", "B"])
    assert told.endswith(
        "What was measured is kept; fit again with: medvae fit-noise A B"
    )


INTERRUPTED_IN_A_FINALISER = """
import signal, sys, time, medvae.cli, medvae.cli.app
signal.signal(signal.SIGINT, signal.default_int_handler)
class Thing:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
def command():
    Thing()
    time.sleep(60)
medvae.cli.app.app = command
sys.argv = ["medvae", "encode", "run"]
medvae.cli.main()
"""


def test_ctrl_c_in_the_clean_up_of_an_object_still_ends_the_command():
    words = [sys.executable, "-c", INTERRUPTED_IN_A_FINALISER]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 130
    assert "go on with: medvae encode run" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_ctrl_c_that_comes_too_late_for_the_command_does_not_spoil_its_end():
    late = INTERRUPTED_IN_A_FINALISER.replace("    time.sleep(60)\n", "")
    late = f"import atexit, time; atexit.register(time.sleep, 0.2)\n{late}"
    done = subprocess.run(
        [sys.executable, "-c", late + "print('ended')"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


def test_what_else_a_clean_up_raises_is_shown(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)

    class Thing:
        def __del__(self):
            raise ValueError

    with heed_every_interrupt():
        Thing()
    assert [lost.exc_type for lost in seen] == [ValueError]
    assert sys.unraisablehook == seen.append


PRESSED_ONCE_A_CODE_IS_THERE = """
import os, signal, sys, threading, time
from pathlib import Path
from medvae.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
out = Path(sys.argv[-1])
def press():
    while not [*out.glob("scan*_latent.json")]:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press, daemon=True).start()
main()
"""
"""By a thread of the command: a process of its own may wait until all is done."""


@pytest.mark.slow
def test_ctrl_c_leaves_finished_codes_and_says_how_to_go_on(tmp_path):
    count = 40
    save_model(small_encoder().vae, tmp_path)
    for i in range(count):
        nib.save(head_image(seed=i), tmp_path / f"scan{i:02d}.nii.gz")
    scans = sorted(map(str, tmp_path.glob("scan*.nii.gz")))
    words = ["encode", str(tmp_path), *scans, "-o", str(tmp_path / "out")]
    pressed = [sys.executable, "-c", PRESSED_ONCE_A_CODE_IS_THERE, *words]
    ended = subprocess.run(
        pressed, stderr=subprocess.PIPE, text=True, check=False, timeout=600
    )
    assert ended.returncode == 130, ended.stderr
    assert "go on with: medvae encode" in ended.stderr
    assert "Traceback" not in ended.stderr
    finished = (tmp_path / "out").glob
    before = {path: path.stat().st_mtime_ns for path in finished("scan*_latent.json")}
    assert 0 < len(before) < count
    subprocess.run([*MEDVAE, *words], check=True, capture_output=True)
    assert len(list(finished("scan*_latent.json"))) == count
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
