"""Which tests call which functions, and how long each takes: a mutant is judged by its own tests, quick ones first."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Function(NamedTuple):
    """A function, by its module and the first line of its definition."""

    module: str
    line: int


class Calls:
    """A plugin of pytest: notes what each test calls in a folder of modules, its fixtures included."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.called: dict[str, set[Function]] = defaultdict(set)
        self.took_s: dict[str, float] = {}
        self.failed: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Watch one test from its setup to its end."""
        found = self.called[item.nodeid]

        def watch(frame: FrameType, _event: str, _value: object) -> None:
            path, _, file = frame.f_code.co_filename.rpartition("/")
            if path == self.folder:
                found.add(Function(Path(file).stem, frame.f_code.co_firstlineno))

        begun = time.perf_counter()
        sys.settrace(watch)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.took_s[item.nodeid] = time.perf_counter() - begun

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what fails even without a mistake: such a test could judge nothing."""
        if report.failed:
            self.failed.append(report.nodeid)

    def judges(self, function: Function) -> list[str]:
        """Return the tests that call a function, quick ones first, then the others of files that test its module."""
        own = {test for test, called in self.called.items() if function in called}
        files = {
            _file(test) for test, called in self.called.items() if any(one.module == function.module for one in called)
        }
        others = {test for test in self.called if _file(test) in files} - own
        return [test for group in (own, others) for test in sorted(group, key=self.took_s.__getitem__)]


def _file(test: str) -> str:
    return test.partition("::")[0]
