"""How long `medvae --help` takes, against importing what any typed CLI needs.

    python benchmarks/startup.py [--runs 15]

Both are whole processes, timed in turn on the same machine; the target is a median
ratio of at most 2. Writes benchmarks/results/startup.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "startup.json"
FLOOR = "import typer, rich.console, rich.table, pydantic"
HELP = (
    "import sys; sys.argv = ['medvae', '--help']; import medvae.cli; medvae.cli.main()"
)
TARGET = 2.0


def seconds(code: str) -> float:
    """Wall time of one Python process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Time both in turn, print and write the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    seconds(FLOOR), seconds(HELP)  # warm the file cache
    pairs = [(seconds(HELP), seconds(FLOOR)) for _ in range(runs)]
    ratios = sorted(ours / floor for ours, floor in pairs)
    result = {
        "command": f"python benchmarks/startup.py --runs {runs}",
        "runs": runs,
        "help_seconds": statistics.median(ours for ours, _ in pairs),
        "floor_seconds": statistics.median(floor for _, floor in pairs),
        "ratio": {
            "median": statistics.median(ratios),
            "min": ratios[0],
            "max": ratios[-1],
        },
        "target": TARGET,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
