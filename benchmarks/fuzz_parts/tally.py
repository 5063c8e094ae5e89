"""What came of feeding one reader: taken, refused, and what it tripped on."""

from __future__ import annotations

import base64
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SLOW_S = 10.0
KEPT = 3  # findings of one kind
KEPT_BYTES = 20_000  # of each


@dataclass
class Tally:
    """Counts of one reader, that grow from slice to slice.

    Args:
        inputs: Files that it was given.
        taken: That it read.
        refused: That it refused as the user's.
        seconds: Of processor time.
        slices: That were finished.
        findings: By kind, the bytes that led to it, in base64.
    """

    inputs: int = 0
    taken: int = 0
    refused: int = 0
    seconds: float = 0.0
    slices: int = 0
    findings: dict[str, list[str]] = field(default_factory=dict)

    def feed(self, reader: Any, content: bytes) -> None:  # noqa: ANN401 (a Reader)
        """Give a reader a file, and note how it took it."""
        self.inputs += 1
        started = time.process_time()
        try:
            if reader.feed(content):
                self.taken += 1
            else:
                self.refused += 1
        except Exception as error:
            self._found(_kind(error), content)
        spent = time.process_time() - started
        if spent > SLOW_S:
            self._found("slow", content)

    def _found(self, kind: str, content: bytes) -> None:
        kept = self.findings.setdefault(kind, [])
        if len(kept) < KEPT:
            kept.append(base64.b64encode(content[:KEPT_BYTES]).decode())

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"seconds": round(self.seconds, 1)}


def _kind(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
