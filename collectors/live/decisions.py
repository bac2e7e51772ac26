"""Recorded decisions: which period the stages are judged against, and when maintenance is.

Nothing here forgets: a decision is replaced by a later one, and who looks back sees both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import case, insert, select, update

from collectors.live.tables import maintenance, reference_decisions
from collectors.signals.reference import from_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from collectors.signals.reference import Reference


@dataclass(frozen=True)
class Period:
    """A decided period [``begin``, ``end``), in microseconds since 1970 UTC, and the reason given."""

    number: int
    decided_at: int
    begin: int
    end: int
    why: str


async def record_reference(connection: AsyncConnection, reference: Reference, why: str, now: int) -> None:
    """Let a reference hold from now on."""
    document = orjson.dumps(reference.document()).decode()
    period = {"decided_at": now, "begin": reference.begin, "end": reference.end, "why": why}
    await connection.execute(insert(reference_decisions), {**period, "document": document})


async def reference_in_force(connection: AsyncConnection) -> Reference | None:
    """Return the reference decided last; None if there is none, or none that this version can read."""
    query = select(reference_decisions.c.document).order_by(reference_decisions.c.number.desc()).limit(1)
    document = await connection.scalar(query)
    try:
        return from_document(orjson.loads(document)) if document else None
    except ValueError:
        return None


async def references(connection: AsyncConnection) -> list[Period]:
    """Return all decided reference periods, the one in force first."""
    table = reference_decisions
    columns = [table.c[name] for name in ("number", "decided_at", "begin", "end", "why")]
    rows = (await connection.execute(select(*columns).order_by(table.c.number.desc()))).mappings().all()
    return [_period(row) for row in rows]


async def record_maintenance(connection: AsyncConnection, begin: int, end: int, why: str, now: int) -> None:
    """Declare a maintenance window."""
    await connection.execute(insert(maintenance), {"decided_at": now, "begin": begin, "end": end, "why": why})


async def end_maintenance(connection: AsyncConnection, number: int, now: int) -> bool:
    """End a maintenance window now; return whether there is such a one that was not over."""
    window = (maintenance.c.number == number) & (maintenance.c.end > now)
    begin = case((maintenance.c.begin > now, now), else_=maintenance.c.begin)
    changed = await connection.execute(update(maintenance).where(window).values(begin=begin, end=now))
    return changed.rowcount > 0


async def maintenance_windows(connection: AsyncConnection) -> Sequence[Period]:
    """Return all maintenance windows, the earliest first."""
    query = select(maintenance).order_by(maintenance.c.begin, maintenance.c.number)
    return [_period(row) for row in (await connection.execute(query)).mappings().all()]


def _period(row: Any) -> Period:
    return Period(int(row["number"]), int(row["decided_at"]), int(row["begin"]), int(row["end"]), str(row["why"]))
