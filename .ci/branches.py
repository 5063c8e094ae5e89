"""Fail where too few branches are covered: coverage's own limit averages in lines.

Usage: python .ci/branches.py COVERAGE.JSON
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

LEAST = 96.0  # per cent; at least 97.5 were covered when this was set
SHOWN = 10  # modules, when it fails


def judged(report: dict) -> tuple[str, bool]:
    """What is said of a report of coverage's, and whether enough is covered."""
    total = report["totals"]
    covered, every = total["covered_branches"], total["num_branches"]
    if not every:
        return "no branch was measured: run coverage with branch = true", False
    share = 100 * covered / every
    told = f"branch coverage {share:.2f} % ({covered} of {every}), least {LEAST:g} %"
    if share >= LEAST:
        return told, True
    missing = {
        name: found["summary"]["missing_branches"]
        for name, found in report["files"].items()
    }
    worst = sorted(missing, key=missing.get, reverse=True)[:SHOWN]
    return "\n".join([told, *(f"  {missing[m]} missing in {m}" for m in worst)]), False


if __name__ == "__main__":
    words, is_enough = judged(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    sys.stdout.write(words + "\n")
    sys.exit(not is_enough)
