"""The source log, enlarged: cases repeated under new names, rows sorted by time, cached outside the repository.

The program that measures calls this in a process of its own: a child's peak memory counts from that of its parent.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby, islice
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Final
from xml.sax.saxutils import quoteattr

from tests.bench.environments import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REAL_LOG: Final = ROOT.parent / "shared" / "data" / "bpi2012_w_complete.xes.gz"
BYTES_PER_EVENT: Final = 64
SIMULATED_DAYS: Final = 400
SIMULATED_RATE: Final = 24.0
_TRACE: Final = re.compile(rb"[ \t]*<trace>.*?</trace>\n?", re.DOTALL)
_NAME: Final = re.compile(rb'(?<=key="concept:name" value=")[^"]*')

Row = tuple[str, str, str]


class NoRoom(Exception):
    """The disk is too full for a log."""


@dataclass(frozen=True)
class Source:
    """The log to enlarge. ``path``: None for a simulated one."""

    path: Path | None

    @classmethod
    def found(cls) -> Source:
        """Return the real log, or the simulated one where that is absent."""
        return cls(REAL_LOG if REAL_LOG.exists() else None)

    def __str__(self) -> str:
        if self.path is None:
            return f"simulated ({REAL_LOG.name} is absent)"
        return self.path.name

    @property
    def key(self) -> str:
        """What names the files made from it."""
        content = str(SIMULATED_DAYS).encode() if self.path is None else self.path.read_bytes()
        stem = "simulated" if self.path is None else self.path.name.split(".")[0]
        return f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}"

    @cached_property
    def rows(self) -> list[Row]:
        """Order, status and moment (ISO 8601 UTC, milliseconds) of every event, by time."""
        events = _simulated() if self.path is None else _read(self.path)
        return sorted(((order, status, _iso(at)) for order, status, at in events), key=itemgetter(2))

    def statuses(self) -> list[str]:
        """Return its statuses, by first appearance."""
        return list(dict.fromkeys(status for _, status, _ in self.rows))

    @cached_property
    def traces(self) -> list[bytes]:
        """Every order as a trace of XES."""
        if self.path is None:
            by_order = groupby(sorted(self.rows, key=itemgetter(0)), key=itemgetter(0))
            return [_trace(order, list(events)) for order, events in by_order]
        with gzip.open(self.path) as stream:
            return _TRACE.findall(stream.read())

    def csv(self, events: int, folder: Path) -> Path:
        """Return the log enlarged to a number of events as ``order_id,status,at``."""
        return _cached(folder / f"{self.key}-{events}.csv", events * BYTES_PER_EVENT, lambda f: self._csv(f, events))

    def _csv(self, stream: IO[bytes], events: int) -> None:
        whole, rest = divmod(events, len(self.rows))
        names = [f"-{copy}" for copy in range(whole + 1)]
        stream.write(b"order_id,status,at\n")
        for place, (order, status, at) in enumerate(self.rows):
            # The last copy breaks off at a moment, so that the count is met exactly.
            copies = names if place < rest else names[:whole]
            tail = f",{status},{at}\n"
            stream.write("".join([order + name + tail for name in copies]).encode())

    def xes(self, events: int, folder: Path) -> Path:
        """Return the log enlarged to at least a number of events, whole copies, as plain XES."""
        room = events * 10 * BYTES_PER_EVENT
        return _cached(folder / f"{self.key}-{events}.xes", room, lambda f: f.writelines(self._xes(events)))

    def copied(self, events: int) -> int:
        """Return how many events the whole copies of ``xes`` hold."""
        return -(-events // len(self.rows)) * len(self.rows)

    def _xes(self, events: int) -> Iterator[bytes]:
        yield b"<?xml version='1.0' encoding='UTF-8'?>\n<log>\n"
        for copy in range(self.copied(events) // len(self.rows)):
            for trace in self.traces:
                yield _NAME.sub(lambda name, copy=copy: name[0] + b"-%d" % copy, trace, count=1)  # type: ignore[misc]
        yield b"</log>\n"

    def packed_xes(self, events: int, folder: Path) -> Path:
        """Return what ``xes`` returns, packed."""
        plain = self.xes(events, folder)

        def pack(stream: IO[bytes]) -> None:
            with plain.open("rb") as content, gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=6) as packed:
                shutil.copyfileobj(content, packed, 1 << 20)

        return _cached(plain.with_suffix(".xes.gz"), events * BYTES_PER_EVENT, pack)


def cloudevents(events: int, folder: Path) -> Path:
    """Return a simulated log of a number of events as JSON lines of CloudEvents."""

    def write(stream: IO[bytes]) -> None:
        from collectors.simulation import Scenario, simulate
        from collectors.simulation import cloudevents as published

        days = 30 + events // 100
        for event in islice(published(simulate(Scenario(days=days, orders_per_day=SIMULATED_RATE, seed=2012))), events):
            stream.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")

    return _cached(folder / f"cloudevents-{events}.jsonl", events * 10 * BYTES_PER_EVENT, write)


def _simulated() -> Iterator[tuple[str, str, datetime]]:
    from collectors.simulation import Scenario, simulate

    for event in simulate(Scenario(days=SIMULATED_DAYS, orders_per_day=SIMULATED_RATE, seed=2012)):
        yield event.order, str(event.status), event.at


def _read(path: Path) -> Iterator[tuple[str, str, datetime]]:
    from collectors.sources.quarantine import Quarantine
    from collectors.sources.xes import XesFields, read_xes

    for batch in read_xes(path, XesFields(), Quarantine().add):
        columns = (batch.column(name).to_pylist() for name in ("order", "status", "time"))
        for order, status, time in zip(*columns, strict=True):
            yield order, status, datetime.fromisoformat(time)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace(order: str, events: list[Row]) -> bytes:
    def field(key: str, value: str, kind: str = "string") -> str:
        return f"<{kind} key={quoteattr(key)} value={quoteattr(value)}/>"

    lines = [field("concept:name", status) + field("time:timestamp", at, "date") for _, status, at in events]
    body = "".join(f"<event>{line}</event>" for line in lines)
    return f"<trace>{field('concept:name', order)}{body}</trace>\n".encode()


def _cached(path: Path, room: int, write: Callable[[IO[bytes]], None]) -> Path:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
        if free < room:
            raise NoRoom(f"{path.name} needs {room >> 30} GiB of disk, and {free >> 30} GiB are free")
        part = path.with_suffix(".part")
        with part.open("wb") as stream:
            write(stream)
        part.rename(path)
    return path
