"""Pricing's kernels against trimesh, VTK and numpy-stl, and whole quotes: each program a process, on one core."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench.cached import cached_quotes
from tests.bench.contests import OURS, Bench, Figures
from tests.bench.environments import PROGRAMS, ROOT, Skipped, environment, version
from tests.bench.models import ring
from tests.bench.processes import Program, ProgramFailed, Results, Run, compare, figures, run_process

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PEERS: Final = {"trimesh": "trimesh[easy]", "vtk": "vtk", "numpy-stl": "numpy-stl"}
LARGEST: Final = {"numpy-stl": 1_000_000}
"""Of a million triangles numpy-stl 4 takes half a minute: its mass properties are sums of fractions, exact."""
LAYERS: Final = 200
QUOTED: Final = (100_000, 1_000_000)
# Sections by trimesh take 6 s a million triangles, and its merging more memory than it is worth at ten.
MOST_SLICED: Final = 1_000_000
AGREED: Final = 1e-5  # VTK sums float32 areas
LAYERS_AGREED: Final = 1e-4  # trimesh merges vertices before it cuts
AT_HOME: Final = {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}


def pricing(bench: Bench, sizes: Iterable[int]) -> dict[str, Figures]:
    """Measure sums and layers at each size, as whole processes and as kernels; then whole quotes, and kept ones."""
    found: dict[str, Figures] = {}
    for size in sizes:
        model = ring(size, bench.cache)
        sums, kernels = _contest(bench, "sums", model, size, tuple(PEERS))
        found |= sums | {f"page cache of {size:,}": _bound(bench, model, size, kernels)}
        if size <= MOST_SLICED:
            found |= _contest(bench, "layers", model, size, ("trimesh",))[0]
    for size in QUOTED:
        found[f"quote of {size:,}"] = _quote(bench, ring(size, bench.cache), size)
    found["cached quote"] = cached_quotes(bench, ring(QUOTED[0], bench.cache))
    return found


def _contest(
    bench: Bench, what: str, model: Path, size: int, peers: tuple[str, ...]
) -> tuple[dict[str, Figures], Results]:
    """Return the figures of whole processes and of their kernels, and the runs of our own kernel."""
    bench.say(f"{what} of {size:,} triangles")
    agreement = Agreement()
    programs = [_program(Path(sys.executable), OURS, "touchstone_stl.py", what, model, agreement)]
    skipped: Figures = {}
    for name in filter(bench.wants, peers):
        try:
            if size > LARGEST.get(name, size):
                raise Skipped(f"not run beyond {LARGEST[name]:,} triangles")  # noqa: TRY301 - as any other absence
            python = environment(PEERS[name], bench.cache / "environments")
        except Skipped as reason:
            skipped[name] = {"skipped": str(reason)}
            bench.say(f"{name}: {reason}")
            continue
        script = f"{name.replace('-', '_')}_stl.py"
        programs.append(_program(python, name, script, what, model, agreement))
    results = compare(programs, bench.runs, bench.say)
    kernels = _kernels(results)
    found = {
        f"{what} of {size:,}, process": _figures(results, size) | skipped,
        f"{what} of {size:,}, kernel": _figures(kernels, size) | skipped,
    }
    return found, kernels[0]


def _figures(results: list[Results], size: int) -> Figures:
    return {result.program.name: figures(result, size, results[0]) for result in results}


def _program(python: Path, name: str, script: str, what: str, model: Path, agreement: Agreement) -> Program:
    command = _pinned([str(python), str(PROGRAMS / script), what, str(model), str(LAYERS)])
    known = "this checkout" if name == OURS else version(name, python)
    return Program(name, known, partial(run_process, command, AT_HOME), agreement.same)


def _pinned(command: list[str]) -> list[str]:
    """Keep a program to one core, so that a peer's threads and ours count alike (where the system has ``taskset``)."""
    return ["taskset", "-c", "0", *command] if sys.platform == "linux" else command


def _kernels(results: list[Results]) -> list[Results]:
    return [replace(result, runs=[_kernel(run) for run in result.runs]) for result in results]


def _kernel(run: Run) -> Run:
    kernel = run.found["kernel"]
    return Run(kernel["wall_s"], kernel["cpu_s"], round(kernel["extra_bytes"]), run.found)


def _bound(bench: Bench, model: Path, size: int, ours: Results) -> Figures:
    """Read the mapped file and nothing else: no way of measuring it is faster than the page cache."""
    command = _pinned([sys.executable, str(PROGRAMS / "touchstone_stl.py"), "touch", str(model), "0"])
    reading = Program("page cache", "", partial(run_process, command, AT_HOME))
    return _figures([ours, *_kernels(compare([reading], bench.runs, bench.say))], size)


def _quote(bench: Bench, model: Path, size: int) -> Figures:
    """Quote with everything: 500 layers and more, walls, supports, checks; the time that the quote itself says."""
    bench.say(f"a quote of {size:,} triangles")
    command = _pinned([sys.executable, str(PROGRAMS / "touchstone_quote.py"), str(model)])
    whole = Program(OURS, "this checkout", partial(run_process, command, AT_HOME), _priced)
    return _figures(_kernels(compare([whole], bench.runs, bench.say)), size)


def _priced(found: Mapping[str, Any]) -> None:
    if found["layers"] < 500 or not found["price"]:
        raise ProgramFailed(f"not a whole quote: {found}")


class Agreement:
    """Whether all measured the same: ours runs first, and the others must find what it found."""

    def __init__(self) -> None:
        self.first: Mapping[str, Any] | None = None

    def same(self, found: Mapping[str, Any]) -> None:
        """Raise ProgramFailed where a program measured something else."""
        first = self.first = self.first or found
        for name in ("events", "volume", "area", "box"):
            for mine, other in zip(_list(first[name]), _list(found[name]), strict=True):
                if not math.isclose(mine, other, rel_tol=AGREED):
                    raise ProgramFailed(f"found {name} {found[name]} instead of {first[name]}")
        for mine, other in zip(first.get("layers", ()), found.get("layers", ()), strict=True):
            if not math.isclose(mine, other, rel_tol=LAYERS_AGREED, abs_tol=1e-6):
                raise ProgramFailed(f"found a layer of {other} instead of {mine}")


def _list(value: float | list[float]) -> list[float]:
    return value if isinstance(value, list) else [value]
