"""Permissions hold for root, too, while a test asks for it.

Root may read what nobody may read, and tests often run as root: the two capabilities
behind it (CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, capabilities(7)) are laid down by
this thread and taken up again.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager

ABOVE_PERMISSIONS = 1 << 1 | 1 << 2
VERSION_3 = 0x20080522


@contextmanager
def as_anybody():
    """No more rights than an owner has; does nothing for who has none anyway."""
    if sys.platform != "linux":
        yield
        return
    kernel = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(VERSION_3, 0)  # of this thread
    held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, twice
    assert kernel.capget(header, held) == 0
    fewer = type(held)(*held)
    fewer[0] &= ~ABOVE_PERMISSIONS
    assert kernel.capset(header, fewer) == 0
    try:
        yield
    finally:
        assert kernel.capset(header, held) == 0
