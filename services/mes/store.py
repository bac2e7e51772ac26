"""The adapter's queries. The caller opens the transaction; nothing here commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from sqlalchemy import exists, func, or_, select, update

from services.columns import inserting
from services.contract import OrderFacts, Status
from services.mes.model import Belief, Call, CallKind, Order, merged
from services.mes.tables import calls, feed, orders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_CALL: Final = (calls.c.number, calls.c.key, calls.c.order_id, calls.c.kind, calls.c.payload, calls.c.attempts)
_SHOWN: Final = (*_CALL, calls.c.due_at, calls.c.failure, calls.c.done_at, calls.c.refused)


_OWED: Final = calls.c.done_at.is_(None)


class Owed(NamedTuple):
    """How many calls are owed to the vendor, and since when the oldest is, None where there is none."""

    calls: int
    oldest: int | None


async def lock_order(connection: AsyncConnection, key: str, facts: OrderFacts, traceparent: str | None) -> Order:
    """Make sure that an order has a row that knows these facts, lock it until the transaction ends, and return it."""
    row = {"order_id": key, "facts": _written(facts), "submitted": False, "traceparent": traceparent}
    await connection.execute(inserting(connection, orders).on_conflict_do_nothing(), row)
    order = await find_order(connection, key, lock=True)
    if order is None:
        raise AssertionError(key)
    order.facts = merged(order.facts, facts)
    order.traceparent = order.traceparent or traceparent
    return order


async def find_order(connection: AsyncConnection, key: str, *, lock: bool = False) -> Order | None:
    """Return the copy of an order, None where nothing was heard of it."""
    query = select(orders).where(orders.c.order_id == key)
    found = (await connection.execute(query.with_for_update() if lock else query)).first()
    return _order(found) if found else None


def _order(row: Row[Any]) -> Order:
    belief = None if row.status is None else Belief(Status(row.status), row.since, row.at, row.source, row.sequence)
    facts = OrderFacts.model_validate_json(row.facts)
    same = (row.vendor_number, row.traceparent, row.said_at, bool(row.by_workers))
    return Order(row.order_id, facts, belief, bool(row.submitted), *same)


async def save_order(connection: AsyncConnection, order: Order) -> None:
    """Write an order that is locked."""
    belief = order.belief
    same = ("submitted", "vendor_number", "traceparent", "said_at", "by_workers")
    values: dict[str, Any] = {"facts": _written(order.facts), **{name: getattr(order, name) for name in same}}
    if belief is not None:
        names = ("status", "since", "at", "source", "sequence")
        values |= {name: getattr(belief, name) for name in names} | {"status": belief.status.value}
    await connection.execute(update(orders).where(orders.c.order_id == order.id).values(values))


def _written(facts: OrderFacts) -> str:
    return orjson.dumps(facts.document()).decode()


async def beliefs_after(connection: AsyncConnection, order: str, limit: int) -> list[tuple[str, Belief]]:
    """Return the next orders by id that have a status, each with what is believed of it."""
    query = select(orders).where(orders.c.order_id > order, orders.c.status.is_not(None))
    rows = (await connection.execute(query.order_by(orders.c.order_id).limit(limit))).all()
    found = [_order(row) for row in rows]
    return [(order.id, order.belief) for order in found if order.belief is not None]


async def owe(connection: AsyncConnection, call: Call, now: int) -> None:
    """Note a call to be made at once, owed since now; one with the same key is there already and stays as it is."""
    row = {
        "key": call.key,
        "order_id": call.order,
        "kind": call.kind.value,
        "payload": orjson.dumps(call.payload).decode(),
        "due_at": 0,
        "refused": False,
        "owed_at": now,
    }
    await connection.execute(inserting(connection, calls).on_conflict_do_nothing(), row)


async def owed_for(connection: AsyncConnection, key: str) -> bool:
    """Whether a call of this key is, or was, owed."""
    return await connection.scalar(select(calls.c.number).where(calls.c.key == key)) is not None


async def owed(connection: AsyncConnection) -> Owed:
    """Return what is owed to the vendor now."""
    row = (await connection.execute(select(func.count(), func.min(calls.c.owed_at)).where(_OWED))).one()
    return Owed(*row)


def _due(now: int) -> tuple[ColumnElement[bool], ...]:
    """Return what a call must be to be made now: each order's oldest, and due."""
    earlier = calls.alias("earlier")
    behind = exists().where(
        earlier.c.order_id == calls.c.order_id, earlier.c.done_at.is_(None), earlier.c.number < calls.c.number
    )
    return _OWED, calls.c.due_at <= now, ~behind


async def anything_due(connection: AsyncConnection, now: int) -> bool:
    """Whether a call is due."""
    return await connection.scalar(select(calls.c.number).where(*_due(now)).limit(1)) is not None


async def claim_due(connection: AsyncConnection, now: int, until: int, limit: int) -> list[Call]:
    """Take calls that are due; nobody else gets them before ``until``.

    A caller that dies lets go of them by then, and they are made again: that is safe.
    """
    query = (
        select(*_CALL, orders.c.vendor_number, orders.c.traceparent)
        .join(orders, orders.c.order_id == calls.c.order_id)
        .where(*_due(now))
        .order_by(calls.c.due_at, calls.c.number)
        .limit(limit)
        .with_for_update(of=calls, skip_locked=True)
    )
    rows = (await connection.execute(query)).all()
    numbers = [row.number for row in rows]
    await connection.execute(update(calls).where(calls.c.number.in_(numbers)).values(due_at=until))
    return [
        Call(
            row.key,
            row.order_id,
            CallKind(row.kind),
            orjson.loads(row.payload),
            row.number,
            row.attempts,
            row.vendor_number,
            row.traceparent,
        )
        for row in rows
    ]


async def put_off(connection: AsyncConnection, call: Call, failure: str, due_at: int) -> None:
    """Note that a call failed, and when to make it again."""
    values = {"attempts": call.attempts + 1, "failure": failure, "due_at": due_at}
    await connection.execute(update(calls).where(calls.c.number == call.number).values(values))


async def close_call(connection: AsyncConnection, number: int, now: int, refusal: str | None = None) -> bool:
    """Strike out a call: it was made, or will never be. Return whether it was still open."""
    values = {"done_at": now, "failure": refusal, "refused": refusal is not None}
    result = await connection.execute(update(calls).where(calls.c.number == number, _OWED).values(values))
    return result.rowcount > 0


async def reopen_call(connection: AsyncConnection, number: int, now: int) -> bool:
    """Make a refused call due again, owed since now; return whether there was such a one."""
    again = {"done_at": None, "refused": False, "due_at": 0, "attempts": 0, "owed_at": now}
    chosen = (calls.c.number == number) & calls.c.refused
    return (await connection.execute(update(calls).where(chosen).values(again))).rowcount > 0


async def unsettled_calls(connection: AsyncConnection, after: int, limit: int) -> Sequence[Row[Any]]:
    """Return the next calls by number that are owed, or were refused."""
    query = select(*_SHOWN).where(or_(_OWED, calls.c.refused), calls.c.number > after)
    return (await connection.execute(query.order_by(calls.c.number).limit(limit))).all()


async def feed_position(connection: AsyncConnection) -> int:
    """Return the last number of the vendor's journal that was published."""
    return int(await connection.scalar(select(feed.c.last)) or 0)


async def advance_feed(connection: AsyncConnection, last: int, new: int) -> bool:
    """Move on in the journal; return whether nobody else has been faster."""
    result = await connection.execute(update(feed).where(feed.c.last == last).values(last=new))
    return result.rowcount > 0
