"""Codes that earlier calls have left in a folder, and what they forbid a later one."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from medvae.encoding.latent_file import finished_digest, made_with
from medvae.encoding.names import latent_file, stems
from medvae.encoding.reading import Cover, scan_digest
from medvae.encoding.told import Cells, read_index, rows_of_codes
from medvae.errors import UserError


@dataclass(frozen=True)
class Earlier:
    """What a folder of codes holds, read once.

    Args:
        out: The folder, which need not exist.
        index: Its index.tsv as it stands.
        rows: Of every code, also of one that a killed call has left without a row.

    Example:
        >>> earlier = Earlier.read(Path("no folder yet"))
        >>> [name for name, _ in earlier.named([Path("A/x.nii"), Path("B/x.nii")])]
        ['A_x', 'B_x']
    """

    out: Path
    index: str
    rows: tuple[Cells, ...]

    @classmethod
    def read(cls, out: Path) -> Earlier:
        """Read a folder.

        Raises:
            UserError: It has a table of another's, or a damaged one.
        """
        index, rows = read_index(out)
        return cls(out, index, (*rows, *rows_of_codes(out, {r["file"] for r in rows})))

    @property
    def by_target(self) -> dict[Path, Cells]:
        """The row of every code, by its ``*_latent.nii.gz``."""
        return {self.out / told["file"]: told for told in self.rows}

    def named(self, scans: Sequence[Path]) -> list[tuple[str, Path]]:
        """The name and the ``*_latent.nii.gz`` of each scan.

        One that has a code keeps them, whoever else is in the list.

        Raises:
            UserError: A scan is given twice, or a new one would take another's name.
        """
        kept = self._kept(scans)
        found: dict[Path, Path] = {}
        named = []
        for scan, name in zip(scans, stems(scans), strict=True):
            told = kept.get(scan)
            file = Path(told["file"]) if told else latent_file(name)
            other = found.setdefault(self.out / file, scan)
            if other is not scan:
                raise UserError(
                    f"{self.out / file}: the code of {other}, and that of {scan} "
                    "would be called so, too. Choose another folder with -o."
                )
            named.append((told["name"] if told else name, self.out / file))
        return named

    def _kept(self, scans: Sequence[Path]) -> dict[Path, Cells]:
        """Rows of scans as they were called; where none is, of the same file."""
        called = {told["path"]: told for told in self.rows}
        at = {place(told["path"]): told for told in self.rows}
        kept = {s: told for s in scans if (told := called.get(str(s.absolute())))}
        taken = {told["file"] for told in kept.values()}
        for scan in scans:
            told = at.get(place(scan))
            if scan not in kept and told and told["file"] not in taken:
                kept[scan] = told
                taken.add(told["file"])
        return kept

    def check_originals(self, scans: Sequence[Path], targets: Sequence[Path]) -> None:
        """Refuse to write over the code of another scan, which has the same file name.

        A scan that was moved, copied or changed in its place is the same one.

        Args:
            scans: To be encoded.
            targets: Their ``*_latent.nii.gz``.

        Raises:
            UserError: Names the code, both scans and the remedy.
        """
        before = self.by_target
        for scan, target in zip(scans, targets, strict=True):
            told = before.get(target)
            if told is None or place(told["path"]) == place(scan):
                continue
            mark = scan_digest(scan)
            # It may have got a mask, or lost it: the scan is the same.
            if mark is not None and not told["digest"].startswith(mark):
                raise UserError(
                    f"{target}: the code of {told['path']} by an earlier command, and "
                    f"would be overwritten with that of {scan}. Choose another folder "
                    "with -o, or give both scans to one command."
                )

    def check_made_with(
        self,
        scans: Sequence[Path],
        targets: Sequence[Path],
        model: str | None,
        cover: Cover,
    ) -> None:
        """Refuse codes of other scans by another model, or of another cover.

        One table cannot hold both. Codes of the same scans are made anew.

        Args:
            scans: To be encoded.
            targets: Their ``*_latent.nii.gz``.
            model: SHA-256 of the weights.
            cover: What of the scans is to be encoded.

        Raises:
            UserError: Names the first such code and the remedy.
        """
        for told in self._besides(scans, targets):
            code = self.out / told["file"]
            made = made_with(code)
            if made is not None and made != (model, cover):
                by_other = made[0] != model
                how = "by another model" if by_other else f"with cover {made[1]}"
                raise UserError(
                    f"{code}: encoded {how}; one table cannot hold both. "
                    "Choose another folder with -o."
                )

    def still_whole(
        self,
        scans: Sequence[Path],
        targets: Sequence[Path],
        model: str | None,
        cover: Cover,
    ) -> list[Cells]:
        """Rows of other scans than these, whose codes are whole and of this model.

        Args:
            scans: That are not asked about.
            targets: Their ``*_latent.nii.gz``.
            model: SHA-256 of the weights.
            cover: What of the scans was encoded.
        """
        return [
            told
            for told in self._besides(scans, targets)
            if told["digest"] == finished_digest(self.out / told["file"], model, cover)
        ]

    def _besides(self, scans: Sequence[Path], targets: Sequence[Path]) -> list[Cells]:
        """Rows of other scans than these."""
        places, files = {place(scan) for scan in scans}, {*targets}
        return [
            told
            for told in self.rows
            if self.out / told["file"] not in files
            and place(told["path"]) not in places
        ]


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
        rows = Earlier.read(folder).rows
    except OSError:
        return not folder.exists()
    except UserError:
        return False
    same = {row["model"] for row in rows} == {model or ""}
    return same and {place(r["path"]) for r in rows} <= {place(s) for s in scans}


def place(path: str | os.PathLike[str]) -> str:
    """Where a path leads, by which a scan is the same under two paths."""
    return os.path.realpath(path)
