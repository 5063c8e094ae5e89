"""Writes docs/performance.md from the results files; nothing in it is typed in.

python benchmarks/performance.py
"""

from __future__ import annotations

import json
from pathlib import Path

from measured.page import page
from measured.result import RESULTS

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def main() -> None:
    """Write the page."""
    found = {path.stem: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}
    PAGE.write_text(page(found))
    print(PAGE)


if __name__ == "__main__":
    main()
