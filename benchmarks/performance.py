"""Writes docs/performance.md and docs/scale.md from the results files.

python benchmarks/performance.py
"""

from __future__ import annotations

import json
from pathlib import Path

from measured.page import page
from measured.result import RESULTS
from measured.scale import scale_page

DOCS = Path(__file__).parent.parent / "docs"


def main() -> None:
    """Write the pages."""
    found = {path.stem: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}
    (DOCS / "performance.md").write_text(page(found))
    (DOCS / "scale.md").write_text(scale_page(found))


if __name__ == "__main__":
    main()
