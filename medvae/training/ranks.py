"""Which of the processes that train together this one is."""

from __future__ import annotations

import os

_TOLD_BY = ("RANK", "SLURM_PROCID", "LOCAL_RANK")  # torchrun, SLURM, Lightning itself


def process_rank() -> int:
    """0 for the one that writes, or for the only one.

    Example:
        >>> process_rank()
        0
    """
    return next((int(os.environ[name]) for name in _TOLD_BY if name in os.environ), 0)
