"""The collector's queries. The caller opens the transaction; nothing here commits."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from collectors.live.model import EventRow
from collectors.live.rows import COLUMNS, COUNTED, contribution
from collectors.live.tables import ENDED, HAS_GAP, IN_FLIGHT, events, followed, notes, orders, quarantine, totals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Dialect
    from sqlalchemy.dialects.postgresql.dml import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite.dml import Insert as SqliteInsert
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.schema import Table

    from collectors.live.reading import Arrived, Refused

UNKNOWN_KEY: Final = "status "
AT_ONCE: Final = 10_000  # parameters of one IN list; databases refuse more than 32,766
_EVENT: Final = [events.c[name] for name in ("order_number", *EventRow._fields[1:])]
_ORDER: Final = [orders.c[name] for name in COLUMNS]
_KEPT_COUNTS: Final = [orders.c[name] for name in ("number", "name", "events", "settled", *COUNTED)]
_MEASURED: Final = ("settled", "events", *COUNTED, *COLUMNS[3:])
_UPDATE: Final = (
    update(orders).where(orders.c.number == bindparam("key")).values({name: bindparam(name) for name in _MEASURED})
)
_NEW_EVENTS: Final = (
    "INSERT INTO events (source, id, order_number, at, status, sequence, attributes, uncertainty_us) {rows} "
    "ON CONFLICT DO NOTHING RETURNING source, id, arrival"
)
_ADD_EVENTS: Final = {
    "sqlite": text(
        _NEW_EVENTS.format(
            rows="SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, "
            "value ->> 7 FROM json_each(:rows) WHERE true"
        )
    ),
    "postgresql": text(
        _NEW_EVENTS.format(
            rows="SELECT value ->> 0, value ->> 1, CAST(value ->> 2 AS bigint), CAST(value ->> 3 AS bigint), "
            "value ->> 4, CAST(value ->> 5 AS bigint), value ->> 6, CAST(value ->> 7 AS bigint) "
            "FROM json_array_elements(CAST(:rows AS json)) WITH ORDINALITY ORDER BY ordinality"
        )
    ),
}


def _insert_new(connection: AsyncConnection, table: Table) -> PostgresInsert | SqliteInsert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


async def lock_orders(connection: AsyncConnection, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Make sure that each order has a row, lock these rows until the transaction ends, and return what they count.

    Always all insertions first and then all locks, each in one order for everybody, so that no two wait for each other.
    """
    names = sorted(names)
    await connection.execute(_insert_new(connection, orders), [{"name": name} for name in names])
    found: dict[str, dict[str, Any]] = {}
    for some in _chunks(names):
        query = select(*_KEPT_COUNTS).where(orders.c.name.in_(some)).order_by(orders.c.number).with_for_update()
        found |= {row["name"]: dict(row) for row in (await connection.execute(query)).mappings()}
    return found


async def add_events(
    connection: AsyncConnection, arrived: Sequence[Arrived], numbers: dict[str, int]
) -> dict[tuple[str, str], int]:
    """Store the events that are new; return their arrival numbers by source and id."""
    # One JSON parameter, because hundreds of rows of parameters cost more in Python than in the database.
    rows = [
        [e.source, e.id, numbers[e.order], e.at, e.status, e.sequence, e.attributes, e.uncertainty] for e in arrived
    ]
    statement = _ADD_EVENTS[connection.dialect.name]
    result = await connection.execute(statement, {"rows": orjson.dumps(rows).decode()})
    return {(source, key): arrival for source, key, arrival in result}


async def events_of(connection: AsyncConnection, numbers: Sequence[int]) -> list[EventRow]:
    """Return all events of some orders."""
    found: list[EventRow] = []
    for some in _chunks(numbers):
        rows = await connection.execute(select(*_EVENT).where(events.c.order_number.in_(some)))
        found += map(EventRow._make, rows)
    return found


async def event_labels(connection: AsyncConnection, number: int) -> dict[int, tuple[str, int | None]]:
    """Return each event of an order by its arrival number: its id, and how uncertain its time is (microseconds)."""
    query = select(events.c.arrival, events.c.id, events.c.uncertainty_us).where(events.c.order_number == number)
    return {int(arrival): (str(key), uncertainty) for arrival, key, uncertainty in await connection.execute(query)}


async def save_orders(
    connection: AsyncConnection, rows: Sequence[dict[str, Any]], before: Sequence[dict[str, Any]]
) -> None:
    """Write measured orders, and move the totals by what changed. ``before``: the counts these orders had."""
    if not rows:
        return
    statement, names = _driver_sql(connection.dialect)
    await connection.exec_driver_sql(statement, [tuple(row[name] for name in names) for row in rows])
    moved: dict[str, int] = {}
    for sign, side in ((1, rows), (-1, before)):
        for row in side:
            for name, value in contribution(row).items():
                moved[name] = moved.get(name, 0) + sign * value
    await move_totals(connection, moved)


@cache
def _driver_sql(dialect: Dialect) -> tuple[str, list[str]]:
    """Return the update of orders as the driver reads it, and the order of its parameters.

    Handing SQLAlchemy hundreds of rows of named parameters took a fifth of the time of an intake.
    """
    compiled = _UPDATE.compile(dialect=dialect)
    return str(compiled), list(compiled.positiontup or ())


async def move_totals(connection: AsyncConnection, moved: dict[str, int]) -> None:
    """Add to the totals, always in the order of their names, so that no two transactions wait for each other."""
    changes = [{"name": name, "value": moved[name]} for name in sorted(moved) if moved[name]]
    if not changes:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(totals)
    new = totals.c.value + statement.excluded.value
    await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": new}), changes)


async def read_totals(connection: AsyncConnection) -> dict[str, int]:
    """Return the totals."""
    return {name: int(value) for name, value in await connection.execute(select(totals.c.name, totals.c.value))}


async def add_refused(connection: AsyncConnection, refused: Sequence[Refused], now: int) -> int:
    """Quarantine records; return how many were not there yet."""
    if not refused:
        return 0
    rows = [{"key": r.key, "reason": r.reason, "arrived_at": now, "raw": r.raw} for r in refused]
    result = await connection.execute(_insert_new(connection, quarantine).returning(quarantine.c.key), rows)
    return len(result.all())


async def in_flight_after(connection: AsyncConnection, number: int, limit: int) -> Sequence[Any]:
    """Return the next orders in flight by number; columns as in ``rows.COLUMNS``."""
    query = select(*_ORDER).where(IN_FLIGHT, orders.c.number > number).order_by(orders.c.number).limit(limit)
    return (await connection.execute(query)).all()


async def measured_after(connection: AsyncConnection, number: int, limit: int) -> Sequence[Any]:
    """Return the next orders that have a usable event."""
    query = select(*_ORDER).where(orders.c.number > number, orders.c.events > 0).order_by(orders.c.number)
    return (await connection.execute(query.limit(limit))).all()


async def lately_ended(connection: AsyncConnection, limit: int) -> Sequence[Any]:
    """Return the orders that ended last, oldest of them first."""
    query = select(*_ORDER).where(ENDED).order_by(orders.c.end_at.desc(), orders.c.number.desc()).limit(limit)
    return (await connection.execute(query)).all()[::-1]


async def orders_with_gaps(connection: AsyncConnection, limit: int = AT_ONCE) -> dict[int, str]:
    """Return the orders that lack a sequence number now, by their number; the oldest first."""
    query = select(orders.c.number, orders.c.name).where(HAS_GAP).order_by(orders.c.number).limit(limit)
    return {int(number): str(name) for number, name in await connection.execute(query)}


async def last_heard(connection: AsyncConnection, events_back: int) -> dict[str, int]:
    """Return the latest time that each source named in the events that arrived last."""
    newest = select(func.max(events.c.arrival)).scalar_subquery()
    query = select(events.c.source, func.max(events.c.at)).where(events.c.arrival > newest - events_back)
    return {str(source): int(at) for source, at in await connection.execute(query.group_by(events.c.source))}


async def first_heard(connection: AsyncConnection) -> int | None:
    """Return the time of the event that arrived first, None where there is none."""
    found: int | None = await connection.scalar(select(events.c.at).order_by(events.c.arrival).limit(1))
    return found


async def order_number(connection: AsyncConnection, name: str) -> int | None:
    """Return an order's number, None where nothing was heard of it."""
    found: int | None = await connection.scalar(select(orders.c.number).where(orders.c.name == name))
    return found


async def names_after(connection: AsyncConnection, number: int, limit: int, last: int | None = None) -> list[str]:
    """Return the names of the next orders by number, up to the ``last`` one, whatever is known of them."""
    query = select(orders.c.name).where(orders.c.number > number).order_by(orders.c.number).limit(limit)
    query = query if last is None else query.where(orders.c.number <= last)
    return list((await connection.scalars(query)).all())


async def last_number(connection: AsyncConnection) -> int:
    """Return the last order's number, 0 where there is none."""
    return int(await connection.scalar(select(func.max(orders.c.number))) or 0)


async def recent_attributes(connection: AsyncConnection, limit: int) -> list[str]:
    """Return the attributes (JSON objects) of the latest orders."""
    query = select(orders.c.attributes).order_by(orders.c.number.desc()).limit(limit)
    return list((await connection.scalars(query)).all())


async def unknown_after(connection: AsyncConnection, known: Sequence[str], arrival: int, limit: int) -> Sequence[Any]:
    """Return the next events by arrival whose status is not a known one: arrival, source, id, order, status."""
    query = (
        select(events.c.arrival, events.c.source, events.c.id, orders.c.name.label("order"), events.c.status)
        .join(orders, orders.c.number == events.c.order_number)
        .where(events.c.arrival > arrival, events.c.status.not_in(known))
        .order_by(events.c.arrival)
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def note(connection: AsyncConnection, name: str) -> str | None:
    """Return what is noted under a name."""
    found: str | None = await connection.scalar(select(notes.c.value).where(notes.c.name == name))
    return found


async def write_note(connection: AsyncConnection, name: str, value: str) -> None:
    """Note a value under a name."""
    await connection.execute(delete(notes).where(notes.c.name == name))
    await connection.execute(insert(notes), {"name": name, "value": value})


async def progress_of(connection: AsyncConnection, path: str) -> dict[str, Any] | None:
    """Return how far a followed log was read."""
    found = (await connection.execute(select(followed).where(followed.c.path == path))).mappings().first()
    return dict(found) if found else None


async def save_progress(connection: AsyncConnection, progress: dict[str, Any]) -> None:
    """Note how far a followed log was read."""
    await connection.execute(delete(followed).where(followed.c.path == progress["path"]))
    await connection.execute(insert(followed), progress)


async def forget_unknown(connection: AsyncConnection) -> None:
    """Take events with unknown statuses out of quarantine, because another promise file may know them."""
    await connection.execute(delete(quarantine).where(quarantine.c.key.startswith(UNKNOWN_KEY)))


async def alive(connection: AsyncConnection) -> bool:
    """Whether the database answers."""
    return bool(await connection.scalar(select(func.count()).select_from(notes)) is not None)


def _chunks(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE)]
