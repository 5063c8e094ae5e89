"""Feed every reader damaged files for as long as it is let, and keep what it trips on.

    python benchmarks/fuzz.py --minutes 60              # changed valid files
    python benchmarks/fuzz.py --atheris --minutes 16    # led by coverage; needs atheris

The readers and the changes are those of tests/reliability; minutes are of processor
time. A run that was stopped goes on where it was. A finding is an exception that is not
the user's error, a lack of memory, or more than ten seconds; it is written to
results/fuzz.json with the bytes that led to it, and belongs into
tests/reliability/findings.py once it is mended.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "reliability"))
sys.path.insert(0, str(Path(__file__).parent))
from fuzz_parts.by_chance import fuzz_by_chance
from fuzz_parts.tally import Tally

HERE = Path(__file__).parent
RESULT = HERE / "results" / "fuzz.json"
CORPUS = HERE.parent / "build" / "fuzz"
PARSERS = (
    "settings", "preset", "fitted", "table", "datalist", "scan", "config", "weights"
)  # fmt: skip
"""What atheris is let loose on: parsers in Python, whose lines it can watch."""


def by_chance(given: argparse.Namespace) -> None:
    """Every reader; go on with the tallies of the same seed."""
    import torch
    from readers import READERS

    torch.set_num_threads(1)
    before = _known(given.out).get("by_chance", {})
    known = before.get("readers", {}) if before.get("seed") == given.seed else {}
    names = [n for n in given.readers.split(",") if n] or list(READERS)
    tallies = {name: Tally(**known.get(name, {})) for name in names}

    def keep() -> None:
        found = known | {name: tally.as_dict() for name, tally in tallies.items()}
        _write(given.out, "by_chance", given, found)

    fuzz_by_chance(tallies, given.minutes, given.seed, keep)
    keep()


def by_coverage(given: argparse.Namespace) -> None:
    """The pure parsers, a process each; those of an earlier run are kept."""
    found = _known(given.out).get("by_coverage", {}).get("readers", {})
    names = [n for n in given.readers.split(",") if n] or list(PARSERS)
    for name in names:
        (CORPUS / f"{name}.json").unlink(missing_ok=True)
    program = HERE / "fuzz_parts" / "by_coverage.py"
    words = [f"{60 * given.minutes / len(names):g}", str(CORPUS), *names]
    line = [sys.executable, str(program), *words]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}\n{done.stderr[-3000:]}")
    for name in names:
        found[name] = _led(name)
        _write(given.out, "by_coverage", given, found)


def _led(name: str) -> dict[str, Any]:
    outcome = CORPUS / f"{name}.json"
    log = (CORPUS / f"{name}.log").read_text(encoding="utf-8", errors="replace")
    if not outcome.exists():
        raise RuntimeError(f"{name} ended before its time:\n{log[-3000:]}")
    reached = [int(n) for n in re.findall(r"\bcov: (\d+)", log)]
    counts: dict[str, Any] = json.loads(outcome.read_text(encoding="utf-8"))
    return counts | {"branches_first": reached[0], "branches_last": reached[-1]}


def _known(path: Path) -> dict[str, Any]:
    known: dict[str, Any] = {}
    if path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))
    return known


def _write(path: Path, way: str, given: argparse.Namespace, found: Any) -> None:  # noqa: ANN401 (counts by reader)
    content = _known(path) | {
        way: {
            "command": f"python benchmarks/fuzz.py {shlex.join(given.words)}",
            "seed": given.seed,
            "minutes": round(sum(one["seconds"] for one in found.values()) / 60, 1),
            "inputs": sum(one["inputs"] for one in found.values()),
            "readers": found,
        }
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    kinds = sum(len(one["findings"]) for one in found.values())
    told = content[way]
    print(
        f"{way}: {told['minutes']} min, {told['inputs']} inputs, {kinds} findings",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60, help="Of processor time.")
    parser.add_argument("--readers", default="", help="Comma-separated; else all.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true", help="Led by coverage.")
    parser.add_argument("-o", "--out", type=Path, default=RESULT)
    given = parser.parse_args(arguments)
    given.words = sys.argv[1:] if arguments is None else list(arguments)
    (by_coverage if given.atheris else by_chance)(given)


if __name__ == "__main__":
    main()
