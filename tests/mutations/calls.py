"""Which tests call which functions, and what each costs: a mutant is judged by its own tests, quick ones first."""

from __future__ import annotations

import functools
import gc
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import FrameType


class Function(NamedTuple):
    """A function, by its module and the first line of its definition."""

    module: str
    line: int


class Calls:
    """A plugin of pytest: notes what each test calls in a folder of modules, its fixtures included.

    ``called``: by test, also by those for which a fixture had been set up before. ``imported``: what is called while
    tests are imported. ``took_s``: processor time, so that a busy machine makes no test slow. Results that a test keeps
    in a cache of Python's are forgotten before the next one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.called: dict[str, set[Function]] = defaultdict(set)
        self.imported: set[Function] = set()
        self.took_s: dict[str, float] = {}
        self.failed: list[str] = []
        self._fixtures: dict[str, set[Function]] = defaultdict(set)
        self._noting: list[set[Function]] = []
        self._caches: list[Any] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Watch the tests being imported."""
        self._noting = [self.imported]
        sys.settrace(self._watch)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self._caches = caches()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        """Note what a fixture calls for all tests that use it, whichever comes first."""
        self._noting.append(self._fixtures[fixturedef.argname])
        try:
            return (yield)
        finally:
            self._noting.pop()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch one test from its setup to its end."""
        for cache in self._caches:
            cache.cache_clear()
        self._noting = [self.called[item.nodeid]]
        begun = time.process_time()
        sys.settrace(self._watch)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.took_s[item.nodeid] = time.process_time() - begun
            for name in getattr(item, "fixturenames", ()):
                self.called[item.nodeid] |= self._fixtures[name]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what fails even without a mistake: such a test could judge nothing."""
        if report.failed:
            self.failed.append(report.nodeid)

    def callers(self, function: Function) -> list[str]:
        """Return the tests that call a function, quick ones first."""
        return self._quick_first([test for test, called in self.called.items() if function in called])

    def testers(self, module: str) -> list[str]:
        """Return the tests of all files in which one calls anything of a module; those that do so come first."""
        own = [test for test, called in self.called.items() if any(one.module == module for one in called)]
        files = {_file(test) for test in own}
        others = [test for test in self.called if _file(test) in files and test not in own]
        return [*self._quick_first(own), *self._quick_first(others)]

    def _quick_first(self, tests: Sequence[str]) -> list[str]:
        return sorted(tests, key=self.took_s.__getitem__)

    def _watch(self, frame: FrameType, _event: str, _value: object) -> None:
        path, _, file = frame.f_code.co_filename.rpartition("/")
        if path == self.folder:
            self._noting[-1].add(Function(Path(file).stem, frame.f_code.co_firstlineno))


def caches() -> list[Any]:
    """Return all caches of results that there are, of ``functools.cache`` and its like."""
    return [one for one in gc.get_objects() if isinstance(one, functools._lru_cache_wrapper)]  # noqa: SLF001 - no other


def _file(test: str) -> str:
    return test.partition("::")[0]
