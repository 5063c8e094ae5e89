"""What earlier calls have left in a folder of codes, as its index.tsv tells."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeAlias

from medvae.encoding.latent_file import finished_digest, made_with
from medvae.encoding.reading import Cover, scan_digest
from medvae.errors import UserError
from medvae.inputs import DAMAGED, read_text

INDEX = "index.tsv"
COLUMNS = (
    *("row", "name", "path", "subject", "site", "session"),
    *("digest", "model", "file"),
)
Cells: TypeAlias = dict[str, str]
"""A row of the table, by column."""


def check_originals(out: Path, scans: Sequence[Path], targets: Sequence[Path]) -> None:
    """Refuse to write over the code of another scan, which has the same file name.

    A scan that was moved, copied or changed in its place is the same one.

    Args:
        out: The folder of codes, which need not exist.
        scans: To be encoded.
        targets: Their ``*_latent.nii.gz``, in it.

    Raises:
        UserError: Names the code, both scans and the remedy.

    Example:
        >>> check_originals(Path("no folder yet"), [], [])
    """
    before = told_before(out)
    for scan, target in zip(scans, targets, strict=True):
        told = before.get(target)
        if told is None or _place(told["path"]) == _place(scan):
            continue
        if scan_digest(scan) not in (None, told["digest"]):
            raise UserError(
                f"{target}: the code of {told['path']} by an earlier command, and "
                f"would be overwritten with that of {scan}. Choose another folder "
                "with -o."
            )


def check_made_with(
    out: Path,
    scans: Sequence[Path],
    targets: Sequence[Path],
    model: str | None,
    cover: Cover,
) -> None:
    """Refuse a folder with codes of other scans by another model, or of another cover.

    One table cannot hold both. Codes of the same scans are made anew.

    Args:
        out: The folder of codes, which need not exist.
        scans: To be encoded.
        targets: Their ``*_latent.nii.gz``, in it.
        model: SHA-256 of the weights.
        cover: What of the scans is to be encoded.

    Raises:
        UserError: Names the first such code and the remedy.
    """
    for told in _besides(out, scans, targets):
        made = made_with(out / told["file"])
        if made is not None and made != (model, cover):
            how = "by another model" if made[0] != model else f"with cover {made[1]}"
            raise UserError(
                f"{out / told['file']}: encoded {how}; one table cannot hold both. "
                "Choose another folder with -o."
            )


def still_whole(
    out: Path,
    scans: Sequence[Path],
    targets: Sequence[Path],
    model: str | None,
    cover: Cover,
) -> list[Cells]:
    """Rows of other scans than these, whose codes are whole and of this model.

    Args:
        out: The folder.
        scans: That are not asked about.
        targets: Their ``*_latent.nii.gz``.
        model: SHA-256 of the weights.
        cover: What of the scans was encoded.
    """
    return [
        told
        for told in _besides(out, scans, targets)
        if told["digest"] == finished_digest(out / told["file"], model, cover)
    ]


def told_before(out: Path) -> dict[Path, Cells]:
    """What the table tells of every scan, by its ``*_latent.nii.gz``."""
    return {out / told["file"]: told for told in _rows(out)}


def is_free_for(folder: Path, scans: Collection[Path], model: str | None) -> bool:
    """Whether codes of some scans can go into a folder where no others are.

    They can where nothing is, and where all codes are of these scans and this model.

    Args:
        folder: Which need not exist.
        scans: To be encoded.
        model: SHA-256 of the weights.

    Example:
        >>> is_free_for(Path("no folder yet"), [Path("a.nii.gz")], None)
        True
    """
    try:
        if not any(folder.iterdir()):
            return True
    except OSError:
        return not folder.exists()
    rows = _rows(folder)
    same = {row["model"] for row in rows} == {model or ""}
    return same and {_place(r["path"]) for r in rows} <= {_place(s) for s in scans}


def _besides(out: Path, scans: Sequence[Path], targets: Sequence[Path]) -> list[Cells]:
    """Rows of other scans than these."""
    places, files = {_place(scan) for scan in scans}, {*targets}
    return [
        told
        for told in _rows(out)
        if out / told["file"] not in files and _place(told["path"]) not in places
    ]


def index_text(out: Path) -> str:
    """The table as it stands; nothing where there is none that can be read."""
    try:
        return read_text(out / INDEX)
    except (*DAMAGED, UserError):
        return ""


def _rows(out: Path) -> list[Cells]:
    """Rows of the table; none where it is damaged or names files outside its folder."""
    text = index_text(out)
    try:
        header, *rows = csv.reader(io.StringIO(text), delimiter="\t")
        told = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    except (ValueError, csv.Error):
        return []
    inside = all(_is_inside(Path(cells["file"])) for cells in told)
    return told if tuple(header) == COLUMNS and inside and "\0" not in text else []


def _is_inside(file: Path) -> bool:
    return not file.is_absolute() and ".." not in file.parts


def _place(path: str | os.PathLike[str]) -> str:
    return os.path.realpath(path)
