"""Who keeps the account of the signals, and what others have moved meanwhile: queries of several collectors' sharing.

Each account has a generation, a number that grows whenever one is begun anew, by whomever. An intake asks first which
one is in force, and its transaction holds that until it ends. An intake of the account's own collector tells it in
memory what has moved; one of any other collector writes it down here, and the account takes it from here.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import delete, insert, select, text, update

from collectors.live.tables import moved, notes, orders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from collectors.live.model import EventRow

SIGNALS_NOTE: Final = "signals"


class Span(NamedTuple):
    """The events of an order that one intake brought: no other intake's lie between these arrival numbers."""

    order: int
    first: int
    last: int


async def generation(connection: AsyncConnection, *, hold: bool = True) -> int:
    """Return the account's generation. ``hold``: so that nobody changes it before this transaction ends."""
    query = select(notes.c.value).where(notes.c.name == SIGNALS_NOTE)
    return int((await connection.execute(query.with_for_update(read=True) if hold else query)).scalar_one())


async def next_generation(connection: AsyncConnection) -> int:
    """Begin a new generation: waits for the intakes under way, and lets no other begin before this transaction ends."""
    if connection.dialect.name == "postgresql":
        # Rows that are locked for sharing let others share who come later, however long one waits; tables have a queue.
        await connection.execute(text("LOCK TABLE notes IN EXCLUSIVE MODE"))
    own = notes.c.name == SIGNALS_NOTE
    query = select(notes.c.value).where(own).with_for_update()
    number = int((await connection.execute(query)).scalar_one()) + 1
    await connection.execute(update(notes).where(own).values(value=str(number)))
    return number


def spans(rows: Iterable[EventRow], new: Collection[int]) -> list[Span]:
    """Return the new events (``new``: their arrival numbers) of each order as a span."""
    arrivals: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        if row.arrival in new:
            arrivals[row.order].append(row.arrival)
    return [Span(order, min(came), max(came)) for order, came in sorted(arrivals.items())]


async def write_down(connection: AsyncConnection, found: Sequence[Span]) -> None:
    """Write down which events of which orders were new."""
    rows = [{"order_number": span.order, "first": span.first, "last": span.last} for span in found]
    await connection.execute(insert(moved), rows)


async def forget(connection: AsyncConnection, numbers: Sequence[int]) -> None:
    """Strike out what was written down of locked orders: whoever reads them now reads it too."""
    await connection.execute(delete(moved).where(moved.c.order_number.in_(numbers)))


async def take(connection: AsyncConnection, limit: int) -> list[Span]:
    """Take the next spans that were written down, and lock their orders until the transaction ends."""
    query = select(moved).order_by(moved.c.number).limit(limit)
    rows = (await connection.execute(query)).all()
    if not rows:
        return []
    locked = select(orders.c.number).where(orders.c.number.in_({row.order_number for row in rows}))
    await connection.execute(locked.order_by(orders.c.number).with_for_update())
    await connection.execute(delete(moved).where(moved.c.number.in_([row.number for row in rows])))
    return [Span(row.order_number, row.first, row.last) for row in rows]
