"""What became of each harmonised scan: which site made it, and who says so.

OUT/index.tsv   a row an image; a later call with the same OUT adds its own rows

It is a cohort's table, too: paths are relative to it, and what the data told of a scan
stands in the row of its image, so that ``medvae encode RUN OUT/index.tsv`` knows it.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from medvae.counted import counted
from medvae.encoding.finished import seen_from
from medvae.errors import UserError
from medvae.files import write_text
from medvae.inputs import read_text

INDEX = "index.tsv"

Basis = Literal["given", "data", "unknown", "none"]
"""Who named the source: the caller, the data's labels; nobody; nobody had to."""


COLUMNS = (
    *("path", "subject", "session", "site"),
    *("original", "source", "known_from", "target", "changed"),
)
"""The first of every table; after them come age, sex and what else the data told."""


@dataclass(frozen=True)
class Harmonised:
    """One harmonised scan.

    Args:
        path: The image, relative to its folder.
        original: The scan.
        source: The training site that made the scan; empty where none is known to have,
            or where the image was painted from its code alone.
        known_from: ``given`` by the caller, the label in the ``data``, ``unknown``, or
            ``none`` where the image was painted from its code alone.
        target: The training site that was imitated.
        changed: Whether any voxel differs from the scan's.
        subject: The data's label of the person; empty where it has none.
        session: The data's label of the visit, as well.
        site: The data's label of the scan's site, as well.
        more: What else the data told of the scan, by column.
    """

    path: str
    original: Path
    source: str
    known_from: Basis
    target: str
    changed: bool
    subject: str = ""
    session: str = ""
    site: str = ""
    more: Mapping[str, str] = field(default_factory=dict, hash=False)

    def cells(self, out: Path) -> dict[str, str]:
        """Its row of the table in the folder ``out``, by column."""
        mine = {name: str(getattr(self, name)) for name in COLUMNS}
        mine["original"] = seen_from(out, self.original)
        mine["changed"] = "yes" if self.changed else "no"
        taken = set(COLUMNS)
        return mine | {k: v for k, v in self.more.items() if k.casefold() not in taken}


def known_source(
    made_at: str | None, site: str | None, known: Sequence[str]
) -> tuple[str | None, Basis]:
    """The training site that made a scan, as far as anyone has said, and who said it.

    Args:
        made_at: What the caller says of all scans.
        site: What the data says of this one; counts if it is a training site.
        known: The training sites.

    Example:
        >>> known_source(None, "UM_1", ["NYU", "UM_1"])
        ('UM_1', 'data')
        >>> known_source("NYU", "UM_1", ["NYU", "UM_1"])
        ('NYU', 'given')
        >>> known_source(None, "KKI", ["NYU", "UM_1"])
        (None, 'unknown')
    """
    if made_at is not None:
        return made_at, "given"
    if site in known:
        return site, "data"
    return None, "unknown"


def read_index(out: Path) -> list[dict[str, str]]:
    """Rows of the table that an earlier call left in ``out``; none if there is none.

    Raises:
        UserError: The folder has an index.tsv of something else.
    """
    path = out / INDEX
    try:
        rows = list(csv.reader(io.StringIO(read_text(path)), delimiter="\t"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error):
        rows = []
    header = rows[0] if rows else []
    even = all(len(row) == len(header) == len(set(header)) for row in rows)
    if not even or tuple(header[: len(COLUMNS)]) != COLUMNS:
        raise UserError(
            f"{path}: not a table of harmonised scans. Choose another folder with -o."
        )
    return [dict(zip(header, row, strict=True)) for row in rows[1:]]


def write_index(out: Path, rows: Sequence[Harmonised]) -> None:
    """Write index.tsv; rows of other images, from earlier calls, stay.

    Raises:
        UserError: As of :func:`read_index`.
    """
    made = {row.path for row in rows}
    kept = [row for row in read_index(out) if row["path"] not in made]
    every = [*kept, *(row.cells(out) for row in rows)]
    columns = {name: name for name in COLUMNS}  # readers of tables ignore their case
    for name in (name for row in every for name in row):
        columns.setdefault(name.casefold(), name)
    lines = io.StringIO()
    table = csv.DictWriter(
        lines, [*columns.values()], "", delimiter="\t", lineterminator="\n"
    )
    table.writeheader()
    table.writerows(
        {columns[name.casefold()]: told for name, told in row.items() if told}
        for row in every
    )
    write_text(out / INDEX, lines.getvalue())


def told(rows: Sequence[Harmonised], out: Path) -> list[str]:
    """How many scans were changed, and why the others were not, in sentences.

    Example:
        >>> rows = [Harmonised("a.nii.gz", Path("a"), "UM_1", "data", "NYU", True),
        ...         Harmonised("b.nii.gz", Path("b"), "NYU", "data", "NYU", False)]
        >>> told(rows, Path("as_nyu"))
        ['2 images in as_nyu: 1 changed, 1 unchanged (as_nyu/index.tsv).',
         'unchanged: 1 made at NYU, by the data.']
    """
    same = [row for row in rows if not row.changed]
    lines = [
        f"{counted(len(rows), 'image')} in {out}: {len(rows) - len(same)} changed, "
        f"{len(same)} unchanged ({out / INDEX})."
    ]
    reasons = Counter(_reason(row) for row in same)
    if reasons:
        why_so = "; ".join(f"{count} {why}" for why, count in reasons.items())
        lines.append(f"unchanged: {why_so}.")
    return lines


def _reason(row: Harmonised) -> str:
    if row.source != row.target:
        return "painted alike"
    who = "--from" if row.known_from == "given" else "the data"
    return f"made at {row.target}, by {who}"
