"""Mutants of the signals' code: each is judged by the unit tests that call it, in a fork of one warm process.

The changed module takes the place of its own by an import hook, so no file is written, and several runs may share a
tree. A mutant is killed if a test fails, if it cannot be imported, or if the tests do not end.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import pytest

from instrumentation.errors import TouchstoneError
from tests.mutations.calls import Calls, Function
from tests.mutations.code import mutants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import CodeType, ModuleType

    from tests.mutations.code import Mutant

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "collectors" / "signals"
PACKAGE: Final = "collectors.signals"
TESTS: Final = ("signals_*", "chances*", "promise_risk*", "error_budget*", "culprit_now*")
# What holds names of the signals' modules, and is therefore imported anew with a mutant.
STALE: Final = (PACKAGE, "collectors.live", "tests.unit", "tests.drills", "tests.live")
_OPTIONS: Final = ("-x", "-q", "--tb=no", "--no-header", "--no-summary", "-p", "no:xdist", "-p", "no:cacheprovider")
PATIENCE_S: Final = 20.0
SLOWER: Final = 10.0  # times as long as without a mistake: then it will not end
MEMORY_BYTES: Final = 3 * 2**30
KILLED, SURVIVED = "killed", "survived"


class Untestable(TouchstoneError):
    """The tests fail without any mistake, or could not be run: they can judge nothing."""


class Case(NamedTuple):
    """A mutant of a module of the signals."""

    module: str
    mutant: Mutant

    def __str__(self) -> str:
        return f"{self.module}.py:{self.mutant.line}: {self.mutant.what}"


def cases(only: Sequence[str]) -> list[Case]:
    """Return every mutant of some modules, by their names without `.py`; of all, if none is named."""
    paths = sorted(path for path in FOLDER.glob("*.py") if path.stem != "__init__")
    unknown = set(only) - {path.stem for path in paths}
    if unknown:
        raise Untestable(f"no module of {FOLDER.relative_to(ROOT)} is called {', '.join(sorted(unknown))}")
    chosen = [path for path in paths if not only or path.stem in only]
    return [Case(path.stem, one) for path in chosen for one in mutants(path.read_text(encoding="utf-8"), str(path))]


def run(only: Sequence[str], sample: int | None, seed: int, jobs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Judge every mutant, or a seeded sample, and return the figures. Raises Untestable where the tests fail alone."""
    made = cases(only)
    drawn = random.Random(seed)  # noqa: S311 - a seeded sample
    judged = made if sample is None else drawn.sample(made, min(sample, len(made)))
    calls = _warm()
    gc.freeze()  # what is here stays: no fork looks through it
    say(f"{len(judged)} of {len(made)} mutants, {len(calls.called)} tests")
    survivors, all_of, killed = [], Counter(case.module for case in judged), Counter[str]()
    for case, fate in _fates(judged, calls, jobs):
        if fate == KILLED:
            killed[case.module] += 1
        else:
            survivors.append(str(case))
            say(f"survived: {case}")
    return {
        "mutants": len(judged),
        "killed": killed.total(),
        "killed_share": round(killed.total() / len(judged), 4) if judged else None,
        "modules": {name: f"{killed[name]}/{count}" for name, count in sorted(all_of.items())},
        "survivors": sorted(survivors),
    }


def _warm() -> Calls:
    """Run the tests once as they are, so that what they need is imported, and return what each of them calls."""
    calls = Calls(FOLDER)
    files = sorted(str(path) for name in TESTS for path in (ROOT / "tests" / "unit").glob(f"test_{name}.py"))
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = _tested(files, calls)
    if code != pytest.ExitCode.OK:
        raise Untestable(f"the tests fail without any mistake: {calls.failed or said.getvalue()[-2_000:]}")
    return calls


def _tested(arguments: Sequence[str], *plugins: object) -> int:
    return int(pytest.main([*_OPTIONS, f"--rootdir={ROOT}", *arguments], plugins=list(plugins)))


def _fates(judged: Sequence[Case], calls: Calls, jobs: int) -> Iterator[tuple[Case, str]]:
    """Yield each case with its fate as soon as that is known, at most ``jobs`` judged at once."""
    waiting, running = list(reversed(judged)), dict[int, tuple[Case, float]]()
    while waiting or running:
        while waiting and len(running) < jobs:
            case = waiting.pop()
            tests = calls.judges(Function(case.module, case.mutant.function))
            if not tests:
                yield case, SURVIVED
                continue
            patience = PATIENCE_S + SLOWER * sum(calls.took_s[test] for test in tests)
            running[_forked(case, tests)] = case, time.monotonic() + patience
        for pid, (case, until) in list(running.items()):
            fate = _fate(pid, time.monotonic() > until)
            if fate is not None:
                del running[pid]
                yield case, fate
        time.sleep(0.005)


def _fate(pid: int, late: bool) -> str | None:  # noqa: FBT001 - asked once
    """Return what became of a mutant, None while its tests run. Whoever is late is ended."""
    if late:
        os.kill(pid, signal.SIGKILL)
    ended, status = os.waitpid(pid, 0 if late else os.WNOHANG)
    if not ended:
        return None
    code = os.waitstatus_to_exitcode(status)
    if code in {pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED}:
        raise Untestable(f"the tests of a mutant could not be run (pytest ended with {code})")
    return SURVIVED if code == pytest.ExitCode.OK else KILLED


def _forked(case: Case, tests: Sequence[str]) -> int:
    """Judge a mutant in a process of its own, and return that process's number."""
    pid = os.fork()
    if pid == 0:
        _judge(case, tests)
    return pid


def _judge(case: Case, tests: Sequence[str]) -> NoReturn:
    code = int(pytest.ExitCode.INTERNAL_ERROR)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        for name in [name for name in sys.modules if name.startswith(STALE)]:
            del sys.modules[name]
        sys.meta_path.insert(0, _Changed(f"{PACKAGE}.{case.module}", FOLDER / f"{case.module}.py", case.mutant.code))
        code = _tested(tests)
    finally:
        os._exit(code)


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
