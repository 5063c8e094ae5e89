"""Scans read and prepared ahead of the network, in processes of their own.

No torch here: the processes that read scans start without it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, TypeAlias

from nibabel.spatialimages import SpatialImage

from medvae.errors import UserError
from medvae.files import digest
from medvae.volume import Grid, Prepared, prepare, read_volume
from medvae.volume.checks import refuse_thin
from medvae.volume.dicom import holds_dicom, series_digest
from medvae.volume.mask import mask_of
from noise_models.workers import serve_caller

Cover: TypeAlias = Literal["head", "scan"]
Read: TypeAlias = "Callable[..., Arrival]"
Task: TypeAlias = tuple[Path, Path | None, str | None]

NO_ROOM = (
    "Run the same command again with fewer --jobs, or where there is more memory: it "
    "goes on from here."
)
"""What to do about a scan that memory did not do for."""

_FEWEST = 3  # scans that are worth starting a process for


@dataclass(frozen=True, eq=False)
class Arrival:
    """What reading a scan gave: a prepared volume, or why there is none.

    Args:
        name: The scan's file name, or ``image``.
        digest: Of its file, and of its mask's: see :func:`scan_digest`.
        prepared: On the training grid; None where it was not needed or failed.
        problem: What is wrong with the scan.
    """

    name: str
    digest: str | None = None
    prepared: Prepared | None = None
    problem: str | None = None

    @property
    def ready(self) -> Prepared:
        """The prepared volume.

        Raises:
            ValueError: There is none.
        """
        if self.prepared is None:
            raise ValueError(f"{self.name}: {self.problem or 'was not prepared'}")
        return self.prepared


def scan_digest(path: Path, mask: Path | None = None) -> str | None:
    """SHA-256 of a scan's file, or of the files of its DICOM series; None for neither.

    That of the mask's file follows after a space, where the scan has a mask.

    Args:
        path: The scan.
        mask: Its mask; None, too, for one that is not there.

    Example:
        >>> scan_digest(Path("no such file")) is None
        True
    """
    if mask is not None:
        of_scan = scan_digest(path)
        return f"{of_scan} {digest(mask)}" if of_scan and mask.is_file() else None
    if path.is_file():
        return digest(path)
    return series_digest(path) if path.is_dir() and holds_dicom(path) else None


def read_scan(
    scan: Path | SpatialImage,
    grid: Grid,
    reach: int | None = None,
    known: str | None = None,
    mask: Path | None = None,
) -> Arrival:
    """Read a scan and bring it to the grid; a bad one comes back with its problem.

    Args:
        scan: A file, a folder of one DICOM series, or an image.
        grid: The training grid.
        reach: See :func:`medvae.volume.prepare`.
        known: Leave a scan with this digest unprepared: its code exists.
        mask: The user's mask, on the scan's own grid.
    """
    path = scan if isinstance(scan, Path) else None
    name = path.name if path else "image"
    mark: str | None = None
    try:
        mark = scan_digest(path, mask) if path else None
        if mark is not None and mark == known:
            return Arrival(name, mark)
        volume = read_volume(scan)
        refuse_thin(volume)
        chosen = mask_of(volume, mask)
        return Arrival(name, mark, prepare(volume, grid, chosen, reach=reach))
    except OSError as error:
        file, reason = error.filename or path, error.strerror or "cannot be read"
        return Arrival(name, mark, problem=f"{file}: {reason}. Check the path.")
    except UserError as error:
        return Arrival(name, mark, problem=str(error))
    except MemoryError:
        return Arrival(name, mark, problem=f"{path or name}: out of memory. {NO_ROOM}")


def read_ahead(
    scans: Sequence[Path],
    grid: Grid,
    *,
    jobs: int = 0,
    ahead: int = 4,
    reach: int | None = None,
    known: Sequence[str | None] | None = None,
    masks: Sequence[Path | None] | None = None,
) -> Iterator[Arrival]:
    """Scans in order, read while the caller works on those before.

    At most ``jobs + ahead`` scans are in memory, however many there are. A scan whose
    process is killed comes back with that as its problem.

    Args:
        scans: Files.
        grid: The training grid.
        jobs: Processes that read; 0 reads in this one, when asked.
        ahead: Scans that may wait for the caller.
        reach: See :func:`medvae.volume.prepare`.
        known: By scan, the digest of which a code exists already.
        masks: By scan, its mask, if it has one.
    """
    none: list[None] = [None] * len(scans)
    tasks = [*zip(scans, masks or none, known or none, strict=True)]
    read = partial(read_scan, grid=grid, reach=reach)
    if jobs < 1 or len(scans) < _FEWEST:
        yield from (read(path, known=mark, mask=mask) for path, mask, mark in tasks)
        return
    done = 0
    while done < len(tasks):
        for arrived in _together(read, tasks[done:], jobs, jobs + ahead):
            done += 1
            yield arrived
        # Short of the end, a process was killed: by one of the scans under way.
        for task in tasks[done : done + jobs + ahead]:
            done += 1
            yield _alone(read, task)


def _together(
    read: Read, tasks: Sequence[Task], jobs: int, most: int
) -> Iterator[Arrival]:
    """Scans in order, until a process is killed."""
    waiting: deque[Future[Arrival]] = deque()
    with _processes(jobs) as pool, suppress(BrokenProcessPool):
        for path, mask, mark in tasks:
            waiting.append(pool.submit(read, path, known=mark, mask=mask))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _alone(read: Read, task: Task) -> Arrival:
    """One scan in a process of its own: if that is killed, the scan did it."""
    path, mask, mark = task
    with _processes(1) as pool:
        try:
            return pool.submit(read, path, known=mark, mask=mask).result()
        except BrokenProcessPool:
            why = "the process that read it was killed, most often for want of memory"
            return Arrival(path.name, problem=f"{path}: {why}. {NO_ROOM}")


@contextmanager
def _processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=serve_caller)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
