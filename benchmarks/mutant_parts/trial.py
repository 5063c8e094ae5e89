"""One mutant against the tests that reach it, in a process forked for it."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mutant_parts.reach import QUIET, Reach, enter

MEMORY = 4 * 2**30  # bytes beyond what the process had when it was forked
PR_SET_PDEATHSIG = 1  # of Linux: the signal that a dead parent leaves
CRASHED, OUTSIDE = 70, 71  # exit codes: of no test, but of what runs them
PASSED, FAILED, NOT_IMPORTED, NO_SUCH_TEST = 0, 1, 2, 4  # pytest's


@dataclass(frozen=True)
class Outcome:
    """What the tests said.

    Args:
        word: ``"killed"``, ``"survived"``, ``"timeout"`` or ``"error N"``.
        seconds: Of processor time.
    """

    word: str
    seconds: float


def try_mutant(
    root: Path,
    tests: Sequence[str],
    reach: Reach,
    log: Path,
    *,
    is_mutant: bool = True,
) -> Outcome:
    """Run tests over what lies below ``root`` until the first fails.

    Compiled modules are kept of the unchanged sources only.
    """
    before = _seconds_of_children()
    sys.dont_write_bytecode = is_mutant
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1" if is_mutant else ""
    code = forked(lambda: _run(root, tests, reach), log)
    if code == NO_SUCH_TEST:  # named by a list that the mutant has changed
        files = sorted({test.split("::")[0] for test in tests})
        code = forked(lambda: _run(root, files, reach), log)
    return Outcome(_word(code), round(_seconds_of_children() - before, 2))


def forked(work: Callable[[], int], log: Path) -> int:
    """Exit code of ``work`` in a fork of this process; negative: a signal."""
    child = os.fork()
    if child == 0:
        code = CRASHED
        try:
            os.setpgid(0, 0)
            _end_with_parent()
            shown = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(shown, 1)
            os.dup2(shown, 2)
            code = work()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # workers that it has left
    return os.waitstatus_to_exitcode(status)


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Bound:
    """A pytest plugin that ends the process when a test takes far too long."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:  # noqa: ANN401
        bound = self.reach.bound_s(item.nodeid)
        signal.setitimer(signal.ITIMER_PROF, bound)
        signal.alarm(int(8 * bound))  # by the clock: a lock that nobody opens
        return (yield)


def _run(root: Path, tests: Sequence[str], reach: Reach) -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    enter(root)
    import noise_models

    if not str(noise_models.__file__).startswith(str(root)):
        return OUTSIDE
    return int(pytest.main([*QUIET, *tests], plugins=[Bound(reach)]))


def _word(code: int) -> str:
    """A failing test, or a module that cannot be imported any more, kills a mutant."""
    if code in (FAILED, NOT_IMPORTED, NO_SUCH_TEST):
        return "killed"
    if -code in (signal.SIGPROF, signal.SIGALRM):
        return "timeout"
    return "survived" if code == PASSED else f"error {code}"


def _seconds_of_children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
