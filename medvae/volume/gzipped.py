"""Reading a compressed file to its end, so that its checksum is looked at."""

from __future__ import annotations

import gzip
from pathlib import Path

_PIECE = 2**20
_TRAILING = 2**24
"""Bytes that may follow the voxels; more is no scan."""


def unpacked(path: Path, most: int) -> bytes:
    """Content of a gzip file, which its checksum vouches for.

    Readers that stop after the last voxel never see the checksum, and take a file with
    a flipped bit for a good one.

    Args:
        path: The file.
        most: Bytes that are wanted of it.

    Raises:
        OSError, EOFError, zlib.error: It is damaged, or much longer than ``most``.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.gz"
        >>> _ = path.write_bytes(gzip.compress(b"voxels, and more"))
        >>> unpacked(path, 6)
        b'voxels'
    """
    with gzip.open(path) as file:
        content = file.read(most)
        beyond = 0
        while piece := file.read(_PIECE):
            beyond += len(piece)
            if beyond > _TRAILING:
                raise OSError("the header promises less than the file holds")
    return content
