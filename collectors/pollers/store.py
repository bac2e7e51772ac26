"""The pollers' queries in the collector's database. The caller opens the transaction; nothing here commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from collectors.live.tables import polled, polled_orders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

AT_ONCE: Final = 5_000


class Overtaken(Exception):
    """Another collector has polled the same system meanwhile; its state is read and counts."""


class Kept(NamedTuple):
    """A poller's state as JSON, and how often it was saved."""

    version: int
    state: str


class Seen(NamedTuple):
    """What was last seen of an order: its status, and how many changes of it were seen."""

    status: str
    changes: int


async def kept(connection: AsyncConnection, system: str) -> Kept:
    """Return a system's state, version 0 where there is none."""
    query = select(polled.c.version, polled.c.state).where(polled.c.system == system)
    row = (await connection.execute(query)).first()
    return Kept(0, "") if row is None else Kept(int(row[0]), str(row[1]))


async def keep(connection: AsyncConnection, system: str, before: int, state: str) -> None:
    """Save a state that follows version ``before``. Raises Overtaken where that is not the last one any more."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(polled).values(system=system, version=before + 1, state=state)
    changed = statement.on_conflict_do_update(
        index_elements=["system"],
        set_={"version": before + 1, "state": state},
        where=polled.c.version == before,
    ).returning(polled.c.version)
    if (await connection.execute(changed)).first() is None:
        raise Overtaken


async def seen(connection: AsyncConnection, system: str, names: Sequence[str]) -> dict[str, Seen]:
    """Return what was last seen of some orders."""
    found: dict[str, Seen] = {}
    for start in range(0, len(names), AT_ONCE):
        query = select(polled_orders.c.name, polled_orders.c.status, polled_orders.c.seen).where(
            polled_orders.c.system == system, polled_orders.c.name.in_(names[start : start + AT_ONCE])
        )
        found |= {name: Seen(status, changes) for name, status, changes in await connection.execute(query)}
    return found


async def remember(connection: AsyncConnection, system: str, orders: Mapping[str, Seen]) -> None:
    """Note what was last seen of some orders."""
    if not orders:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(polled_orders)
    new = {"status": statement.excluded.status, "seen": statement.excluded.seen}
    rows = [
        {"system": system, "name": name, "status": order.status, "seen": order.changes}
        for name, order in sorted(orders.items())
    ]
    await connection.execute(statement.on_conflict_do_update(index_elements=["system", "name"], set_=new), rows)
