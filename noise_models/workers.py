"""Processes that work for another one, and end with it.

Decision (2026-11): a killed caller cannot tell its workers to end. joblib's would
finish what they were given and wait for five minutes more, those of a standard pool
for ever. Each watches its caller instead, for a thread that wakes once a second.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, cast

from joblib import Parallel, delayed

from noise_models.kept_memory import give_memory_back, keep_freed_memory

_LOOK_SECONDS = 1.0


def workers(jobs: int, *, unordered: bool = False) -> Parallel:
    """Joblib's engine, whose workers end with this process, however it ends.

    They work in its folder, so that relative paths mean what they mean to the caller.
    Joblib's otherwise stay where the caller was when they were started, and are used
    again; given another folder, it starts new ones.

    Args:
        jobs: Processes; with one, tasks run in this one.
        unordered: Results come as they are done instead of in the order of the tasks.

    Example:
        >>> from joblib import delayed
        >>> list(workers(1)(delayed(abs)(x) for x in (-1, 2)))
        [1, 2]
    """
    order = "generator_unordered" if unordered else "generator"
    return _Workers(
        n_jobs=jobs,
        return_as=order,
        initializer=serve_caller,
        initargs=(str(Path.cwd()),),
    )


class _Workers(Parallel):  # type: ignore[misc]  # joblib has no types
    """Whose tasks give back at their end what memory they kept.

    Joblib takes it for a leak otherwise, and starts another process with a warning.
    """

    def __call__(self, tasks: Iterable[Any]) -> Any:  # noqa: ANN401 (as joblib's)
        if self.n_jobs == 1:  # in this process, which is not ours to tidy up
            return super().__call__(tasks)
        return super().__call__(delayed(_and_give_back)(*task) for task in tasks)


def _and_give_back(
    function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:  # noqa: ANN401 (whatever the task returns)
    try:
        return function(*args, **options)
    finally:
        give_memory_back()


def serve_caller(folder: str | None = None) -> None:
    """What a worker does first: Ctrl-C is its caller's, and it ends with its caller.

    It also keeps the memory that it frees, as commands do.

    Args:
        folder: Where to work.
    """
    if folder is not None:
        os.chdir(folder)
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_caller, daemon=True).start()


def _end_with_caller() -> None:
    caller = parent_process()
    if caller is None:
        return
    sentinel = cast("int | None", caller.sentinel)  # joblib hands its workers none
    if sentinel is not None:
        wait([sentinel])
    else:
        while os.getppid() == caller.pid:
            time.sleep(_LOOK_SECONDS)
    os._exit(1)
