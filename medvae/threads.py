"""One thread a task, so that results do not depend on how tasks are spread."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

P = ParamSpec("P")
R = TypeVar("R")


def one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with one thread in every numerical library.

    The order in which threads add numbers changes the last bit of a sum, and with it
    a rounded voxel; tasks run side by side in processes instead.

    Example:
        >>> @one_thread
        ... def twice(x: int) -> int:
        ...     return 2 * x
        >>> twice(2)
        4
    """

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with threadpool_limits(limits=1):
            return function(*args, **kwargs)

    return alone
