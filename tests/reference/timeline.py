"""One order at a time: from its records to the statuses that it went through.

The order of work is fixed: duplicates go first, then what is quarantined, and only then (in `verdicts`) what
lies after `as_of`; so the counts of the first two speak of the whole file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from .moments import end_of_day
from .promise import DONE, Promise, activity_of
from .reading import Event, Log, Row, moment

Record = TypeVar("Record", Event, Row)


@dataclass(frozen=True)
class Step:
    """An order is in `status` from `time` on; it only `moves` if the status's owner says so."""

    time: int
    status: str
    moves: bool = True


@dataclass(frozen=True)
class Order:
    """An order's steps in their order, and the columns of its records in theirs."""

    name: str
    steps: list[Step]
    columns: list[Mapping[str, str]]

    def value(self, column: str) -> str | None:
        """First value of a column that is not empty."""
        for columns in self.columns:
            value = columns.get(column, "")
            if value.strip():
                return value
        return None


@dataclass(frozen=True)
class History:
    """All orders of a log, what was counted on the way, and the moment at which the log ends."""

    orders: list[Order]
    duplicates: int
    quarantined: int
    last: int | None


def history(log: Log, promise: Promise) -> History:
    """Every order of a log, without duplicates and quarantined records."""
    return _of_rows(log, promise) if log.rows else _of_events(log, promise)


def terms_moment(order: Order, promise: Promise) -> tuple[int | None, int | None]:
    """Return the order's `within`, and the moment of its `by`: one is None, or both for want of a `by`."""
    for terms in promise.terms:
        if any(order.value(promise.column_of(name)) != value for name, value in terms.when.items()):
            continue
        if terms.by is None:
            return terms.within, None
        at = moment(order.value(promise.column_of(terms.by)) or "", promise)
        if at is None or not terms.by_day:
            return None, at
        return None, end_of_day(at, promise.timezone)
    return None, None


def _of_events(log: Log, promise: Promise) -> History:
    sequenced = any(event.sequence is not None for event in log.events)
    duplicates, quarantined = log.duplicates, log.unreadable
    orders: list[Order] = []
    for name, told in _by_order(log.events).items():
        repeats = _repeats(in_order(told, promise, sequenced=sequenced))
        kept = [event for event in told if event.position not in repeats and promise.is_known(event.status)]
        duplicates += len(repeats)
        quarantined += len(told) - len(repeats) - len(kept)
        # Ordered anew, as a quarantined event's time must not push later ones.
        kept = in_order(kept, promise, sequenced=sequenced)
        steps = [Step(event.time, event.status, _is_owners(event, promise)) for event in kept]
        order = Order(name, steps, [event.columns for event in kept])
        if terms_moment(order, promise) == (None, None):
            quarantined += len(steps)
        elif steps:
            orders.append(order)
    last = max((order.steps[-1].time for order in orders), default=None)
    return History(orders, duplicates, quarantined, last)


def _of_rows(log: Log, promise: Promise) -> History:
    quarantined = log.unreadable
    orders = []
    ends: list[int] = []
    starts: list[int] = []
    for name, told in _by_order(log.rows).items():
        rows = [row for row in told if promise.is_known(row.activity) and _is_forward(row)]
        quarantined += len(told) - len(rows)
        by_start = sorted(rows, key=lambda row: (row.start, row.position))
        order = Order(name, derived(rows), [row.columns for row in by_start])
        if terms_moment(order, promise) == (None, None):
            quarantined += len(order.steps)
        elif rows:
            orders.append(order)
            ends += [row.end for row in rows if row.end is not None]
            starts += [row.start for row in rows]
    return History(orders, log.duplicates, quarantined, max(ends or starts, default=None))


def in_order(events: Iterable[Event], promise: Promise, *, sequenced: bool) -> list[Event]:
    """One order's events in their order, a time that runs backwards within a source taken as the one before.

    A log without sequences is one source, read by time. Sources with sequences are merged by their heads, so
    that no event overtakes another of its own source.
    """
    if not sequenced:
        return sorted(events, key=lambda event: (event.time, event.position))
    queues: dict[str, list[Event]] = {}
    for event in events:
        queues.setdefault(event.source, []).append(event)
    queues = {source: _one_source(queue) for source, queue in queues.items()}
    merged = []
    while queues:
        heads = [queue[0] for queue in queues.values()]
        head = min(heads, key=lambda event: (event.time, promise.rank(event.status), event.source))
        merged.append(queues[head.source].pop(0))
        if not queues[head.source]:
            del queues[head.source]
    return merged


def _one_source(events: list[Event]) -> list[Event]:
    if any(event.sequence is None for event in events):
        return sorted(events, key=lambda event: (event.time, event.position))
    forward: list[Event] = []
    for event in sorted(events, key=lambda event: (event.sequence or 0, event.time, event.position)):
        if forward and event.time < forward[-1].time:
            forward.append(replace(event, time=forward[-1].time))
        else:
            forward.append(event)
    return forward


def _repeats(events: list[Event]) -> set[int]:
    """Positions of events without an id that say again what the one just before them said."""
    return {
        event.position
        for before, event in pairwise(events)
        if not event.id and (event.status, event.time) == (before.status, before.time)
    }


def _is_owners(event: Event, promise: Promise) -> bool:
    owner = promise.reported_by.get(event.status, promise.reported_by.get(activity_of(event.status)))
    # A log that names no sources has nobody else to speak for the owner.
    return owner is None or event.source in ("", owner)


def _is_forward(row: Row) -> bool:
    return row.end is None or row.start <= row.end


def _by_order(records: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.order, []).append(record)
    return found


def derived(rows: list[Row]) -> list[Step]:
    """Status changes of an order whose activities have a start and an end, moment by moment."""
    steps: list[Step] = []

    def enter(status: str, time: int) -> None:
        if not steps or steps[-1].status != status:
            steps.append(Step(time, status))

    for now in sorted({time for row in rows for time in (row.start, row.end) if time is not None}):
        for row in rows:
            if row.start == row.end == now:
                enter(row.activity, now)
        running = [row for row in rows if row.start <= now and (row.end is None or now < row.end)]
        if running:
            latest = max(running, key=lambda row: (row.start, row.position))
            enter(latest.activity, now)
        else:
            ended = [row for row in rows if row.end is not None and row.end <= now]
            latest = max(ended, key=lambda row: (row.end or 0, row.start, row.position))
            enter(latest.activity + DONE, now)
    return steps
