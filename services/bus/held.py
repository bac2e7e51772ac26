"""Queries of the inbox: how far each stream is applied, and which messages are held. Nothing here commits."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from sqlalchemy import bindparam, delete, func, insert, select, text, update

from services.bus.message import Stream
from services.bus.tables import held as table
from services.bus.tables import inbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Select, TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection

UNREADABLE: Final = 0  # the place of what cannot be read
# Streams and places go in as one JSON parameter: databases limit how many parameters a statement has.
_STREAMS: Final = (
    "(SELECT value ->> 0 AS subject, value ->> 1 AS source, CAST(value ->> 2 AS bigint) AS place FROM {array})"
)
_ARRAYS: Final = {"postgresql": "json_array_elements(CAST(:streams AS json))", "sqlite": "json_each(:streams)"}
_LOCK: Final = (
    "SELECT i.subject, i.source, i.applied FROM bus_inbox i JOIN {streams} s ON i.subject = s.subject "
    "AND i.source = s.source WHERE i.consumer = :consumer ORDER BY i.subject, i.source"
)
_BEGIN: Final = (
    "INSERT INTO bus_inbox (consumer, subject, source) SELECT :consumer, subject, source FROM {streams} AS s "
    "WHERE true ON CONFLICT DO NOTHING"
)
_MOVE: Final = (
    "UPDATE bus_inbox SET applied = s.place FROM {streams} AS s "
    "WHERE consumer = :consumer AND bus_inbox.subject = s.subject AND bus_inbox.source = s.source"
)
_OF_STREAMS: Final = (
    "SELECT h.id, h.subject, h.source, h.place, h.body, h.due_at, h.dead_at FROM bus_held h "
    "JOIN {streams} s ON h.subject = s.subject AND h.source = s.source WHERE h.consumer = :consumer"
)
_AT: Final = "WHERE consumer = :consumer AND (subject, source, place) IN {streams}"
_RELEASE: Final = f"DELETE FROM bus_held {_AT}"
_SHELVE: Final = f"UPDATE bus_held SET due_at = NULL {_AT}"


class Place(NamedTuple):
    """Where a message belongs: a stream, and a number from 1."""

    subject: str
    source: str
    place: int


class Held(NamedTuple):
    """A message that came and is not applied. ``due_at``: of its next try; ``dead_at``: since when it is given up."""

    id: str
    subject: str
    source: str
    place: int
    body: bytes
    due_at: int | None = None
    dead_at: int | None = None


class Waiting(NamedTuple):
    """How many messages of a consumer are held, by why; how many streams lack a message; how many are unreadable."""

    parked: int
    retrying: int
    dead: int
    gaps: int
    unreadable: int


def _sql(connection: AsyncConnection, statement: str) -> TextClause:
    return _parsed(connection.dialect.name, statement)


@cache
def _parsed(dialect: str, statement: str) -> TextClause:
    return text(statement.format(streams=_STREAMS.format(array=_ARRAYS[dialect])))


def _json(streams: Iterable[Sequence[Any]]) -> str:
    return orjson.dumps([list(stream) for stream in streams]).decode()


async def lock(connection: AsyncConnection, consumer: str, streams: Sequence[Stream]) -> dict[Stream, int]:
    """Lock each stream's row until the transaction ends, always in one order; return the last applied place of each."""
    values = {"consumer": consumer, "streams": _json(streams)}
    locked = " FOR UPDATE OF i" if connection.dialect.name == "postgresql" else ""
    statement = _sql(connection, _LOCK + locked)
    found = (await connection.execute(statement, values)).all()
    if len(found) < len(streams):
        await connection.execute(_sql(connection, _BEGIN), values)
        found = (await connection.execute(statement, values)).all()
    return {Stream(subject, source): applied for subject, source, applied in found}


async def move(connection: AsyncConnection, consumer: str, applied: dict[Stream, int]) -> None:
    """Write how far streams are applied now."""
    await _at(connection, _MOVE, consumer, [Place(*stream, place) for stream, place in applied.items()])


async def release(connection: AsyncConnection, consumer: str, places: Sequence[Place]) -> None:
    """Forget held messages, which have been applied."""
    await _at(connection, _RELEASE, consumer, places)


async def shelve(connection: AsyncConnection, consumer: str, places: Sequence[Place]) -> None:
    """Let messages wait for the one before them, instead of for a moment."""
    await _at(connection, _SHELVE, consumer, places)


async def _at(connection: AsyncConnection, statement: str, consumer: str, places: Sequence[Place]) -> None:
    if places:
        await connection.execute(_sql(connection, statement), {"consumer": consumer, "streams": _json(places)})


async def of_streams(connection: AsyncConnection, consumer: str, streams: Sequence[Stream]) -> list[Held]:
    """Return what is held of some streams."""
    rows = await connection.execute(_sql(connection, _OF_STREAMS), {"consumer": consumer, "streams": _json(streams)})
    return [Held._make(row) for row in rows.all()]


async def hold(connection: AsyncConnection, consumer: str, messages: Sequence[Held], now: int) -> None:
    """Hold messages that came early."""
    if messages:
        rows = [{**message._asdict(), "consumer": consumer, "arrived_at": now} for message in messages]
        await connection.execute(insert(table), rows)


async def find(connection: AsyncConnection, consumer: str, place: Place) -> dict[str, Any] | None:
    """Return the held message of a place whole, None where none is held."""
    query = select(table).where(table.c.consumer == consumer).filter_by(**place._asdict()).with_for_update()
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else dict(row)


async def put(connection: AsyncConnection, consumer: str, row: dict[str, Any]) -> None:
    """Write a held message whole, over what was held at its place."""
    await release(connection, consumer, [Place(row["subject"], row["source"], row["place"])])
    await connection.execute(insert(table).values(consumer=consumer, **row))


async def due(connection: AsyncConnection, consumer: str, now: int, limit: int) -> list[bytes]:
    """Return messages whose next try is due."""
    query = select(table.c.body).where(table.c.consumer == consumer, table.c.due_at <= now, table.c.dead_at.is_(None))
    rows = await connection.scalars(query.order_by(table.c.due_at).limit(limit))
    return [bytes(body) for body in rows.all()]


async def next_due(connection: AsyncConnection, consumer: str) -> int | None:
    """Return when the next try is due, None where nothing waits for one."""
    query = select(func.min(table.c.due_at)).where(table.c.consumer == consumer, table.c.dead_at.is_(None))
    moment: int | None = await connection.scalar(query)
    return moment


async def dead(connection: AsyncConnection, consumer: str, after: str, limit: int) -> list[dict[str, Any]]:
    """Return dead letters by id."""
    query = select(table).where(table.c.consumer == consumer, table.c.dead_at.is_not(None), table.c.id > after)
    return [dict(row) for row in (await connection.execute(query.order_by(table.c.id).limit(limit))).mappings()]


async def letter(connection: AsyncConnection, consumer: str, key: str) -> dict[str, Any] | None:
    """Return the dead letter of this id, None where there is none."""
    query = select(table).where(table.c.consumer == consumer, table.c.dead_at.is_not(None), table.c.id == key)
    row = (await connection.execute(query.limit(1))).mappings().one_or_none()
    return None if row is None else dict(row)


async def revive(connection: AsyncConnection, consumer: str, ids: Sequence[str] | None, now: int) -> int:
    """Make readable dead letters (some, or all) due for a try now, with a clean slate; return how many."""
    query = update(table).where(table.c.consumer == consumer, table.c.dead_at.is_not(None), table.c.place != UNREADABLE)
    values = {"dead_at": None, "due_at": now, "failures": 0}
    if ids is None:
        return (await connection.execute(query.values(values))).rowcount
    query = query.where(table.c.id == bindparam("key"))
    revived = 0
    for key in ids:
        revived += (await connection.execute(query.values(values), {"key": key})).rowcount
    return revived


async def discard(connection: AsyncConnection, consumer: str, key: str) -> bool:
    """Forget a dead letter that no stream waits for (one that could not be read); return whether there was one."""
    query = delete(table).where(table.c.consumer == consumer, table.c.id == key, table.c.place == UNREADABLE)
    return bool((await connection.execute(query)).rowcount)


async def waiting(connection: AsyncConnection, consumer: str, early_before: int) -> Waiting:
    """Count what is held. ``early_before``: see ``gaps``."""
    early = table.c.due_at.is_(None) & table.c.dead_at.is_(None)
    counts = select(
        func.count().filter(early),
        func.count().filter(table.c.due_at.is_not(None) & table.c.dead_at.is_(None)),
        func.count().filter(table.c.dead_at.is_not(None)),
        func.count().filter(table.c.place == UNREADABLE),
    ).where(table.c.consumer == consumer)
    parked, retrying, buried, unreadable = (await connection.execute(counts)).one()
    missing = await connection.scalar(select(func.count()).select_from(_gaps(consumer, early_before).subquery()))
    return Waiting(parked, retrying, buried, int(missing or 0), unreadable)


async def gaps(connection: AsyncConnection, consumer: str, early_before: int, limit: int) -> list[Place]:
    """Return places of messages that are missing: later ones of their streams came before ``early_before`` and wait.

    A stream that waits for a message which is itself held, to be tried again or dead, has no gap.
    """
    query = _gaps(consumer, early_before).order_by("subject", "source").limit(limit)
    return [Place._make(row) for row in (await connection.execute(query)).all()]


def _gaps(consumer: str, early_before: int) -> Select[Any]:
    following = inbox.c.applied + 1
    of_stream = (inbox.c.consumer == table.c.consumer) & (inbox.c.subject == table.c.subject)
    at_place = table.alias()
    known = (
        select(at_place.c.id)
        .where(at_place.c.consumer == consumer, at_place.c.subject == inbox.c.subject)
        .where(at_place.c.source == inbox.c.source, at_place.c.place == following)
        .exists()
    )
    return (
        select(inbox.c.subject, inbox.c.source, following.label("place"))
        .distinct()
        .select_from(table.join(inbox, of_stream & (inbox.c.source == table.c.source)))
        .where(table.c.consumer == consumer, table.c.due_at.is_(None), table.c.dead_at.is_(None))
        .where(table.c.arrived_at < early_before, ~known)
    )
