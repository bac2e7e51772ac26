"""Mutants of the signals' code, judged by the unit tests that call it: see ``forks`` for how, in minutes, not hours.

No file is written, and several runs may share a tree. A mutant is killed if a test fails, if it cannot be imported, or
if the tests do not end. One that changes nothing is listed in ``equivalents``, with the reason, and is not counted.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.mutations.code import mutants
from tests.mutations.equivalents import EQUIVALENTS, Equivalent
from tests.mutations.forks import KILLED, Case, Judge, Package, Untestable, judge_by

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT: Final = Path(__file__).parents[2]
TESTS: Final = ("signals_*", "chances*", "promise_risk*", "error_budget*", "culprit_now*")
SIGNALS: Final = Package(
    folder=ROOT / "collectors" / "signals",
    name="collectors.signals",
    # What holds names of the signals' modules.
    stale=("collectors.live", "tests.unit", "tests.drills", "tests.live"),
)


def cases(only: Sequence[str]) -> list[Case]:
    """Return every mutant of some modules, by their names without `.py`; of all, if none is named."""
    paths = sorted(path for path in SIGNALS.folder.glob("*.py") if path.stem != "__init__")
    unknown = set(only) - {path.stem for path in paths}
    if unknown:
        raise Untestable(f"no module of {SIGNALS.folder.relative_to(ROOT)} is called {', '.join(sorted(unknown))}")
    chosen = [path for path in paths if not only or path.stem in only]
    return [Case(path.stem, one) for path in chosen for one in mutants(path.read_text(encoding="utf-8"), str(path))]


def equivalent(made: Sequence[Case]) -> list[Case]:
    """Return those of all mutants of some modules that change nothing. Raises Untestable where a listed one is gone."""
    modules = {case.module for case in made}
    listed = {one for one in EQUIVALENTS if one.module in modules}
    found = [case for case in made if _named(case) in listed]
    gone = listed - {_named(case) for case in found}
    if gone:
        raise Untestable(f"equivalents.py lists mutants that there are no more: {sorted(gone)}")
    return found


def _named(case: Case) -> Equivalent:
    return Equivalent(case.module, case.mutant.statement, case.mutant.what, case.mutant.nth)


def run(only: Sequence[str], sample: int | None, seed: int, jobs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Judge every mutant, or a seeded sample, and return the figures. Raises Untestable where the tests fail alone."""
    made = cases(only)
    silent = equivalent(made)
    judged = [case for case in made if case not in silent]
    drawn = random.Random(seed)  # noqa: S311 - a seeded sample
    judged = judged if sample is None else drawn.sample(judged, min(sample, len(judged)))
    survivors, all_of, killed = [], Counter(case.module for case in judged), Counter[str]()

    def hear(case: Case, fate: str) -> None:
        if fate == KILLED:
            killed[case.module] += 1
        else:
            survivors.append(str(case))
            say(f"survived: {case}")

    say(f"{len(judged)} of {len(made)} mutants; {len(silent)} change nothing")
    files = [path for name in TESTS for path in sorted((ROOT / "tests" / "unit").glob(f"test_{name}.py"))]
    judge_by(files, Judge(SIGNALS, judged, jobs, hear))
    return {
        "mutants": len(judged),
        "killed": killed.total(),
        "killed_share": round(killed.total() / len(judged), 4) if judged else None,
        "equivalent": len(silent),
        "modules": {name: f"{killed[name]}/{count}" for name, count in sorted(all_of.items())},
        "survivors": sorted(survivors),
    }
