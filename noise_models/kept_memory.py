"""Memory that was freed is kept for the next operation.

Decision (2026-11): glibc gives arrays of more than 32 MB back to the system as soon as
they are freed, and the top of its heap with them. The next operation gets new pages,
each cleared at its first touch. With pages kept, a training step on two volumes of
96 x 112 x 96 takes .80 of its processor time (48 x 56 x 48: .96), the estimates of a
scan .87; the first holds a tenth more memory at its peak. It is said for a whole
process, so that only programs and workers of our own say it, never an import.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of two settings in glibc's malloc.h."""

_MOST_KEPT = 2**31 - 1
_FROM_HEAP = 2**30
"""Bytes: larger arrays still come from the system and go back to it."""

_OLDER = 2**25
"""The most that older versions take."""


def keep_freed_memory() -> bool:
    """Tell glibc to keep what this process frees; whether there was one to tell.

    Whoever has set glibc's own variables (``MALLOC_TRIM_THRESHOLD_``,
    ``GLIBC_TUNABLES=glibc.malloc...``) is left alone. Older ones keep arrays of up to
    32 MB only.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, MALLOC_TRIM_THRESHOLD_="131072"):
        ...     keep_freed_memory()
        False
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    if "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    tell = _of_glibc("mallopt")
    if tell is None:
        return False
    told = [tell(_TRIM_THRESHOLD, _MOST_KEPT)]
    told.append(tell(_MMAP_THRESHOLD, _FROM_HEAP) or tell(_MMAP_THRESHOLD, _OLDER))
    return all(told)


def give_memory_back() -> None:
    """Give the system all that is kept and free, as after the end of a task."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function of the C library, None where it has none of that name."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):  # another C library
        return None
    return found
