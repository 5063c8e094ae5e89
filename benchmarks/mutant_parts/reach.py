"""Which tests run which lines: a mutant is shown only to tests that can see it."""

from __future__ import annotations

import ast
import json
import math
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings


@dataclass
class Reach:
    """What one run of the tests without any mutant has shown.

    Args:
        seconds: Processor time of every test, and of every shared fixture.
        fixtures: Fixtures that every test asks for.
        lines: By file and line, the tests and shared fixtures that run it.
        slow: Tests that were stopped because they, or a fixture, took too long.
        slowest: Seconds that they might take.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    fixtures: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    slow: list[str] = field(default_factory=list)
    slowest: float = math.inf

    @classmethod
    def read(cls, kept: Path) -> Reach:
        """What :func:`measure` wrote."""
        return cls(**json.loads(kept.read_text(encoding="utf-8")))

    def holds_for(self, slowest: float) -> bool:
        """Whether another bound would have stopped the same tests."""
        longest = max(self.seconds.values(), default=0.0)
        return slowest == self.slowest or (not self.slow and longest <= slowest)

    def add(self, other: Reach) -> None:
        """Take in what a run of other tests has shown."""
        for test, spent in other.seconds.items():  # a fixture is in several runs
            self.seconds[test] = max(spent, self.seconds.get(test, 0.0))
        self.fixtures |= other.fixtures
        self.slow += other.slow
        for path, by_line in other.lines.items():
            known = self.lines.setdefault(path, {})
            for line, names in by_line.items():
                known[line] = sorted({*known.get(line, ()), *names})

    def used(self) -> list[str]:
        """All tests that are quick enough, the quickest first."""
        found = self.fixtures.keys() - set(self.slow)
        return sorted(found, key=lambda test: (self.seconds.get(test, 0.0), test))

    def tests(self, path: str, place: Iterable[int]) -> list[str]:
        """Tests that run any of some lines, the quickest first.

        A fixture that tests share is made in the first of them; what it runs is
        counted for all that ask for it.
        """
        known = self.lines.get(path, {})
        names = {one for line in place for one in known.get(str(line), ())}
        shared = {n.removeprefix(FIXTURE) for n in names if n.startswith(FIXTURE)}
        return [
            test
            for test in self.used()
            if test in names or shared.intersection(self.fixtures[test])
        ]

    def bound_s(self, test: str) -> float:
        """Seconds that no mutant needs that is not lost: five times what it takes."""
        shared = [FIXTURE + name for name in self.fixtures.get(test, ())]
        return 10 + 5 * sum(self.seconds.get(one, 0.0) for one in (test, *shared))


FIXTURE = "fixture "


TOO_SLOW = "takes too long to be shown mutants"


class Watch:
    """A pytest plugin that tells coverage which test is at work, and ends slow ones.

    Args:
        coverage: That runs.
        reach: To be filled.
        slowest: Seconds of processor time that a test, and a shared fixture, may take.
    """

    def __init__(self, coverage: Any, reach: Reach, slowest: float) -> None:  # noqa: ANN401
        self.coverage, self.reach, self.slowest = coverage, reach, slowest
        self.at_work, self.inner = [""], [0.0]
        signal.signal(signal.SIGPROF, _skip)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:  # noqa: ANN401
        self.reach.fixtures[item.nodeid] = list(getattr(item, "fixturenames", ()))
        with self._at(item.nodeid):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        with self._bounded():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        with self._bounded():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:  # noqa: ANN401
        if fixturedef.scope == "function":
            return (yield)
        with self._at(FIXTURE + fixturedef.argname), self._bounded():
            return (yield)

    def pytest_runtest_logreport(self, report: Any) -> None:  # noqa: ANN401
        if report.skipped and TOO_SLOW in report.longreprtext:
            self.reach.slow.append(report.nodeid)

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        before, _ = signal.setitimer(signal.ITIMER_PROF, self.slowest)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, before)

    @contextmanager
    def _at(self, name: str) -> Iterator[None]:
        """Lines and seconds are counted for ``name``, without what is inside of it."""
        started = _processor_seconds()
        self.at_work.append(name)
        self.inner.append(0.0)
        self.coverage.switch_context(name)
        try:
            yield
        finally:
            self.at_work.pop()
            self.coverage.switch_context(self.at_work[-1])
            whole = _processor_seconds() - started
            self.reach.seconds[name] = round(whole - self.inner.pop(), 3)
            self.inner[-1] += whole


def _skip(*_: object) -> None:
    pytest.skip(TOO_SLOW)


def measure(
    root: Path,
    tests: Sequence[str],
    sources: Sequence[str],
    slowest: float,
    out: Path,
) -> int:
    """Run tests once, unchanged, and write what they reach; pytest's exit code.

    To be called in a process of its own, whose modules are then those below ``root``.
    """
    from coverage import Coverage

    coverage = Coverage(
        data_file=None,
        branch=False,
        config_file=False,
        include=[str(root / path) for path in sources],
    )
    reach = Reach(slowest=slowest)
    coverage.start()
    watch = Watch(coverage, reach, slowest)
    code = int(pytest.main([*QUIET, *tests], plugins=[watch]))
    coverage.stop()
    data = coverage.get_data()
    for path in sources:
        called = bodies((root / path).read_text(encoding="utf-8"))
        reach.lines[path] = {
            # Called while modules are imported: every test here may see it.
            str(line): sorted(
                reach.fixtures if "" in names and line in called else {*names} - {""}
            )
            for line, names in data.contexts_by_lineno(str(root / path)).items()
        }
    if code in (0, NO_TESTS):
        partial = out.with_suffix(".part")
        partial.write_text(json.dumps(vars(reach)), encoding="utf-8")
        partial.replace(out)
        return 0
    return code


def bodies(code: str) -> set[int]:
    r"""Lines within functions, whose heads are run at import and they are not.

    Example:
        >>> sorted(bodies("def double(x):\n    y = 2 * x\n    return y\n"))
        [2, 3]
    """
    return {
        line
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.FunctionDef)
        for line in range(node.body[0].lineno, (node.end_lineno or 0) + 1)
    }


NO_TESTS = 5  # pytest's exit code
QUIET = (
    "-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist",
    "-p", "no:cov", "-o", "addopts=--strict-markers --doctest-modules",
    "-m", "not study and not gpu and not browser",
)  # fmt: skip


def enter(root: Path) -> None:
    """Make ``root`` the place that modules are imported from, here and in workers."""
    os.chdir(root)
    sys.path.insert(0, str(root))
    os.environ["PYTHONPATH"] = str(root)
    settings.register_profile("mutants", deadline=None, derandomize=True, database=None)
    settings.load_profile("mutants")  # a loaded machine is no failure


def _processor_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
