"""Readers fed by atheris, which keeps what reaches new lines; a program of its own.

    python benchmarks/fuzz_parts/by_coverage.py SECONDS FOLDER READER...

What they use is instrumented once. libFuzzer never returns, so each reader has a
process forked from this one, which ends itself when the time is over: counts are in
FOLDER/READER.json, libFuzzer's words in FOLDER/READER.log.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parents[1]
LED = ["medvae", "noise_models", "nibabel", "yaml", "safetensors"]


def main(seconds: str, folder: str, *names: str) -> None:
    """Feed each reader for a while and write what came of it."""
    import atheris

    with atheris.instrument_imports(include=LED):
        from readers import READERS
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        child = os.fork()
        if child == 0:
            with Path(folder, f"{name}.log").open("wb") as log:
                os.dup2(log.fileno(), 2)
            _feed(READERS[name], float(seconds), Path(folder, name))
        os.waitpid(child, 0)


def _feed(reader: Any, seconds: float, place: Path) -> None:  # noqa: ANN401 (a Reader)
    import atheris

    from fuzz_parts.tally import Tally

    tally = Tally()
    place.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(reader.seeds()):
        (place / f"seed-{number}").write_bytes(content)
    started = time.process_time()

    def feed(content: bytes) -> None:
        tally.feed(reader, content)
        tally.seconds = time.process_time() - started
        if tally.seconds > seconds:
            counts = json.dumps(tally.as_dict())
            place.with_name(f"{place.name}.json").write_text(counts, encoding="utf-8")
            os._exit(0)

    words = [sys.argv[0], "-max_len=65536", "-timeout=120", "-rss_limit_mb=4096"]
    atheris.Setup([*words, str(place)], feed)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.path[:0] = [
        str(BENCHMARKS.parent / "tests" / "reliability"),
        str(BENCHMARKS.parent),
        str(BENCHMARKS),
    ]
    main(*sys.argv[1:])
