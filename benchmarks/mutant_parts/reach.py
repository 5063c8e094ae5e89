"""Which tests run which lines: a mutant is shown only to tests that can see it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Reach:
    """What one run of the tests without any mutant has shown.

    Args:
        seconds: Processor time of every test, and of every shared fixture.
        fixtures: Fixtures that every test asks for.
        lines: By file and line, the tests and shared fixtures that run it.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    fixtures: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def tests(self, path: str, place: Iterable[int]) -> list[str]:
        """Tests that run any of some lines, the quickest first.

        A fixture that tests share is made in the first of them; what it runs is
        counted for all that ask for it.
        """
        known = self.lines.get(path, {})
        names = {one for line in place for one in known.get(str(line), ())}
        shared = {n.removeprefix(FIXTURE) for n in names if n.startswith(FIXTURE)}
        found = [
            test
            for test, asked in self.fixtures.items()
            if test in names or shared.intersection(asked)
        ]
        return sorted(found, key=lambda test: (self.seconds.get(test, 0.0), test))

    def bound_s(self, test: str) -> float:
        """Seconds that no mutant needs that is not lost: five times what it takes."""
        shared = [FIXTURE + name for name in self.fixtures.get(test, ())]
        return 10 + 5 * sum(self.seconds.get(one, 0.0) for one in (test, *shared))


FIXTURE = "fixture "


class Watch:
    """A pytest plugin that tells coverage which test is at work."""

    def __init__(self, coverage: Any, reach: Reach) -> None:  # noqa: ANN401
        self.coverage, self.reach = coverage, reach
        self.at_work = [""]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:  # noqa: ANN401
        self.reach.fixtures[item.nodeid] = list(getattr(item, "fixturenames", ()))
        with self._at(item.nodeid):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:  # noqa: ANN401
        if fixturedef.scope == "function":
            return (yield)
        with self._at(FIXTURE + fixturedef.argname):
            return (yield)

    @contextmanager
    def _at(self, name: str) -> Iterator[None]:
        started = _processor_seconds()
        self.at_work.append(name)
        self.coverage.switch_context(name)
        try:
            yield
        finally:
            self.at_work.pop()
            self.coverage.switch_context(self.at_work[-1])
            self.reach.seconds[name] = round(_processor_seconds() - started, 3)


def measure(root: Path, tests: Sequence[str], sources: Sequence[str], out: Path) -> int:
    """Run the tests once, unchanged, and write what they reach; pytest's exit code.

    To be called in a process of its own, whose modules are then those below ``root``.
    """
    from coverage import Coverage

    coverage = Coverage(
        data_file=None,
        branch=False,
        config_file=False,
        include=[str(root / path) for path in sources],
    )
    reach = Reach()
    coverage.start()
    code = int(pytest.main([*QUIET, *tests], plugins=[Watch(coverage, reach)]))
    coverage.stop()
    data = coverage.get_data()
    for path in sources:
        by_line = data.contexts_by_lineno(str(root / path))
        reach.lines[path] = {
            str(line): sorted(name for name in names if name)
            for line, names in by_line.items()
        }
    out.write_text(json.dumps(vars(reach)), encoding="utf-8")
    return code


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


def _processor_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
