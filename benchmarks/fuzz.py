"""Feed every reader damaged files for as long as it is let, and keep what it trips on.

    python benchmarks/fuzz.py --minutes 60                  # changed valid files
    python benchmarks/fuzz.py --atheris scan --minutes 10   # led by coverage

The readers and the changes are those of tests/reliability. A finding is an exception
that is not the user's error, or more than ten seconds; it is written to
results/fuzz.json with the bytes that led to it, and belongs into
tests/reliability/findings.py once it is mended.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULT = HERE / "results" / "fuzz.json"
sys.path[:0] = [str(HERE.parent / "tests" / "reliability"), str(HERE.parent)]

SLOW_S = 10.0
KEPT = 3  # findings of one kind


def fuzz(minutes: float, names: Sequence[str], seed: int) -> dict[str, Any]:
    """Changed valid files, the readers in turn, each for an equal share of the time."""
    from mangling import mangled
    from readers import READERS

    found: dict[str, Any] = {}
    for name in names or list(READERS):
        reader, rng = READERS[name], random.Random(f"{seed} {name}")
        seeds = reader.seeds()
        counts = {"inputs": 0, "taken": 0, "refused": 0}
        findings: dict[str, list[str]] = {}
        end = time.monotonic() + 60 * minutes / len(names or READERS)
        while time.monotonic() < end:
            content = mangled(rng.choice(seeds), rng)
            kind = _fed(reader, content, counts)
            if kind is not None:
                kept = findings.setdefault(kind, [])
                if len(kept) < KEPT:
                    kept.append(base64.b64encode(content[:4000]).decode())
        found[name] = counts | {"findings": findings}
        print(f"{name}: {counts}, {len(findings)} kinds of findings", flush=True)
    return found


def _fed(reader: Any, content: bytes, counts: dict[str, int]) -> str | None:  # noqa: ANN401 (a Reader)
    """Feed one input; the kind of finding, or None."""
    counts["inputs"] += 1
    started = time.process_time()
    try:
        counts["taken" if reader.feed(content) else "refused"] += 1
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
    spent = time.process_time() - started
    return f"slow, {spent:.0f} s" if spent > SLOW_S else None


def fuzz_with_atheris(name: str, minutes: float) -> None:
    """One reader, led by coverage; ends at the first finding (libFuzzer's way)."""
    import atheris

    with atheris.instrument_imports(
        include=["medvae", "noise_models", "nibabel", "yaml"]
    ):
        from readers import READERS
    reader = READERS[name]
    corpus = HERE.parent / "build" / "fuzz" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(reader.seeds()):
        (corpus / f"seed-{number}").write_bytes(content)
    words = [sys.argv[0], f"-max_total_time={int(60 * minutes)}", "-max_len=65536"]
    atheris.Setup([*words, str(corpus)], lambda data: reader.feed(data) and None)
    atheris.Fuzz()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument(
        "--readers", default="", help="Comma-separated; all by default."
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", metavar="READER")
    parser.add_argument("-o", "--out", type=Path, default=RESULT)
    given = parser.parse_args(arguments)
    if given.atheris:
        fuzz_with_atheris(given.atheris, given.minutes)
        return
    names = [name for name in given.readers.split(",") if name]
    found = fuzz(given.minutes, names, given.seed)
    content = {
        "command": f"python benchmarks/fuzz.py --minutes {given.minutes:g}",
        "seed": given.seed,
        "minutes": given.minutes,
        "inputs": sum(one["inputs"] for one in found.values()),
        "readers": found,
    }
    given.out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
