"""The share of covered branches is gated by itself, not averaged with that of lines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "branches.py"


@pytest.mark.parametrize(
    ("covered", "of", "code", "says"),
    [
        (96, 100, 0, "branch coverage 96.00 % (96 of 100), least 96 %\n"),
        (959, 1000, 1, "branch coverage 95.90 % (959 of 1000), least 96 %\n  40 miss"),
        (0, 0, 1, "no branch was measured"),
    ],
)
def test_too_few_covered_branches_fail(covered, of, code, says, tmp_path):
    totals = {"covered_branches": covered, "num_branches": of, "percent_covered": 99.0}
    files = {n: {"summary": {"missing_branches": m}} for n, m in (("a", 1), ("b", 40))}
    report = tmp_path / "coverage.json"
    report.write_text(json.dumps({"totals": totals, "files": files}))
    words = [sys.executable, SCRIPT, report]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout.startswith(says)


def test_make_check_looks_at_branches():
    rules = (SCRIPT.parents[1] / "Makefile").read_text()
    assert "--cov-report=json:build/coverage.json" in rules
    assert ".ci/branches.py build/coverage.json" in rules
