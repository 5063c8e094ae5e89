"""The table of a folder of codes: index.tsv, and latents.npy with a row each.

A later call adds its own scans; those of earlier ones stay while their codes are whole
and of the same model.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medvae.encoding.earlier import Earlier
from medvae.encoding.latent_file import finished_digest, read_latent
from medvae.encoding.reading import Cover
from medvae.encoding.told import COLUMNS, INDEX, LABELS, Cells, read_index
from medvae.errors import UserError
from medvae.files import atomic_path
from medvae.inputs import DAMAGED, near, refuse_special
from medvae.lock import turn

if TYPE_CHECKING:
    import pandas as pd

VECTORS, AXES, INDEX_LOCK = "latents.npy", "axes.npy", ".index.lock"


@dataclass(frozen=True)
class Row:
    """A scan of the table.

    Args:
        name: Of the scan, unique in the table.
        path: The scan.
        labels: Subject, site and session, where they are known.
        target: Its ``*_latent.nii.gz``.
    """

    name: str
    path: Path
    labels: tuple[str | None, str | None, str | None]
    target: Path

    def cells(
        self, out: Path, mark: str, model: str | None, before: Cells | None
    ) -> Cells:
        """Its cells; labels that are not known now are those of the row before.

        Args:
            out: The folder of codes.
            mark: Digest of the scan, and of its mask.
            model: SHA-256 of the weights.
            before: Its row of an earlier call, if there is one.
        """
        known = before if before and before["digest"] == mark else {}
        labels = {
            name: label or known.get(name, "")
            for name, label in zip(LABELS, self.labels, strict=True)
        }
        return {
            "name": self.name,
            "path": str(self.path.absolute()),  # the next call may be made elsewhere
            **labels,
            "digest": mark,
            "model": model or "",
            "file": self.target.relative_to(out).as_posix(),
        }


def write_table(
    out: Path, rows: Sequence[Row], model: str | None, cover: Cover = "head"
) -> None:
    """Write index.tsv and latents.npy from the codes that are finished now.

    Processes that share a list take turns, so the last one sees the work of all.
    Codes of unequal size (``cover`` scan) have no common matrix: then latents.npy is
    left out and the maps are to be read one by one. Coordinates along axes are of the
    table they were made beside: with another one they go.

    Of the two files the matrix goes first and comes last, so that one killed in between
    leaves none, and never codes in the rows of other scans.
    """
    lines = io.StringIO()
    table = csv.DictWriter(lines, COLUMNS, delimiter="\t", lineterminator="\n")
    table.writeheader()
    with turn(out / INDEX_LOCK):
        marked = [(r, finished_digest(r.target, model, cover)) for r in rows]
        earlier = Earlier.read(out)
        told = earlier.by_target
        known = [r.cells(out, m, model, told.get(r.target)) for r, m in marked if m]
        scans, targets = [r.path for r in rows], [r.target for r in rows]
        every = [*earlier.still_whole(scans, targets, model, cover), *known]
        table.writerows({**told, "row": str(i)} for i, told in enumerate(every))
        with atomic_path(out / VECTORS) as matrix:
            is_even = _write_vectors(matrix, [out / told["file"] for told in every])
            with atomic_path(out / INDEX) as index:
                index.write_text(lines.getvalue(), encoding="utf-8")
                if lines.getvalue() != earlier.index:
                    for stale in (AXES, VECTORS):
                        (out / stale).unlink(missing_ok=True)
        if not is_even:
            (out / VECTORS).unlink()


def rows_of(out: Path) -> int:
    """How many scans the table in a folder of codes has.

    Example:
        >>> rows_of(Path("no folder yet"))
        0
    """
    return len(read_index(out)[1])


def read_table(
    folder: str | os.PathLike[str],
) -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
    """What ``medvae encode`` wrote: the index, and its codes as rows.

    Args:
        folder: That was given to ``medvae encode -o``.

    Returns:
        A data frame indexed by scan name, and (scans, features), float32,
        memory-mapped, in the same order.

    Raises:
        UserError: The folder has no table, or the two do not fit each other.
    """
    import pandas as pd

    place = Path(folder)
    for file in (INDEX, VECTORS):
        refuse_special(place / file)
    try:
        index = pd.read_csv(
            place / INDEX, sep="\t", dtype=str, keep_default_na=False
        ).set_index("name")
        vectors: npt.NDArray[np.float32] = np.lib.format.open_memmap(
            place / VECTORS, mode="r"
        )
        index["row"] = index["row"].astype(int)
        same = vectors.ndim == 2 and len(index) == len(vectors)
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename}: not found.{near(place)} Make it with: "
            f"medvae encode RUN SCANS -o {place}"
        ) from None
    except DAMAGED as error:
        raise UserError(
            f"{place}: the table cannot be read ({error}). Run medvae encode again."
        ) from None
    if not same:
        raise UserError(
            f"{place}: index.tsv has {len(index)} scans, latents.npy the shape "
            f"{vectors.shape}. Run medvae encode again."
        )
    return index, vectors


def _write_vectors(path: Path, targets: Sequence[Path]) -> bool:
    """Codes as rows of one matrix; False where there is none, or codes are unequal."""
    # Row after row: a memory map of a file that the disk has no room for is a crash.
    size = 0
    with path.open("wb") as file:
        for i, target in enumerate(targets):
            vector = read_latent(target).vector
            if i == 0:
                size = vector.size
                shape = (len(targets), size)
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            if vector.size != size:
                return False
            file.write(vector.astype("<f4").tobytes())
    return bool(targets)
