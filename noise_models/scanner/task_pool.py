"""Tasks on several processes, or on a Dask cluster, each told of when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits

from noise_models.workers import workers

Progress = Callable[[int, int, str], None]

_PATIENCE_SECONDS = 10


class TaskPool:
    """Runs named tasks on several processes and tells of each that is done.

    Every task has one thread, so that its numbers are the same wherever it runs.

    Args:
        jobs: Processes of this machine; not looked at on a cluster.
        total: Tasks that will be run in all, for the progress.
        progress: Called with (done, total, label of what is waited for).
        dask: Address of a Dask scheduler, ``tcp://host:8786``, whose workers do the
            work. A task whose worker dies is given to another one.

    Example:
        >>> from joblib import delayed
        >>> TaskPool(1, 2, None).run([("a", delayed(abs)(-1)), ("b", delayed(abs)(2))])
        [1, 2]
    """

    def __init__(
        self,
        jobs: int,
        total: int,
        progress: Progress | None,
        dask: str | None = None,
    ) -> None:
        self.jobs, self.done, self.total, self.progress = jobs, 0, total, progress
        self.dask = dask

    def run(self, tasks: Iterable[tuple[str, Any]]) -> list[Any]:
        """Results in the order of the tasks.

        Raises:
            ImportError: A cluster is asked for and Dask is not installed.
            ValueError: Nothing answers at the cluster's address.
        """
        named = list(tasks)
        with self._workers() as pool:
            work = pool(delayed(_on_one_thread)(*task) for _, task in named)
            results: list[Any] = []
            for label, _ in named:  # told before it is waited for
                self._tell(label)
                results.append(next(work))
                self.done += 1
            results += work  # nothing: the pool ends
            self._tell(named[-1][0] if named else "")
        return results

    def _tell(self, label: str) -> None:
        if self.progress is not None and label:
            self.progress(self.done, self.total, label)

    @contextmanager
    def _workers(self) -> Iterator[Any]:
        if self.dask is None:
            yield workers(self.jobs)
            return
        with _client(self.dask), parallel_config("dask"):
            yield Parallel(n_jobs=-1, return_as="generator")


def _client(address: str) -> Any:  # noqa: ANN401 (distributed is an extra, untyped here)
    try:
        from distributed import Client
    except ImportError:
        raise ImportError(
            f"--dask {address}: needs Dask. pip install 'medvae-denoise[dask]'"
        ) from None
    try:
        return Client(address, timeout=_PATIENCE_SECONDS)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"--dask {address}: no scheduler answers ({reason}). Start one with: "
            "dask scheduler"
        ) from None


def _on_one_thread(
    function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:  # noqa: ANN401 (whatever the task returns)
    with threadpool_limits(limits=1):
        return function(*args, **options)
