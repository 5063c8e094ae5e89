"""make audit fails for a known hole, and goes on where nothing can be said."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINNED = (ROOT / "constraints.txt").read_text(encoding="utf-8").count("==")
SKIPPED = "echo 'numpy  Dependency not found on PyPI and could not be audited: numpy'\n"


def audited(place, script):
    """Exit code and words of ``make audit`` where pip-audit is this script."""
    (place / "bin").mkdir()
    (place / ".ready").touch()
    if script is not None:
        (place / "bin" / "pip-audit").write_text(f"#!/bin/sh\n{script}")
        (place / "bin" / "pip-audit").chmod(0o755)
    os.utime(place / ".ready", (4e9, 4e9))  # newer than what it is made of
    make = ["make", "--no-print-directory", "audit", f"VENV={place}"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        (None, 0, "pip-audit is not installed: nothing audited"),
        ("echo 'No known vulnerabilities found'", 0, f"{PINNED} of {PINNED} pinned"),
        (SKIPPED * 3, 0, f"{PINNED - 3} of {PINNED} pinned"),
        ("echo 'ConnectionError: no answer'; exit 1", 0, "did not answer"),
        ("exit 1", 0, "nothing audited"),
        ("echo 'Found 2 known vulnerabilities in 1 package'; exit 1", 2, "Found 2"),
    ],
    ids=["not-installed", "clean", "partly", "no-answer", "no-word", "hole"],
)
def test_an_audit_fails_for_a_hole_alone(script, code, says, tmp_path):
    ended, told = audited(tmp_path, script)
    assert ended == code
    assert says in told
