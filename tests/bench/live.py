"""Live ingestion: batches posted to a collector, against bare inserts of the same events with the same durability."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench.contests import OURS, Bench, Figures
from tests.bench.environments import PROGRAMS, ROOT, Skipped, version
from tests.bench.processes import Program, ProgramFailed, Run, run_process
from tests.bench.servers import Collector, PostgreSQL, postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CLIENTS: Final = (1, 4)
HOME: Final = {"PYTHONPATH": str(ROOT)}
PYTHON: Final = Path(sys.executable)


@dataclass(frozen=True)
class Store:
    """A kind of database. ``address``: makes a new one and says how the collector and how the peer reach it."""

    name: str
    library: str
    address: Callable[[Path], tuple[str, str]]


def ingesting(bench: Bench, events: Path, count: int) -> dict[str, Figures]:
    """Measure every store with one client and with several."""
    found: dict[str, Figures] = {}
    found |= _contests(bench, Store("sqlite", "", _file), events, count)
    try:
        with postgresql() as server:
            found |= _contests(bench, Store("postgresql", "asyncpg", partial(_database, server)), events, count)
    except (Skipped, ProgramFailed) as reason:
        bench.say(f"postgresql: {reason}")
        found["postgresql"] = {OURS: {"skipped": str(reason)}}
    return found


def _contests(bench: Bench, store: Store, events: Path, count: int) -> Iterator[tuple[str, Figures]]:
    for clients in CLIENTS:
        bench.say(f"live ingestion into {store.name}, {clients} client(s), {count:,} events")
        check = partial(_all_in, count=count)
        ours = Program(OURS, "this checkout", partial(_send, store, events, clients), check)
        bare = Program("bare insert", version(store.library, PYTHON), partial(_insert, store, events, clients), check)
        yield f"{store.name} x{clients}", bench.hold(ours, {"bare insert": lambda bare=bare: bare}, count, bench.runs)  # type: ignore[misc]


def _file(folder: Path) -> tuple[str, str]:
    return f"sqlite+aiosqlite:///{folder / 'live.db'}", str(folder / "bare.db")


def _database(server: PostgreSQL, _folder: Path) -> tuple[str, str]:
    place = server.database()
    return f"postgresql+asyncpg://{place}", f"postgresql://{place}"


def _send(store: Store, events: Path, clients: int) -> Run:
    command = [str(PYTHON), "-m", "tests.bench.sending"]
    with _folder() as folder:
        with Collector(store.address(folder)[0]) as collector:
            client = run_process([*command, collector.url, str(events), str(clients)], HOME)
        cpu, peak = collector.usage
    return Run(client.found["seconds"], cpu, peak, client.found)


def _insert(store: Store, events: Path, clients: int) -> Run:
    with _folder() as folder:
        address = store.address(folder)[1]
        script = str(PROGRAMS / f"{store.name}_insert.py")
        run = run_process([str(PYTHON), script, str(events), address, str(clients)], HOME)
    return replace(run, wall_s=run.found["seconds"])


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder:
        yield Path(folder)


def _all_in(found: Mapping[str, Any], count: int) -> None:
    if found["events"] != count:
        raise ProgramFailed(f"took in {found['events']:,} events instead of {count:,}")
