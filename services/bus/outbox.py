"""The outbox: what a service says, written in the transaction of the change that it speaks of.

Sequences are given under the row lock of the stream, so they have no gaps and the order of commits. What is unsent
is claimed row by row with ``FOR UPDATE SKIP LOCKED``: a high-water mark would skip rows that commit out of order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from sqlalchemy import text

from services.bus.message import Message, iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

EVENTS: Final = "events"  # to whoever consumes events
CONSUMER: Final = "consumer/"  # to one consumer alone
COMMANDS: Final = "commands/"  # to the workers of one class

_NEXT: Final = (
    "INSERT INTO bus_streams (subject, source, last) VALUES (:subject, :source, 1) "
    "ON CONFLICT (subject, source) DO UPDATE SET last = bus_streams.last + 1 RETURNING last"
)
_COLUMNS: Final = "recorded_at, id, type, subject, source, sequence, time, traceparent, data"
_VALUES: Final = ":recorded_at, :id, :type, :subject, :source, {sequence}, :time, :traceparent, :data"
_ADD: Final = text(
    f"INSERT INTO bus_outbox ({_COLUMNS}) VALUES ({_VALUES.format(sequence=':sequence')}) RETURNING position"
)
_TELL: Final = text("INSERT INTO bus_pending (position, recorded_at, target) VALUES (:position, :recorded_at, :target)")
_NUMBER: Final = text(_NEXT)
# PostgreSQL does it all in one round trip.
_PUBLISH: Final = text(
    f"WITH stream AS ({_NEXT}), event AS (INSERT INTO bus_outbox ({_COLUMNS}) "
    f"SELECT {_VALUES.format(sequence='last')} FROM stream RETURNING position, recorded_at, sequence), "
    "told AS (INSERT INTO bus_pending (position, recorded_at, target) "
    "SELECT position, recorded_at, :target FROM event) SELECT sequence FROM event"
)
_SEND: Final = text(
    f"WITH event AS (INSERT INTO bus_outbox ({_COLUMNS}) VALUES ({_VALUES.format(sequence='NULL')}) "
    "RETURNING position, recorded_at) INSERT INTO bus_pending (position, recorded_at, target) "
    "SELECT position, recorded_at, :target FROM event"
)
_OF_UNSENT: Final = (
    "p.number, p.target, p.attempts, o.id, o.type, o.subject, o.source, o.sequence, o.time, o.traceparent, o.data"
)
# What never failed goes first: thousands that nobody takes must not hold up the rest. Embedded, sending is handling:
# a flood of commands of one class must leave room in each window for the others.
_UNSENT: Final = {
    "postgresql": text(
        f"SELECT {_OF_UNSENT} FROM bus_pending p JOIN bus_outbox o ON o.position = p.position "
        "AND o.recorded_at = p.recorded_at WHERE p.due_at <= :now ORDER BY p.due_at, p.number LIMIT :limit "
        "FOR UPDATE OF p SKIP LOCKED"
    ),
    "sqlite": text(
        f"SELECT {_OF_UNSENT} FROM (SELECT *, row_number() OVER (PARTITION BY target ORDER BY due_at, number) AS turn "
        "FROM (SELECT * FROM bus_pending WHERE due_at <= :now ORDER BY due_at, number LIMIT 20 * :limit)) AS p "
        "JOIN bus_outbox o ON o.position = p.position ORDER BY p.turn, p.number LIMIT :limit"
    ),
}
_ANY_UNSENT: Final = text("SELECT EXISTS (SELECT 1 FROM bus_pending WHERE due_at <= :now)")
_SENT: Final = {
    "postgresql": text(
        "DELETE FROM bus_pending WHERE number IN "
        "(SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST(:numbers AS json)))"
    ),
    "sqlite": text("DELETE FROM bus_pending WHERE number IN (SELECT value FROM json_each(:numbers))"),
}
_LATER: Final = text("UPDATE bus_pending SET attempts = attempts + 1, due_at = :due_at WHERE number = :number")
_AGAIN: Final = {
    "postgresql": text(
        "INSERT INTO bus_pending (position, recorded_at, target) SELECT position, recorded_at, :target FROM bus_outbox "
        "WHERE sequence IS NOT NULL "
        "AND subject IN (SELECT json_array_elements_text(CAST(:subjects AS json))) ORDER BY position"
    ),
    "sqlite": text(
        "INSERT INTO bus_pending (position, recorded_at, target) SELECT position, recorded_at, :target FROM bus_outbox "
        "WHERE sequence IS NOT NULL AND subject IN (SELECT value FROM json_each(:subjects)) ORDER BY position"
    ),
}
_ALL_AGAIN: Final = text(
    "INSERT INTO bus_pending (position, recorded_at, target) SELECT position, recorded_at, :target FROM bus_outbox "
    "WHERE sequence IS NOT NULL ORDER BY position"
)
_BACKLOG: Final = text(
    "SELECT count(*) AS pending, min(recorded_at) AS oldest FROM (SELECT recorded_at FROM bus_pending) AS p"
)


class Unsent(NamedTuple):
    """A claimed row: its number in the outbox, whereto, how often it was tried in vain, and the message."""

    number: int
    target: str
    attempts: int
    message: Message


class Backlog(NamedTuple):
    """How many messages wait to be sent, and when the oldest was recorded (microseconds, None without any)."""

    pending: int
    oldest: int | None


@dataclass(frozen=True)
class Entry:
    """What is to be said."""

    id: str
    type: str
    subject: str
    source: str
    data: dict[str, Any]
    time: datetime
    traceparent: str | None


async def publish(connection: AsyncConnection, entry: Entry, now: int) -> Message:
    """Record an event in this transaction, to be sent to every consumer; returns it with its sequence."""
    row = _row(entry, now) | {"target": EVENTS}
    if connection.dialect.name == "postgresql":
        sequence = int((await connection.execute(_PUBLISH, row)).scalar_one())
    else:
        key = {"subject": entry.subject, "source": entry.source}
        sequence = int((await connection.execute(_NUMBER, key)).scalar_one())
        await _add(connection, row | {"sequence": sequence})
    return _message(entry, sequence)


async def send(connection: AsyncConnection, queue: str, entry: Entry, now: int) -> Message:
    """Record a command in this transaction, to be sent to the workers of one queue."""
    row = _row(entry, now) | {"target": COMMANDS + queue}
    if connection.dialect.name == "postgresql":
        await connection.execute(_SEND, row)
    else:
        await _add(connection, row | {"sequence": None})
    return _message(entry, None)


async def _add(connection: AsyncConnection, row: dict[str, Any]) -> None:
    position = (await connection.execute(_ADD, row)).scalar_one()
    await connection.execute(_TELL, row | {"position": position})


def _row(entry: Entry, now: int) -> dict[str, Any]:
    return {
        "recorded_at": now,
        "id": entry.id,
        "type": entry.type,
        "subject": entry.subject,
        "source": entry.source,
        "time": iso(entry.time),
        "traceparent": entry.traceparent,
        "data": orjson.dumps(entry.data).decode(),
    }


def _message(entry: Entry, sequence: int | None) -> Message:
    return Message(
        entry.id, entry.source, entry.type, entry.subject, entry.time, entry.data, sequence, entry.traceparent
    )


async def any_unsent(connection: AsyncConnection, now: int) -> bool:
    """Whether a message is due, be it that another relay has it."""
    return bool(await connection.scalar(_ANY_UNSENT, {"now": now}))


async def unsent(connection: AsyncConnection, now: int, limit: int) -> list[Unsent]:
    """Return the first messages that are due; in PostgreSQL locked, and without those that another relay has."""
    rows = await connection.execute(_UNSENT[connection.dialect.name], {"now": now, "limit": limit})
    return [Unsent(row[0], row[1], row[2], _stored(row[3:])) for row in rows.all()]


def _stored(row: Sequence[Any]) -> Message:
    key, kind, subject, source, sequence, time, traceparent, data = row
    moment = datetime.fromisoformat(time).astimezone(UTC)
    return Message(key, source, kind, subject, moment, orjson.loads(data), sequence, traceparent)


async def sent(connection: AsyncConnection, numbers: Sequence[int]) -> None:
    """Strike out what has been confirmed."""
    if numbers:
        statement = _SENT[connection.dialect.name]
        await connection.execute(statement, {"numbers": orjson.dumps(list(numbers)).decode()})


async def later(connection: AsyncConnection, due: dict[int, int]) -> None:
    """Put off what could not be sent: row number to the moment of the next try."""
    if due:
        await connection.execute(_LATER, [{"number": number, "due_at": moment} for number, moment in due.items()])


async def again(connection: AsyncConnection, consumer: str, subjects: Sequence[str] | None) -> int:
    """Send this service's recorded events (of some subjects, or all) once more, to one consumer; return how many."""
    target = CONSUMER + consumer
    if subjects is None:
        return (await connection.execute(_ALL_AGAIN, {"target": target})).rowcount
    statement = _AGAIN[connection.dialect.name]
    values = {"target": target, "subjects": orjson.dumps(list(subjects)).decode()}
    return (await connection.execute(statement, values)).rowcount


async def backlog(connection: AsyncConnection) -> Backlog:
    """Return how much waits to be sent."""
    pending, oldest = (await connection.execute(_BACKLOG)).one()
    return Backlog(int(pending), oldest)
