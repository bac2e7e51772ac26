"""Poll a status history by SQL: what is new since a position, and what was committed late below it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import and_, column, event, make_url, or_, select, table, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import create_async_engine

from collectors.live.reading import Intake
from collectors.pollers.gaps import Progress
from collectors.pollers.polling import LOG, Poller
from collectors.sources.cloudevents_log import EVENT_TYPE, BadEvent
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import URL, ColumnClause, Select
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from collectors.live.handlers import Collector
    from collectors.pollers.gaps import Gap
    from collectors.pollers.store import Kept
    from collectors.pollers.systems import SqlPoll, System

MICROSECOND: Final = timedelta(microseconds=1)
UNITS: Final = {"us": 1, "ms": 1_000, "s": 1_000_000}
GAPS_AT_ONCE: Final = 200
MOST_GAPS: Final = 10_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


class SqlPoller(Poller):
    """Reads one system's history in read-only transactions. Raises BadInput where its address is none."""

    def __init__(self, system: System, poll: SqlPoll, collector: Collector) -> None:
        super().__init__(system, collector, poll.every.total_seconds())
        self.poll = poll
        self.engine = _engine(poll.address(system.name), system.name)
        self._history = _history(poll)
        self._sparse = False

    async def close(self) -> None:
        """Close the connections."""
        await self.engine.dispose()

    async def _step(self, kept: Kept) -> bool:
        progress = Progress.read(kept.state)
        position, limit = self.poll.columns.position, self.poll.at_once
        longest = self.poll.timeout.total_seconds()
        try:
            async with asyncio.timeout(longest):
                late, new = await self._read(progress)
        except TimeoutError as error:
            raise TimeoutError(f"no whole answer came within {longest:g} s") from error
        rows = [*late, *new]
        after = progress.after(
            [int(row[position]) for row in rows], self.collector.clock(), self.poll.longest_transaction // MICROSECOND
        )
        if len(after.gaps) > MOST_GAPS:
            # The highest are kept: what is committed late has a position near the end.
            after = Progress(after.position, after.gaps[-MOST_GAPS:])
            if not self._sparse:
                LOG.warning(
                    "%s: its positions are sparse; only the last %d gaps are watched", self.system.name, MOST_GAPS
                )
            self._sparse = True
        if after == progress:
            return False
        await self._take_in(self._intake(rows), after.written())
        return len(new) == limit or len(late) == limit

    async def _read(self, progress: Progress) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return rows that have come into gaps, and new ones."""
        position: ColumnClause[int] = column(self.poll.columns.position)
        async with self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execution_options(postgresql_readonly=True)
            late = await self._late(connection, progress.gaps)
            query = self._history.where(position > progress.position).order_by(position).limit(self.poll.at_once)
            return late, await _rows(connection, query)

    async def _late(self, connection: AsyncConnection, gaps: Sequence[Gap]) -> list[dict[str, Any]]:
        """Return rows that have come into gaps, at most as many as one step takes."""
        place: ColumnClause[int] = column(self.poll.columns.position)
        found: list[dict[str, Any]] = []
        for start in range(0, len(gaps), GAPS_AT_ONCE):
            ranges = [and_(place >= gap.first, place <= gap.last) for gap in gaps[start : start + GAPS_AT_ONCE]]
            query = self._history.where(or_(*ranges)).order_by(place).limit(self.poll.at_once - len(found))
            found += await _rows(connection, query)
            if len(found) == self.poll.at_once:
                break
        return found

    def _intake(self, rows: Sequence[Mapping[str, Any]]) -> Intake:
        intake = Intake()
        for row in rows:
            kind = self.poll.columns.type
            if kind is not None and row[kind] != EVENT_TYPE:
                continue
            try:
                intake.events.append(self.collector.reader.read(self._message(row)))
            except BadEvent as error:
                where = f"{self.system.name} {row[self.poll.columns.position]}"
                raw = orjson.dumps(dict(row), default=str, option=orjson.OPT_NON_STR_KEYS)
                intake.refuse(str(error), raw, f"polled {where}")
        return intake

    def _message(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row as the CloudEvent that it stands for. Raises BadEvent where its data is no JSON."""
        columns = self.poll.columns
        message: dict[str, Any] = {
            "id": f"{self.system.name}/{row[columns.position]}" if columns.id is None else _text(row[columns.id]),
            "source": self.system.source if columns.source is None else row[columns.source],
            "subject": _text(row[columns.order]),
            "time": _moment(row[columns.time], UNITS[self.poll.time_unit]),
            "sequence": None if columns.sequence is None else row[columns.sequence],
        }
        if columns.data is not None:
            return {**message, "data": _decoded(row[columns.data])}
        attributes = {name: row[source] for name, source in columns.attributes.items()}
        return {**message, "data": {"status": row[columns.status or ""], "order": attributes}}


async def _rows(connection: AsyncConnection, query: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in (await connection.execute(query)).mappings()]


def _text(value: object) -> object:
    """Return an id as text: other systems number theirs."""
    return str(value) if isinstance(value, int) else value


def _decoded(data: object) -> object:
    if not isinstance(data, str | bytes):
        return data
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadEvent("the data is no JSON") from error


def _moment(value: object, unit_us: int) -> object:
    """Return a time as ISO 8601; naive ones are UTC, what is no time stays as it is and is refused later."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, int):
        try:
            value = EPOCH + timedelta(microseconds=value * unit_us)
        except OverflowError:
            return str(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return value


def _history(poll: SqlPoll) -> Select[Any]:
    columns: list[ColumnClause[Any]] = [column(name) for name in poll.columns.wanted()]
    if poll.select is not None:
        return select(*columns).select_from(text(poll.select).columns(*columns).subquery("history"))
    schema, _, name = poll.table.rpartition(".")
    return select(*columns).select_from(table(name, schema=schema or None))


def _engine(address: str, system: str) -> AsyncEngine:
    try:
        url: URL = make_url(address)
        driver = _DRIVERS[url.get_backend_name()]
    except (ArgumentError, KeyError) as error:
        raise BadInput(
            f"the database address of `{system}` cannot be used; write postgresql://... or sqlite:///FILE"
        ) from error
    engine = create_async_engine(url.set(drivername=driver), pool_size=1, max_overflow=1, pool_pre_ping=True)
    if url.get_backend_name() == "sqlite":

        @event.listens_for(engine.sync_engine, "connect")
        def _read_only(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA query_only = ON")

    return engine
