"""Recorded decisions: which period the stages are judged against, and when maintenance is.

Nothing here forgets: a decision is replaced by a later one, and who looks back sees both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import case, insert, select, update

from collectors.live.tables import maintenance, reference_decisions
from collectors.signals.reference import from_document
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from collectors.signals.reference import Reference

DAY_US: Final = 24 * 3_600_000_000
# All alerts are mute in a window: a year that is mistyped must not make it last until then.
LONGEST_WINDOW_US: Final = 7 * DAY_US


@dataclass(frozen=True)
class Period:
    """A decided period [``begin``, ``end``), in microseconds since 1970 UTC, and the reason given."""

    number: int
    decided_at: int
    begin: int
    end: int
    why: str


@dataclass(frozen=True)
class Window(Period):
    """A maintenance window. ``withdrawn_at``, ``withdrawn_why``: when and why it was taken back; None: it counts."""

    withdrawn_at: int | None = None
    withdrawn_why: str | None = None


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


def check_window(begin: int, end: int, now: int, *, past: bool) -> None:
    """Raise BadInput where a window is longer than one may be, or where it begins in the past and was not to."""
    if end - begin > LONGEST_WINDOW_US:
        raise BadInput(
            f"a maintenance window mutes the alerts, so it may last {LONGEST_WINDOW_US // DAY_US} days at most, and "
            f"`end` lies {(end - begin) / DAY_US:,.1f} days after `begin`; check both, or declare several windows, one "
            "after the other"
        )
    if now - begin > DAY_US and not past:
        raise BadInput(
            f"`begin` lies {(now - begin) / DAY_US:,.1f} days back, and what happens in a window is no evidence of a "
            'slow stage; check it, or send `"past": true` with it if that is meant'
        )


async def record_maintenance(connection: AsyncConnection, begin: int, end: int, why: str, now: int) -> None:
    """Declare a maintenance window."""
    await connection.execute(insert(maintenance), {"decided_at": now, "begin": begin, "end": end, "why": why})


async def end_maintenance(connection: AsyncConnection, number: int, now: int) -> bool:
    """End a maintenance window now; return whether there is such a one that was not over."""
    window = _in_force(number) & (maintenance.c.end > now)
    begin = case((maintenance.c.begin > now, now), else_=maintenance.c.begin)
    changed = await connection.execute(update(maintenance).where(window).values(begin=begin, end=now))
    return changed.rowcount > 0


async def withdraw_maintenance(connection: AsyncConnection, number: int, why: str, now: int) -> bool:
    """Take a maintenance window back, whenever it is; return whether there is such a one that counted."""
    query = update(maintenance).where(_in_force(number)).values(withdrawn_at=now, withdrawn_why=why)
    return (await connection.execute(query)).rowcount > 0


async def maintenance_windows(connection: AsyncConnection) -> Sequence[Window]:
    """Return all maintenance windows, the earliest first, those that were withdrawn too."""
    query = select(maintenance).order_by(maintenance.c.begin, maintenance.c.number)
    return [Window(**row) for row in (await connection.execute(query)).mappings().all()]


def _in_force(number: int) -> ColumnElement[bool]:
    return (maintenance.c.number == number) & maintenance.c.withdrawn_at.is_(None)


def _period(row: Any) -> Period:
    return Period(int(row["number"]), int(row["decided_at"]), int(row["begin"]), int(row["end"]), str(row["why"]))
