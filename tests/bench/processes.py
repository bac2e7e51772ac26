"""Run programs as whole processes, each beside its rival, and say what they took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MIB: Final = 1 << 20
PEAK_UNIT: Final = 1 if sys.platform == "darwin" else 1024
"""What ``ru_maxrss`` counts in, in bytes: getrusage(2)."""


class ProgramFailed(Exception):
    """A program did not do its work."""


@dataclass(frozen=True)
class Run:
    """One run of a program. ``found``: the document that it printed."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    found: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A program to measure. ``same_work``: raises ProgramFailed where what it found is not what it should find."""

    name: str
    version: str
    measure: Callable[[], Run]
    same_work: Callable[[Mapping[str, Any]], None] = lambda found: None  # noqa: ARG005 - nothing to compare with


def run_process(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end and read the JSON document on its standard output. Raises ProgramFailed."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env={**os.environ, **(environment or {})})
        wall, cpu, peak = reap(process, begun)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise ProgramFailed(_last_line(errors.read()) or f"ended with status {process.returncode}")
        return Run(wall, cpu, peak, json.loads(output.read()))


def reap(process: subprocess.Popen[bytes], begun: float) -> tuple[float, float, int]:
    """Wait for a process; return the seconds since ``begun``, its processor seconds and its peak memory in bytes."""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * PEAK_UNIT


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else ""


@dataclass
class Results:
    """The runs of one program; ``failure`` says why there are none."""

    program: Program
    runs: list[Run] = field(default_factory=list)
    failure: str | None = None


def compare(programs: Sequence[Program], runs: int, say: Callable[[str], None]) -> list[Results]:
    """Run the programs in turn, A B C A B C ..., so that what else the machine does falls on all of them alike."""
    results = [Results(program) for program in programs]
    for number in range(runs):
        for result in results:
            if result.failure is not None:
                continue
            try:
                run = result.program.measure()
                result.program.same_work(run.found)
            except ProgramFailed as error:
                result.failure = str(error)
                say(f"{result.program.name}: failed: {error}")
                continue
            result.runs.append(run)
            say(f"{result.program.name}, run {number + 1} of {runs}: {run.wall_s:.2f} s, {run.peak_bytes // MIB} MiB")
    return results


def figures(result: Results, events: int, ours: Results) -> dict[str, Any]:
    """Return a program's figures, compared with ours run by run (the keys are in the package's docstring)."""
    if result.failure is not None:
        return {"failed": result.failure}
    walls = [run.wall_s for run in result.runs]
    found: dict[str, Any] = {
        "version": result.program.version,
        "events": events,
        "events_per_s": round(events / max(median(walls), 1e-9)),
        "wall_s": round(median(walls), 3),
        "wall_min_s": round(min(walls), 3),
        "wall_max_s": round(max(walls), 3),
        "cpu_s": round(median(run.cpu_s for run in result.runs), 3),
        "peak_mib": round(max(run.peak_bytes for run in result.runs) / MIB),
        "runs": len(walls),
    }
    if result is ours or ours.failure is not None:
        return found
    pairs = list(zip(ours.runs, result.runs, strict=False))
    ratios = [mine.wall_s / theirs.wall_s for mine, theirs in pairs]
    return {
        **found,
        "ratio": round(median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
        "ratio_cpu": round(median(mine.cpu_s / max(theirs.cpu_s, 1e-9) for mine, theirs in pairs), 3),
    }
