"""What the collector does with what arrives: store it, line up the orders it speaks of, and measure them again."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import orjson

from collectors.live import moved, store
from collectors.live.metrics import DISTRIBUTION
from collectors.live.model import Timelines, visits_ended
from collectors.live.reading import RAW_KEPT, Reader, Refused
from collectors.live.rows import to_rows
from collectors.live.signalling.moves import Moved, Tracker
from collectors.sources.cloudevents_log import EVENT_TYPE
from instrumentation.cancelling import finished

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from collectors.live.metrics import Metrics
    from collectors.live.model import EventRow, Lined, Visits
    from collectors.live.reading import Arrived, Intake
    from collectors.promise.model import PromiseFile
    from services.bus.database import Database

SECOND: Final = 1_000_000
FRESH_FOR_US: Final = 3_600 * SECOND
REBUILT_AT_ONCE: Final = 2_000
UNKNOWN_STATUS: Final = "the promise does not know this status"
_PROMISE_NOTE: Final = "promise"


def now_us() -> int:
    """Return the present moment in microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


@dataclass(frozen=True)
class Receipt:
    """What became of the events of one intake. ``late`` ones are among the accepted; ``heard``: latest by source."""

    accepted: int
    duplicates: int
    quarantined: int
    late: int
    lags_us: list[int]
    visits: Visits | None
    moved: Moved | None = None
    heard: Mapping[str, int] = field(default_factory=dict)


class Collector:
    """Takes in events. Each intake is one transaction, with whatever else must be true together with it."""

    def __init__(
        self,
        promise: PromiseFile,
        database: Database,
        metrics: Metrics,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self.promise, self.database, self.metrics, self.clock = promise, database, metrics, clock
        self.reader = Reader(promise)
        self.timelines = Timelines(promise, self.reader.moments.promised)
        self.tracker = Tracker(self.timelines)

    async def start(self) -> None:
        """Open the database; where promise file or program changed since the last time, measure every order anew.

        Raises BadInput where the database cannot be used.
        """
        await self.database.start()
        told = self._measured_by()
        async with self.database.reading() as connection:
            if await store.note(connection, _PROMISE_NOTE) == told:
                return
        await self.database.write(self._begin_anew)
        for step in (self._measure_again, self._quarantine_again):
            after: int | None = 0
            while after is not None:
                after = await self.database.write(partial(step, after))
        await self.database.write(lambda connection: store.write_note(connection, _PROMISE_NOTE, told))

    def _measured_by(self) -> str:
        """Return what the measured orders depend on besides their events: the promise, and how it is measured."""
        told = f"{metadata.version(DISTRIBUTION)} {self.promise.model_dump_json(by_alias=True)}"
        return hashlib.sha256(told.encode()).hexdigest()

    async def _begin_anew(self, connection: AsyncConnection) -> None:
        # From here to the end the orders are measured partly this way, partly that: whoever starts then must know.
        await store.write_note(connection, _PROMISE_NOTE, "measuring")
        await store.forget_unknown(connection)

    async def _measure_again(self, after: int, connection: AsyncConnection) -> int | None:
        names = await store.names_after(connection, after, REBUILT_AT_ONCE)
        if not names:
            return None
        locked = await store.lock_orders(connection, names)
        numbers = [order["number"] for order in locked.values()]
        rows = await store.events_of(connection, numbers)
        await self._measure(connection, rows, locked, frozenset())
        return int(max(numbers))

    async def _quarantine_again(self, after: int, connection: AsyncConnection) -> int | None:
        found = await store.unknown_after(connection, list(self.timelines.codes), after, REBUILT_AT_ONCE)
        if not found:
            return None
        await store.add_refused(connection, [_unknown(e.source, e.id, e.order, e.status) for e in found], self.clock())
        return int(found[-1].arrival)

    async def take_in(
        self, intake: Intake, also: Callable[[AsyncConnection], Awaitable[None]] | None = None
    ) -> Receipt:
        """Take in events, all or none. ``also`` runs in the same transaction."""
        told = False

        async def work(connection: AsyncConnection) -> Receipt:
            nonlocal told
            receipt = await self._take_in(connection, intake)
            if also is not None:
                await also(connection)
            told = receipt.moved is not None
            return receipt

        async def stored() -> Receipt:
            try:
                receipt: Receipt = await self.database.write(work)
            except BaseException:
                if told:
                    # Nobody knows whether it was committed: the account begins anew from what is stored.
                    self.tracker.end()
                raise
            self.tracker.tell(receipt.moved)
            self.metrics.count(receipt)
            return receipt

        # Whoever is cancelled meanwhile (a lost broker) has perhaps committed: the account must hear of it.
        return await finished(stored())

    async def _take_in(self, connection: AsyncConnection, intake: Intake) -> Receipt:
        now = self.clock()
        # Before all else: whoever begins the account of the signals anew waits for those that have asked.
        generation = await moved.generation(connection)
        new: dict[tuple[str, str], int] = {}
        locked: dict[str, dict[str, Any]] = {}
        visits, difference, fresh, unknown = None, None, [], 0
        heard: dict[str, int] = {}
        if intake.events:
            locked = await store.lock_orders(connection, list({event.order for event in intake.events}))
            numbers = {name: order["number"] for name, order in locked.items()}
            new = await store.add_events(connection, intake.events, numbers)
        if new:
            came = _first_of_each(intake.events, new)
            fresh = [e for e in came if e.status in self.timelines.codes and now - e.at <= FRESH_FOR_US]
            touched = {e.order: locked[e.order] for e in came}
            rows = await store.events_of(connection, [order["number"] for order in touched.values()])
            arrivals = frozenset(new[e.source, e.id] for e in fresh)
            lined = await self._measure(connection, rows, touched, arrivals)
            visits = visits_ended(lined.line)
            if generation == self.tracker.generation:
                difference = self.tracker.moved(lined, rows, set(new.values()), now)
            else:
                await moved.write_down(connection, moved.spans(rows, set(new.values())))
            for e in came:
                heard[e.source] = max(heard.get(e.source, 0), min(e.at, now))
            refused = [_unknown(*event[:4]) for event in came if event.status not in self.timelines.codes]
            unknown = len(refused)
            await store.add_refused(connection, refused, now)
        refused_new = await store.add_refused(connection, intake.refused, now)
        duplicates = len(intake) - len(new) - refused_new
        await store.move_totals(connection, {"duplicates": duplicates, "unreadable": refused_new})
        accepted = len(new) - unknown
        lags = [max(now - event.at, 0) for event in fresh]
        late = accepted - len(fresh)
        return Receipt(accepted, duplicates, unknown + refused_new, late, lags, visits, difference, heard)

    async def _measure(
        self,
        connection: AsyncConnection,
        rows: Sequence[EventRow],
        orders: dict[str, dict[str, Any]],
        fresh: frozenset[int],
    ) -> Lined:
        lined = self.timelines.line_up(rows, fresh=fresh)
        await store.save_orders(connection, to_rows(lined, self.timelines), list(orders.values()))
        return lined


def _first_of_each(arrived: Sequence[Arrived], new: dict[tuple[str, str], int]) -> list[Arrived]:
    """Return the events that were stored: of those with one id, the first."""
    first = {(event.source, event.id): event for event in reversed(arrived)}
    return [event for key, event in first.items() if key in new]


def _unknown(source: str, key: str, order: str, status: str) -> Refused:
    raw = orjson.dumps({"source": source, "id": key, "subject": order, "status": status}).decode()
    hashed = hashlib.sha256(f"{source}\0{key}".encode()).hexdigest()
    return Refused(store.UNKNOWN_KEY + hashed, f"{UNKNOWN_STATUS}: {status}", raw[:RAW_KEPT])


# Every message that the collector reacts to, and how.
HANDLERS: Final = {EVENT_TYPE: Collector.take_in}
