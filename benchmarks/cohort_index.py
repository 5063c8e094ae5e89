"""Indexing a cohort of header-only scans, and finding it again.

    python benchmarks/cohort_index.py [--scans 100000] [--runs 3]

Makes a BIDS tree of files that are header and hole. Every timing is a process of its
own, started anew, and its peak memory that of the process. Writes
benchmarks/results/cohort_index.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cohort_parts.tree import SITES, make_tree
from measured.ratios import spread
from measured.result import header, write

ONE = """
import json, resource, sys, time
start, busy = time.perf_counter(), time.process_time()
from pathlib import Path
from medvae.cohort import examined_cohort
found = examined_cohort(
    sys.argv[1], header_only=True, cache=Path(sys.argv[2])
).cohort
print(json.dumps({
    "scans": len(found), "sites": len(found.sites), "problems": len(found.problems),
    "seconds": time.perf_counter() - start,
    "processor_seconds": time.process_time() - busy,
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""
TARGETS = {"first_seconds": 60, "peak_mib": 1024, "again_seconds": 2}


def one(tree: Path, cache: Path) -> dict[str, Any]:
    """Index the tree in a new process."""
    command = [sys.executable, "-c", ONE, str(tree), str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Make the tree, index it, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    before = header(
        f"cohort_index.py --scans {args.scans} --runs {args.runs}", "nibabel"
    )
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        make_tree(tree, args.scans)
        pairs = []
        for number in range(args.runs):
            cache = Path(folder) / f"cache{number}"
            pairs.append((one(tree, cache), one(tree, cache)))
    kinds = dict(zip(("first", "again"), zip(*pairs, strict=True), strict=True))
    result = {
        **before,
        "scans": args.scans,
        "sites": SITES,
        "targets": TARGETS,
        **{
            kind: {
                name: spread([run[name] for run in runs])
                for name in ("seconds", "processor_seconds", "peak_mib")
            }
            for kind, runs in kinds.items()
        },
        "found": pairs[0][1]["scans"],
    }
    write("cohort_index", result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
