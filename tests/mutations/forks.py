"""Judges mutants of one package: each in a fork of a process that has collected its tests and run them once.

Where a mistake lies inside of a function, the fork gives that function its changed code, and runs the collected tests
that call it. Where it lies elsewhere, or is not noticed though the function is called while tests are imported (that
was without the mistake), another fork imports everything anew, the changed module by an import hook.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import io
import os
import resource
import signal
import sys
import time
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from instrumentation.errors import TouchstoneError
from tests.mutations.calls import Calls, Function, caches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import CodeType, FunctionType, ModuleType

    from tests.mutations.code import Mutant

OPTIONS: Final = (
    "-x",
    "-q",
    "--tb=no",
    "--no-header",
    "--no-summary",
    "-p",
    "no:xdist",
    "-p",
    "no:cacheprovider",
    "-s",
)
PATIENCE_S: Final = 20.0  # of processor time
SLOWER: Final = 10.0  # times as long as without a mistake: then it will not end
ASLEEP_S: Final = 900.0  # whoever has not ended by then waits for something that will not come
SLOWEST_S: Final = 8.0  # a test that takes longer (while it is watched) judges no mutant
MEMORY_BYTES: Final = 3 * 2**30
KILLED, SURVIVED = "killed", "survived"
_ELSEWHERE: Final = 100  # the exit status of a fork that found no function to put the mistake in


class Untestable(TouchstoneError):
    """The tests fail without any mistake, or could not be run: they can judge nothing."""


class Case(NamedTuple):
    """A mutant of a module."""

    module: str
    mutant: Mutant

    def __str__(self) -> str:
        nth = f" (no. {self.mutant.nth})" if self.mutant.nth > 1 else ""
        return f"{self.module}.py:{self.mutant.line}: {self.mutant.what}{nth}"


class Package(NamedTuple):
    """What is changed: a folder of modules, their package, and the names of what must be imported anew with them."""

    folder: Path
    name: str
    stale: tuple[str, ...]


class Judge:
    """A plugin of pytest that runs the collected tests once, and then judges every case instead of ending."""

    def __init__(self, package: Package, cases: Sequence[Case], jobs: int, heard: Callable[[Case, str], None]) -> None:
        self.package, self.cases, self.jobs, self.heard = package, cases, jobs, heard
        self.calls = Calls(package.folder)
        self.items: dict[str, pytest.Item] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests, and judge where none of them failed."""
        self.items = {item.nodeid: item for item in session.items}
        _run(session, session.items)
        if session.testsfailed:
            return True
        session.config.pluginmanager.unregister(self.calls)
        for cache in caches():
            cache.cache_clear()
        gc.freeze()  # what is here stays: no fork looks through it
        for case, fate in self._fates(session):
            self.heard(case, fate)
        return True

    def _fates(self, session: pytest.Session) -> Iterator[tuple[Case, str]]:
        """Yield each case with its fate as soon as that is known, at most ``jobs`` judged at once."""
        waiting = [(case, True) for case in reversed(self.cases)]
        running: dict[int, tuple[Case, bool, float]] = {}
        while waiting or running:
            while waiting and len(running) < self.jobs:
                case, in_place = waiting.pop()
                tests = self._tests(case, in_place=in_place)
                until = time.monotonic() + ASLEEP_S
                running[self._forked(session, case, tests, in_place=in_place)] = case, in_place, until
            for pid, (case, in_place, until) in list(running.items()):
                code = _ended(pid, late=time.monotonic() > until)
                if code is None:
                    continue
                del running[pid]
                if in_place and code in {_ELSEWHERE, pytest.ExitCode.OK} and self._is_elsewhere(case, code):
                    waiting.append((case, False))
                else:
                    yield case, _fate(case, code)
            time.sleep(0.002)

    def _is_elsewhere(self, case: Case, code: int) -> bool:
        return code == _ELSEWHERE or Function(case.module, case.mutant.function) in self.calls.imported

    def _tests(self, case: Case, *, in_place: bool) -> list[str]:
        function = Function(case.module, case.mutant.function)
        tests = self.calls.callers(function) if in_place else self.calls.testers(case.module)
        return [test for test in tests if self.calls.took_s[test] <= SLOWEST_S]

    def _forked(self, session: pytest.Session, case: Case, tests: Sequence[str], *, in_place: bool) -> int:
        """Judge a mutant in a process of its own, and return that process's number."""
        pid = os.fork()
        if pid:
            return pid
        code = int(pytest.ExitCode.INTERNAL_ERROR)
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            most_s = round(PATIENCE_S + SLOWER * sum(self.calls.took_s[test] for test in tests))
            resource.setrlimit(resource.RLIMIT_CPU, (most_s, most_s))
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            code = self._in_place(session, case, tests) if in_place else self._imported_anew(case, tests)
        finally:
            os._exit(code)

    def _in_place(self, session: pytest.Session, case: Case, tests: Sequence[str]) -> int:
        if not changed_in_place(sys.modules[f"{self.package.name}.{case.module}"], case.mutant.code):
            return _ELSEWHERE
        _run(session, [self.items[test] for test in tests])
        return int(pytest.ExitCode.TESTS_FAILED if session.testsfailed else pytest.ExitCode.OK)

    def _imported_anew(self, case: Case, tests: Sequence[str]) -> int:
        if not tests:
            return int(pytest.ExitCode.OK)
        for name in [name for name in sys.modules if name.startswith((self.package.name, *self.package.stale))]:
            del sys.modules[name]
        module, path = f"{self.package.name}.{case.module}", self.package.folder / f"{case.module}.py"
        sys.meta_path.insert(0, _Changed(module, path, case.mutant.code))
        return int(pytest.main([*OPTIONS, *tests]))


def judge_by(files: Sequence[Path], judge: Judge) -> None:
    """Judge all cases by the tests of these files. Raises Untestable where the tests fail without any mistake."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main([*OPTIONS, *map(str, files)], plugins=[judge.calls, judge])
    if code != pytest.ExitCode.OK:
        raise Untestable(f"the tests fail without any mistake: {judge.calls.failed or said.getvalue()[-2_000:]}")


def _run(session: pytest.Session, items: Sequence[pytest.Item]) -> None:
    """Run collected tests until one fails."""
    for item, following in zip_longest(items, items[1:]):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return


def _ended(pid: int, *, late: bool) -> int | None:
    """Return the exit status of a fork, None while its tests run. Whoever is late is ended."""
    if late:
        os.kill(pid, signal.SIGKILL)
    ended, status = os.waitpid(pid, 0 if late else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _fate(case: Case, code: int) -> str:
    if code in {pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED}:
        raise Untestable(f"the tests could not be run with {case} (pytest ended with {code})")
    return SURVIVED if code == pytest.ExitCode.OK else KILLED


def changed_in_place(module: ModuleType, changed: CodeType) -> bool:
    """Give the functions of a module their changed code; False where no function of it has changed."""
    codes = dict(_codes(changed))
    found = False
    for function in _functions(vars(module), module.__name__):
        code = codes.get(_key(function.__code__))
        if code is not None and code != function.__code__:
            function.__code__ = code
            found = True
    return found


def _key(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    """Yield the code of every function and class within a code."""
    for one in code.co_consts:
        if inspect.iscode(one):
            yield _key(one), one
            yield from _codes(one)


def _functions(names: Mapping[str, Any], module: str) -> Iterator[FunctionType]:
    """Yield the functions that a module or class defines, out of whatever wraps them."""
    for value in names.values():
        one = inspect.unwrap(value) if callable(value) else value
        if inspect.isclass(one):
            if one.__module__ == module:
                yield from _functions(vars(one), module)
            continue
        if isinstance(one, property):
            one = one.fget
        for inner in ("func", "__func__"):  # of a cached property; of a class method or static one
            one = getattr(one, inner, one)
        if inspect.isfunction(one) and one.__module__ == module:
            yield one


class _Changed(MetaPathFinder, Loader):
    """Brings a mutant where its module is asked for."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self.name, self.path, self.code = name, path, code

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> ModuleSpec | None:
        """Answer for the one module alone."""
        return ModuleSpec(fullname, self, origin=str(self.path)) if fullname == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed code as the module."""
        module.__file__ = str(self.path)
        exec(self.code, module.__dict__)  # noqa: S102 - our own code, with one mistake
