"""Invariants of the flow of events: nothing waits unsent, nothing lacks, no source falls silent while people work."""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.invariants.model import NotChecked
from collectors.live import store
from collectors.live.model import shown
from collectors.promise.durations import describe_duration
from collectors.promise.working_time import WorkingTime
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from collectors.invariants.model import House
    from collectors.live.model import EventRow
    from collectors.pollers.systems import Silence

SECOND: Final = 1_000_000
DEFAULT_GAP_S: Final = 900.0
LATEST_EVENTS: Final = 100_000
OLDEST_AGE: Final = "oldest_age_s"


async def outbox_young(house: House) -> list[str]:
    """Check that no service has an event that has waited for long to be sent."""
    systems, asks = house.systems, house.asks
    if systems is None or asks is None or not systems.asked:
        raise NotChecked("no file of systems with addresses")
    limit = systems.oldest_pending.total_seconds()
    found, unchecked = [], []
    for system in systems.asked:
        try:
            oldest = _oldest(await asks.get(system.name, "/bus"), system.name)
        except TouchstoneError as error:
            unchecked.append(f"{system.name} {error}")
        except NotChecked as error:
            unchecked.append(str(error))
        else:
            if oldest > limit:
                waits, may = describe_duration(oldest), describe_duration(limit)
                found.append(f"an event of {system.name} has waited for {waits} to be sent; at most {may} is usual")
    # What one system shows counts, whatever another one keeps to itself.
    if unchecked and not found:
        raise NotChecked("; ".join(unchecked))
    return found


def _oldest(document: Any, system: str) -> float:
    """Return the age of the oldest unsent event in seconds, 0 without one."""
    age = document.get(OLDEST_AGE) if isinstance(document, dict) else None
    if not isinstance(age, int | float):
        raise NotChecked(f"{system} does not tell `{OLDEST_AGE}` at GET /bus")
    return float(age)


async def no_old_gaps(house: House) -> list[str]:
    """Check that no sequence number has been lacking for longer than messages take."""
    limit = house.systems.oldest_gap.total_seconds() if house.systems else DEFAULT_GAP_S
    async with house.collector.database.reading() as connection:
        names = await store.orders_with_gaps(connection)
        events = await store.events_of(connection, list(names))
    now = house.collector.clock()
    found = []
    for (order, source), said in groupby(sorted(events, key=_stream), key=_stream):
        gap = _gap(said)
        if gap is not None and now - gap[1] > limit * SECOND:
            found.append(
                f"order {names[order]}: event {gap[0]} of {source} lacks, and a later one is of {shown(gap[1])}"
            )
    return found


def _stream(event: EventRow) -> tuple[int, str]:
    return event.order, event.source


def _gap(said: Iterable[EventRow]) -> tuple[int, int] | None:
    """Return the first number that lacks, and when an event after it happened; None where none lacks."""
    expected = 1
    numbered = sorted((event.sequence, event.at) for event in said if event.sequence is not None)
    for sequence, at in numbered:
        if sequence > expected:
            return expected, at
        expected = sequence + 1
    return None


async def no_silence(house: House) -> list[str]:
    """Check that every source has said something lately, counted in the hours in which people work."""
    systems = house.systems
    if systems is None or (silence := systems.silence) is None:
        raise NotChecked("no `silence` in the file of systems")
    async with house.collector.database.reading() as connection:
        heard = await store.last_heard(connection, LATEST_EVENTS)
        first = await store.first_heard(connection)
    if first is None:
        return []  # a house that has not opened yet is not silent
    sources = silence.sources or [system.source for system in systems.systems]
    return await asyncio.to_thread(lambda: list(_silent(silence, sources, heard, first, house.collector.clock())))


def _silent(silence: Silence, sources: Sequence[str], heard: dict[str, int], first: int, now: int) -> Iterator[str]:
    """Yield a sentence for each silent source; one that was never heard is silent since the ``first`` event of any."""
    limit = silence.after.total_seconds()
    for source in sources:
        last = min(heard.get(source, first), now)
        then, here = WorkingTime(silence.hours).elapsed(np.array([last, now], dtype=np.int64)).tolist()
        if (here - then) / SECOND > limit:
            hours = describe_duration((here - then) / SECOND)
            since = f"since {shown(last)}" if source in heard else f"ever, others since {shown(last)}"
            yield f"{source} has said nothing {since}: {hours} in which people work"
