"""One writer a folder: the second is told so instead of mixing its files in."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medvae.errors import UserError

LOCK = ".lock"
LEFT_BEHIND = ".partial-*"
"""Names of files and folders that were being written when their process was killed."""
OLD_SECONDS = 86400.0
"""Age at which nobody writes a file any more, where no lock tells."""


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold ``folder`` (made if need be) for this process.

    The lock is the kernel's, on a file ``.lock`` in the folder: it ends with the
    process, however that ends, so a killed run never locks its folder for good. What a
    killed writer left half-written is removed, but not from a folder inside that has a
    lock of its own. Where the system knows no such locks (Windows) nothing is held.

    Raises:
        UserError: Another process writes there, or its lock is no file.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with sole_writer(folder):
        ...     [path.name for path in folder.iterdir()]
        ['.lock']
        >>> list(folder.iterdir())
        []
    """
    made = not folder.exists()
    _make(folder)
    if sys.platform == "win32":
        yield
        return
    path = folder / LOCK
    handle = _taken(path, folder)
    try:
        for left in list(folder.rglob(LEFT_BEHIND)):
            if not _is_another_s(left, folder):
                _remove(left)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)
        if made and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def sole_maker(folder: Path) -> Iterator[None]:
    """Hold the name of a folder that appears when complete: the lock lies beside it.

    Raises:
        UserError: Another process makes it, or there is no folder to make it in.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with sole_maker(folder / "a"):
        ...     [path.name for path in folder.iterdir()]
        ['.a.lock']
    """
    if sys.platform == "win32":
        yield
        return
    _make(folder.parent)
    path = folder.parent / f".{folder.name}{LOCK}"
    handle = _taken(path, folder)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def sweep_old(folder: Path, pattern: str = LEFT_BEHIND) -> None:
    """Remove what killed writers left in a folder of many writers, when a day old.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / ".partial-a").mkdir()
        >>> os.utime(folder / ".partial-a", (0, 0))
        >>> sweep_old(folder)
        >>> list(folder.iterdir())
        []
    """
    for left in list(folder.glob(pattern)):
        try:
            is_old = time.time() - left.lstat().st_mtime > OLD_SECONDS
        except FileNotFoundError:  # its writer was quicker
            continue
        if is_old:
            _remove(left)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(
            f"{folder}: not a folder to write to. Choose another."
        ) from None


def _remove(left: Path) -> None:
    if left.is_dir() and not left.is_symlink():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)


def _is_another_s(left: Path, folder: Path) -> bool:
    """Whether a folder in between has a writer of its own, now or killed."""
    between = left.relative_to(folder).parents[:-1]
    return any((folder / inner / LOCK).exists() for inner in between)


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait for ``path``, a file that only the one whose turn it is holds and removes.

    Raises:
        OSError: The folder cannot be written to.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with turn(folder / ".index.lock"):
        ...     [path.name for path in folder.iterdir()]
        ['.index.lock']
        >>> list(folder.iterdir())
        []
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    while True:
        handle = _opened(path)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if _is_at(handle, path):
            break
        os.close(handle)  # whoever had it has removed it
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _taken(path: Path, folder: Path) -> int:
    """For a writer of ``folder``, an open, locked file at ``path``.

    One that its holder removed is tried again.
    """
    import fcntl  # not on Windows

    while True:
        handle = _opened(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 200).decode(errors="replace").strip()
            os.close(handle)
            raise UserError(
                f"{folder}: another medvae is writing it ({holder}). "
                "Wait for it to end, or choose another folder."
            ) from None
        except OSError:  # a file system without locks: better unheld than unusable
            return handle
        if _is_at(handle, path):
            os.ftruncate(handle, 0)
            os.write(
                handle, f"process {os.getpid()} on {socket.gethostname()}".encode()
            )
            return handle
        os.close(handle)


def _opened(path: Path) -> int:
    """A lock, which is never another file behind a link: it is written to.

    Raises:
        UserError: Something else stands there.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UserError(f"{path}: not a lock of medvae. Remove it.")
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
