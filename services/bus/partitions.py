"""Monthly partitions of the outbox in PostgreSQL, made ahead of need."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.ext.asyncio import AsyncConnection

AHEAD: Final = 3
_LOCK: Final = 0x7061727473  # any number that only this locks
_SECOND: Final = 1_000_000


async def ensure(connection: AsyncConnection, now: datetime) -> None:
    """Make the partitions of this month and the next ones, where they are missing."""
    if connection.dialect.name != "postgresql":
        return
    await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    for begin, end in _months(now):
        name = f"bus_outbox_{begin:%Y_%m}"
        if await connection.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is not None:
            continue
        if begin <= now:
            # Writers wait: a row that one of them adds meanwhile lies in the default partition, where it may not stay.
            await connection.execute(text("LOCK TABLE ONLY bus_outbox IN SHARE ROW EXCLUSIVE MODE"))
        since, until = _micros(begin), _micros(end)
        # Rows that came before their partition lie in the default one, which must let go of them first.
        theirs = f"FROM bus_outbox_rest WHERE recorded_at >= {since} AND recorded_at < {until}"
        for statement in (
            f"CREATE TABLE {name} (LIKE bus_outbox INCLUDING ALL)",
            f"INSERT INTO {name} SELECT * {theirs}",
            f"DELETE {theirs}",
            f"ALTER TABLE bus_outbox ATTACH PARTITION {name} FOR VALUES FROM ({since}) TO ({until})",
        ):
            await connection.execute(text(statement))


def _months(now: datetime) -> Iterator[tuple[datetime, datetime]]:
    begin = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(AHEAD):
        month = begin.month % 12 + 1
        end = begin.replace(year=begin.year + (month == 1), month=month)
        yield begin, end
        begin = end


def _micros(moment: datetime) -> int:
    return int(moment.timestamp()) * _SECOND
