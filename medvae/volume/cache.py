"""Prepared scans on disk: memory-mapped, keyed by content, made once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from joblib import delayed
from numpy.lib.format import open_memmap

from medvae.errors import UserError
from medvae.files import digest, to_disk
from medvae.inputs import DAMAGED, read_json
from medvae.lock import sweep_old
from medvae.volume.grid import Grid, Placement
from medvae.volume.mask import mask_of
from medvae.volume.nifti import Source, read_volume
from medvae.volume.prepare import Prepared, prepare
from noise_models.workers import workers

PREPARATION_VERSION = 1
"""Raised when :func:`~medvae.volume.prepare.prepare` gives other voxels."""

Progress = Callable[[int, int, str], object]


class ScanFile(Protocol):
    """What the cache needs to know of a scan; ``medvae.cohort.Scan`` has it."""

    @property
    def path(self) -> Path: ...

    @property
    def mask(self) -> Path | None: ...


@dataclass(frozen=True)
class PreparedCohort:
    """Prepared scans in the order they were given; arrays stay on disk.

    Args:
        scans: What was prepared.
        folders: One cache folder per scan.
        grid: The training grid.
    """

    scans: tuple[ScanFile, ...]
    folders: tuple[Path, ...]
    grid: Grid

    def __len__(self) -> int:
        return len(self.folders)

    def image(self, i: int) -> npt.NDArray[np.float32]:
        """Scan ``i`` in reference units, read-only, memory-mapped."""
        return open_memmap(self.folders[i] / "image.npy", mode="r")

    def mask(self, i: int) -> npt.NDArray[np.bool_]:
        """Mask of scan ``i``, read-only, memory-mapped."""
        return open_memmap(self.folders[i] / "mask.npy", mode="r")

    def meta(self, i: int) -> dict[str, Any]:
        """What was stored beside the arrays of scan ``i``; see ``Prepared.meta``."""
        content: dict[str, Any] = read_json(self.folders[i] / "meta.json")
        return content

    def prepared(self, i: int) -> Prepared:
        """Scan ``i`` with its placement, reference and noise gain."""
        meta = self.meta(i)
        return Prepared(
            image=self.image(i),
            mask=self.mask(i),
            placement=Placement.from_dict(meta["placement"]),
            reference=float(meta["reference"]),
            noise_gain=float(meta["noise_gain"]),
            reference_kind=str(meta["reference_kind"]),
            source=Source.from_dict(meta["source"]),
        )


def prepare_scans(
    scans: Sequence[ScanFile],
    grid: Grid,
    cache_dir: Path,
    jobs: int = 1,
    progress: Progress | None = None,
) -> PreparedCohort:
    """Prepare scans, or find them prepared.

    The key is the SHA-256 of the scan's bytes, its mask's bytes and the settings:
    a renamed scan is found again, a changed one is made anew. So is an entry of which
    a file is missing or cut. Stopped halfway, the next call goes on where it ended.

    Args:
        scans: Objects with ``path`` and ``mask``.
        grid: The training grid.
        cache_dir: Where to keep the arrays.
        jobs: Processes.
        progress: Called with (done, total, name of the scan just done).

    Raises:
        UserError: A scan cannot be prepared; names it.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    sweep_old(cache_dir)
    work = (
        delayed(_ensure)(i, scan.path, scan.mask, grid, cache_dir)
        for i, scan in enumerate(scans)
    )
    folders: list[Path] = [cache_dir] * len(scans)
    pool = workers(jobs, unordered=True)
    for done, (i, folder) in enumerate(pool(work), start=1):
        folders[i] = folder
        if progress:
            progress(done, len(scans), scans[i].path.name)
    return PreparedCohort(tuple(scans), tuple(folders), grid)


def cache_key(path: Path, mask: Path | None, grid: Grid) -> str:
    """64 hexadecimal digits that change with content or settings, not with names."""
    settings = {
        "version": PREPARATION_VERSION,
        "scan": digest(path),
        "mask": digest(mask) if mask else None,
        "shape": list(grid.shape),
        "spacing_mm": list(grid.spacing_mm),
    }
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _ensure(
    i: int, path: Path, mask: Path | None, grid: Grid, cache_dir: Path
) -> tuple[int, Path]:
    try:
        key = cache_key(path, mask, grid)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}. Check the scan.") from error
    folder = cache_dir / key[:32]
    if not _is_whole(folder, grid):
        volume = read_volume(path)
        _store(prepare(volume, grid, mask_of(volume, mask)), folder, path)
    return i, folder


def _is_whole(folder: Path, grid: Grid) -> bool:
    """Whether an entry can be read: sizes and headers, not every voxel."""
    try:
        kept = PreparedCohort((), (folder,), grid).prepared(0)
    except (*DAMAGED, AttributeError, UserError):
        return False
    return all(
        array.shape == grid.shape and array.dtype == kind
        for array, kind in ((kept.image, np.float32), (kept.mask, np.bool_))
    )


def _store(prepared: Prepared, folder: Path, path: Path) -> None:
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
    damaged = partial.with_name(f"{partial.name}-damaged")
    try:
        np.save(partial / "image.npy", prepared.image)
        np.save(partial / "mask.npy", prepared.mask)
        meta = {"path": str(path), **prepared.meta()}
        (partial / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        for file in partial.iterdir():
            to_disk(file)
        if not _is_whole(folder, prepared.placement.grid):
            if folder.exists():
                folder.replace(damaged)
            os.replace(partial, folder)  # noqa: PTH105 (a folder, whole or not at all)
    except OSError:  # perhaps another process finished the same scan first
        if not _is_whole(folder, prepared.placement.grid):
            raise
    finally:
        for left in (partial, damaged):
            shutil.rmtree(left, ignore_errors=True)
