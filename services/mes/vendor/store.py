"""The vendor's queries. The caller opens the transaction; nothing here commits."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, insert, select, update

from services.mes.vendor.model import Change, Kind, State, VendorOrder, VendorRefusal
from services.mes.vendor.tables import TO_CALCULATE, changes, journal, orders, requests

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_ORDER: Final = [orders.c[field.name] for field in fields(VendorOrder)]
_CHANGE: Final = [changes.c[field.name] for field in fields(Change)]


def _order(row: Row[Any]) -> VendorOrder:
    found = row._asdict()
    return VendorOrder(**{**found, "state": State(found["state"])})


async def lock(connection: AsyncConnection) -> None:
    """Wait until nobody else writes, as every writing transaction of the vendor's begins.

    So the journal's numbers come in the order of commits (a reader that remembers the last one misses nothing), and
    two distributions of work never cross.
    """
    await connection.execute(select(journal.c.last).with_for_update())


async def by_number(connection: AsyncConnection, number: int) -> VendorOrder:
    """Return an order. Raises VendorRefusal where there is none of that number."""
    found = (await connection.execute(select(*_ORDER).where(orders.c.number == number))).first()
    if found is None:
        raise VendorRefusal(Kind.UNKNOWN, f"no order has the number {number}")
    return _order(found)


async def find(connection: AsyncConnection, reference: str) -> VendorOrder | None:
    """Return the order with the customer's reference, None where there is none."""
    found = (await connection.execute(select(*_ORDER).where(orders.c.reference == reference))).first()
    return _order(found) if found else None


async def by_reference(connection: AsyncConnection, reference: str) -> VendorOrder:
    """Return the order with the customer's reference. Raises VendorRefusal where there is none."""
    found = await find(connection, reference)
    if found is None:
        raise VendorRefusal(Kind.UNKNOWN, f"no order has the reference `{reference}`")
    return found


async def add(connection: AsyncConnection, values: dict[str, Any]) -> int:
    """Store a new order at the end of the calculation queue; return its number."""
    queued = await next_in_queue(connection)
    statement = insert(orders).values(values | {"queued": queued}).returning(orders.c.number)
    return int((await connection.execute(statement)).scalar_one())


async def next_in_queue(connection: AsyncConnection) -> int:
    """Return the place behind the last one in the calculation queue."""
    last = await connection.scalar(select(func.max(orders.c.queued)).where(TO_CALCULATE))
    return int(last or 0) + 1


async def save(connection: AsyncConnection, number: int, values: dict[str, Any]) -> None:
    """Change columns of an order."""
    await connection.execute(update(orders).where(orders.c.number == number).values(values))


async def move(connection: AsyncConnection, order: VendorOrder, state: State, at_ms: int, **values: Any) -> VendorOrder:
    """Bring an order into a state (or say it again), and write that into the journal."""
    # The vendor's clock may be set back; what it says of one order never runs backwards.
    at_ms = max(at_ms, order.changed_ms)
    entered = {} if state == order.state else {"state_ms": at_ms}
    await save(connection, order.number, {"state": state, "changed_ms": at_ms, **entered, **values})
    moved = await by_number(connection, order.number)
    await record(connection, moved)
    return moved


async def record(connection: AsyncConnection, order: VendorOrder) -> None:
    """Write an order's present state into the journal."""
    last = update(journal).values(last=journal.c.last + 1).returning(journal.c.last)
    line = {
        "number": (await connection.execute(last)).scalar_one(),
        "order_number": order.number,
        "reference": order.reference,
        "state": order.state,
        "at_ms": order.changed_ms,
    }
    if order.state == State.CALCULATING:
        line |= {"percent": order.percent}
    if order.state == State.CALCULATED:
        line |= {"price": order.price, "currency": order.currency, "valid_ms": order.valid_ms}
    if order.state == State.CALCULATION_FAILED:
        line |= {"reason": order.reason}
    await connection.execute(insert(changes).values(line))


async def changes_after(connection: AsyncConnection, after: int, limit: int) -> list[Change]:
    """Return the next lines of the journal."""
    query = select(*_CHANGE).where(changes.c.number > after).order_by(changes.c.number).limit(limit)
    rows = [row._asdict() for row in (await connection.execute(query)).all()]
    return [Change(**{**row, "state": State(row["state"])}) for row in rows]


async def updated_since(connection: AsyncConnection, since_ms: int, after: int, limit: int) -> list[VendorOrder]:
    """Return orders by their last change, from ``since_ms`` on; of those changed at that moment, above a number."""
    later = orders.c.changed_ms > since_ms
    same = (orders.c.changed_ms == since_ms) & (orders.c.number > after)
    query = select(*_ORDER).where(later | same).order_by(orders.c.changed_ms, orders.c.number).limit(limit)
    return [_order(row) for row in (await connection.execute(query)).all()]


async def first_request(connection: AsyncConnection, key: str) -> bool:
    """Remember a request's key; return whether it is new."""
    known = await connection.scalar(select(requests.c.key).where(requests.c.key == key))
    if known is None:
        await connection.execute(insert(requests).values(key=key))
    return known is None


async def in_calculation(connection: AsyncConnection) -> tuple[VendorOrder, int, int] | None:
    """Return the order that is being calculated, since when and for how long (milliseconds), None without one."""
    query = select(*_ORDER).where(TO_CALCULATE, orders.c.state == State.CALCULATING)
    found = (await connection.execute(query)).first()
    if found is None:
        return None
    order = _order(found)
    times = select(orders.c.calculation_from_ms, orders.c.calculation_takes_ms).where(orders.c.number == order.number)
    began, takes = (await connection.execute(times)).one()
    return order, int(began), int(takes)


async def first_in_queue(connection: AsyncConnection) -> VendorOrder | None:
    """Return the order that is calculated next, None where none waits."""
    query = select(*_ORDER).where(TO_CALCULATE, orders.c.state == State.RECEIVED).order_by(orders.c.queued).limit(1)
    found = (await connection.execute(query)).first()
    return _order(found) if found else None
