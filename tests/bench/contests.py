"""What is measured against what: replay and its floors, reading XES and its peers."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.bench.environments import PROGRAMS, ROOT, Skipped, environment, version
from tests.bench.processes import Program, ProgramFailed, Results, compare, figures, run_process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

OURS: Final = "touchstone"
LARGEST: Final = {"pm4py": 1_000_000, "polars": 10_000_000}
"""The largest logs, in events, that peers are given which need much more time or memory than the others."""
TOLERANCE: Final = 1e-6
Figures = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Bench:
    """What all contests share. ``peers``: those to run, None for all."""

    cache: Path
    runs: int
    say: Callable[[str], None]
    peers: tuple[str, ...] | None = None

    def wants(self, peer: str) -> bool:
        """Whether a peer is to be run."""
        return self.peers is None or peer in self.peers

    def hold(self, ours: Program, rivals: Mapping[str, Callable[[], Program]], events: int, runs: int) -> Figures:
        """Run our program and its rivals in turn and return their figures, and why the others are absent."""
        skipped: Figures = {}
        programs = [ours]
        for name, prepare in rivals.items():
            if not self.wants(name):
                continue
            try:
                programs.append(prepare())
            except Skipped as reason:
                skipped[name] = {"skipped": str(reason)}
                self.say(f"{name}: {reason}")
        results: Sequence[Results] = compare(programs, runs, self.say)
        found = {result.program.name: figures(result, events, results[0]) for result in results}
        return {**found, **skipped}


def replaying(bench: Bench, log: Path, promise: Path, events: int, runs: int) -> Figures:
    """Measure ``touchstone replay`` against the bare stage tables and PM4Py."""
    bench.say(f"replay of {events:,} events ({log.name})")
    agreement = _Agreement(events, whole=_from_first_to_last(promise))
    rivals = {
        "duckdb": partial(_peer, bench, "duckdb", "duckdb_table.py", log, agreement.peer),
        "polars": partial(_peer, bench, "polars", "polars_table.py", log, agreement.peer, events),
        "pm4py": partial(_peer, bench, "pm4py", "pm4py_times.py", log, agreement.peer, events),
    }
    command = _replay_command(log, promise)
    ours = Program(OURS, "this checkout", partial(run_process, command), agreement.ours)
    return bench.hold(ours, rivals, events, runs)


def reading_xes(bench: Bench, log: Path, events: int, runs: int) -> Figures:
    """Measure reading an XES log into columns against rustxes and lxml."""
    bench.say(f"reading {events:,} events of XES ({log.name})")
    command = [sys.executable, str(PROGRAMS / "touchstone_xes.py"), str(log)]
    at_home = {"PYTHONPATH": str(ROOT)}
    check = partial(_same_events, events=events)
    rivals = {name: partial(_peer, bench, name, f"{name}_xes.py", log, check) for name in ("rustxes", "lxml")}
    return bench.hold(
        Program(OURS, "this checkout", partial(run_process, command, at_home), check), rivals, events, runs
    )


def _peer(
    bench: Bench, name: str, script: str, log: Path, check: Callable[[Mapping[str, Any]], None], events: int = 0
) -> Program:
    if events > LARGEST.get(name, events):
        raise Skipped(f"not run beyond {LARGEST[name]:,} events")
    python = Path(sys.executable) if name == "duckdb" else environment(name, bench.cache / "environments")
    command = [str(python), str(PROGRAMS / script), str(log)]
    return Program(name, version(name, python), partial(run_process, command), check)


def _replay_command(log: Path, promise: Path) -> list[str]:
    return [str(Path(sys.executable).parent / "touchstone"), "replay", str(log), "--promise", str(promise), "--json"]


def _from_first_to_last(promise: Path) -> bool:
    terms = yaml.safe_load(promise.read_text(encoding="utf-8"))["promise"]
    return (terms["from"], terms["to"]) == ("first", "last")


class _Agreement:
    """Whether all did the same work: ours runs first, and the others must find what it found.

    ``whole``: the promise runs from an order's first event to its last, so its stages hold the time that peers see.
    """

    def __init__(self, events: int, *, whole: bool) -> None:
        self.events, self.whole = events, whole
        self.document: dict[str, Any] | None = None

    def ours(self, found: Mapping[str, Any]) -> None:
        """Check our own document, which must come out the same every time."""
        _same_count("events", sum(found[key] for key in ("events", "duplicates", "quarantined")), self.events)
        self.document = self.document or dict(found)
        if found != self.document:
            raise ProgramFailed("two replays of one log differ")

    def peer(self, found: Mapping[str, Any]) -> None:
        """Check a peer's counts, and its total time where ours means the same."""
        _same_count("events", found["events"], self.events)
        if self.document is None:
            return
        _same_count("orders", found["orders"], self.document["orders"])
        total = math.fsum((stage["mean_s"] or 0.0) * stage["orders"] for stage in self.document["stages"])
        if self.whole and not math.isclose(found["total_s"], total, rel_tol=TOLERANCE):
            raise ProgramFailed(f"found {found['total_s']} s in all statuses instead of {total}")


def _same_events(found: Mapping[str, Any], events: int) -> None:
    _same_count("events", found["events"], events)


def _same_count(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise ProgramFailed(f"found {found:,} {what} instead of {expected:,}")
