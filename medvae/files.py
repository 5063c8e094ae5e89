"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medvae.errors import UserError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``path`` that becomes ``path`` on success.

    The sibling keeps every suffix (``.nii.gz``), so writers that choose a format
    by name still do. On an exception it is removed and ``path`` stays as it was.

    Example:
        >>> import tempfile
        >>> out = Path(tempfile.mkdtemp()) / "a.txt"
        >>> with atomic_path(out) as partial:
        ...     _ = partial.write_text("whole")
        >>> out.read_text()
        'whole'
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{path.parent}: not a folder to write to ({error.strerror}). "
            "Choose another."
        ) from None
    refuse_folders(path)
    handle, name = tempfile.mkstemp(
        prefix=f".partial-{os.getpid()}-", suffix=f"-{path.name}", dir=path.parent
    )
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        to_disk(partial)
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o666 & ~umask)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def refuse_folders(*outputs: Path | None) -> None:
    """Stop if a folder stands where a file is to go: say it before the work.

    Raises:
        UserError: One of them is a folder.
    """
    for path in outputs:
        if path is not None and path.is_dir():
            raise UserError(f"{path} is a folder. Name a file.")


def refuse_unwritable(*outputs: Path | None) -> None:
    """Stop if a file cannot be written where it is to go; nothing is made to try it.

    Raises:
        UserError: One of them is a folder, or its folder can be neither written to nor
            made.

    Example:
        >>> refuse_unwritable(Path("/dev/null/scanner.yaml"))
        Traceback (most recent call last):
        medvae.errors.UserError: /dev/null: no folder, so /dev/null/scanner.yaml cannot
        be written. Choose another.
    """
    for path in filter(None, outputs):
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            pass  # the first folder that is there tells
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written ({error.strerror}). Choose another."
            ) from None
        refuse_folders(path)
        there = next(folder for folder in path.parents if os.path.lexists(folder))
        if not there.is_dir():
            raise UserError(
                f"{there}: no folder, so {path} cannot be written. Choose another."
            )
        effective = os.access in os.supports_effective_ids
        if not os.access(there, os.W_OK | os.X_OK, effective_ids=effective):
            raise UserError(
                f"{there}: a folder that you may not write to, so {path} cannot be "
                "written. Choose another."
            )


def refuse_unlike(path: Path | None, *suffixes: str) -> None:
    """Stop if a file is to be named as what it will not be: it may be someone's scan.

    Raises:
        UserError: ``path`` is a folder, or ends in none of ``suffixes``.

    Example:
        >>> refuse_unlike(Path("scan.nii.gz"), ".png")
        Traceback (most recent call last):
        medvae.errors.UserError: scan.nii.gz: a .png file is written. Name it scan.png.
    """
    refuse_folders(path)
    if path is not None and path.suffix.lower() not in suffixes:
        stem = path.name
        for known in (".nii.gz", ".nii", ".yaml", ".yml", ".html", ".png"):
            stem = stem.removesuffix(known) or stem
        better = path.with_name(stem + suffixes[0])
        raise UserError(f"{path}: a {suffixes[0]} file is written. Name it {better}.")


def to_disk(path: Path) -> None:
    """Past the caches, so that a power cut leaves the old file or the new one."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8) to ``path`` whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401 (anything JSON holds)
    """Write ``content`` as indented JSON; NaN is refused, because JSON has none."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits.

    Raises:
        UserError: It is a pipe or a device, which can be read for ever.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UserError(f"{path}: not a regular file. Give a file.")
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def user_cache() -> Path:
    """Where work is kept between commands: ``$XDG_CACHE_HOME/medvae``.

    Without that variable, ``~/.cache/medvae``.

    Raises:
        UserError: A file stands where a folder of that path is to be.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    place = (Path(base) if base else Path.home() / ".cache") / "medvae"
    there = next((path for path in (place, *place.parents) if path.exists()), None)
    if there is not None and not there.is_dir():
        raise UserError(
            f"{there}: not a folder, so no work can be kept in {place}. "
            "Set XDG_CACHE_HOME to a folder."
        )
    return place
