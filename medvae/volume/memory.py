"""A scan that does not fit in memory is told by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from medvae.errors import UserError

TOO_LARGE = "too large for memory"


@contextmanager
def within_memory(name: str, shape: Sequence[int]) -> Iterator[None]:
    """Name the scan when memory runs out over it.

    A small compressed file can hold gigabytes, and truthfully promise them.

    Raises:
        UserError: Memory ran out.

    Example:
        >>> with within_memory("a.nii.gz", (2, 3, 4)):
        ...     raise MemoryError
        Traceback (most recent call last):
        ...
        medvae.errors.UserError: a.nii.gz: too large for memory, 2 x 3 x 4 voxels. ...
    """
    try:
        yield
    except MemoryError:
        size = " x ".join(map(str, shape))
        raise UserError(
            f"{name}: {TOO_LARGE}, {size} voxels. Resample it, use fewer "
            "--jobs, or a machine with more memory."
        ) from None
