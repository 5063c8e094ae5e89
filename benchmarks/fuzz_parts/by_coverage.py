"""One reader fed by atheris, which keeps what reaches new lines; a program of its own.

    python benchmarks/fuzz_parts/by_coverage.py READER SECONDS CORPUS RESULT

libFuzzer never returns, so the process ends itself when the time is over.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1]
LED = ["medvae", "noise_models", "nibabel", "yaml", "safetensors"]


def main(name: str, seconds: str, corpus: str, result: str) -> None:
    """Feed one reader for a while and write what came of it."""
    import atheris

    from fuzz_parts.tally import Tally

    with atheris.instrument_imports(include=LED):
        from readers import READERS
    reader, tally = READERS[name], Tally()
    place = Path(corpus)
    place.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(reader.seeds()):
        (place / f"seed-{number}").write_bytes(content)
    started = time.process_time()

    def feed(content: bytes) -> None:
        tally.feed(reader, content)
        tally.seconds = time.process_time() - started
        if tally.seconds > float(seconds):
            Path(result).write_text(json.dumps(tally.as_dict()), encoding="utf-8")
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
