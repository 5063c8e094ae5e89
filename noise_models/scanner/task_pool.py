"""Tasks on several processes, each of which is told of when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from joblib import Parallel

Progress = Callable[[int, int, str], None]


class TaskPool:
    """Runs named tasks on several processes and tells of each that is done.

    Args:
        jobs: Processes.
        total: Tasks that will be run in all, for the progress.
        progress: Called with (done, total, label).

    Example:
        >>> from joblib import delayed
        >>> TaskPool(1, 2, None).run([("a", delayed(abs)(-1)), ("b", delayed(abs)(2))])
        [1, 2]
    """

    def __init__(self, jobs: int, total: int, progress: Progress | None) -> None:
        self.jobs, self.done, self.total, self.progress = jobs, 0, total, progress

    def run(self, tasks: Iterable[tuple[str, Any]]) -> list[Any]:
        """Results in the order of the tasks."""
        named = list(tasks)
        work = Parallel(n_jobs=self.jobs, return_as="generator")
        results = []
        for (label, _), result in zip(named, work(t for _, t in named), strict=True):
            results.append(result)
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.total, label)
        return results
