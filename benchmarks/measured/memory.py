"""Peak memory of this process, of one piece of work after another (Linux)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path


def peak_mib() -> float:
    """Most memory this process has held since it was told to forget, MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) / 1024 for x in lines if x.startswith("VmHWM"))


def forget_peak() -> float:
    """Start the peak anew; what is held now, MiB.

    What the allocator keeps for later is given back before, where it can (glibc): the
    next piece of work would use it, and seem to need less than it does.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mib()


def added_mib(work: Callable[[], object]) -> float:
    """The most that ``work`` held above what was held before it, MiB."""
    before = forget_peak()
    work()
    return peak_mib() - before
