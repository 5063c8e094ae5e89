"""Takes a comparison on record and writes docs/generalisation.md and its figure.

    python benchmarks/generalisation.py [COMPARE_JSON] [--note TEXT]

COMPARE_JSON is what `medvae compare` wrote; without it the page is written again from
benchmarks/results/compare.json. The note goes on record and on the page.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from measured.arms_figure import draw_arms
from measured.generalisation import generalisation_page
from measured.result import RESULTS, write

PAGE = Path(__file__).parent.parent / "docs" / "generalisation.md"


def main() -> None:
    """Write the result, where one is given, and the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("result", type=Path, nargs="?")
    parser.add_argument("--note", help="what else to know of how it was made")
    args = parser.parse_args()
    if args.result is not None:
        note = {"note": args.note} if args.note else {}
        write("compare", {**json.loads(args.result.read_text()), **note})
    found = json.loads((RESULTS / "compare.json").read_text())
    view = json.loads((RESULTS / "field_of_view.json").read_text())
    PAGE.write_text(generalisation_page(found, view))
    draw_arms(found, PAGE.with_suffix(".png"))


if __name__ == "__main__":
    main()
