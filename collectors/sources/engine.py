"""The DuckDB engine that reads logs: larger than memory, in columns, with one table ``raw`` per log.

Columns of ``raw``: ``o`` order, ``s`` status, ``t`` microseconds since 1970 UTC (``t0``, ``t1`` for activities with
start and end), ``bad`` the text of a time that could not be read, ``source``, ``seq``, ``id`` where the log has them,
and ``a0``, ``a1`` ... for the attributes asked for. A row's place in the file is its ``rowid``.
"""

from __future__ import annotations

import contextlib
import tempfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from collectors.promise.model import LogReading

MEMORY_LIMIT: Final = "1200MB"
EARLIEST_US: Final = int(datetime(1, 1, 2, tzinfo=UTC).timestamp()) * 1_000_000
LATEST_US: Final = int(datetime(9998, 12, 31, tzinfo=UTC).timestamp()) * 1_000_000
NO_MOMENT: Final = -(1 << 63)


def quoted(name: str) -> str:
    """Quote an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote an SQL string."""
    return "'" + text.replace("'", "''") + "'"


@contextlib.contextmanager
def open_engine(memory_limit: str = MEMORY_LIMIT) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an engine that spills to a temporary folder beyond its memory limit, and leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="touchstone-", ignore_cleanup_errors=True) as folder:
        connection = duckdb.connect()
        try:
            connection.execute(f"SET memory_limit = {literal(memory_limit)}")
            connection.execute(f"SET temp_directory = {literal(folder)}")
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()


def moment_sql(text: str, log: LogReading) -> str:
    """Return the SQL that reads a text column as microseconds since 1970 UTC, null where it is no time.

    Naive times are in the log's time zone; where clocks went back, the first of the two moments counts (PEP 495).
    """
    zone = literal(log.timezone)
    if log.time_format is not None:
        if "%z" in log.time_format.lower():
            # The engine's %z knows offsets only, and Python's knows `Z` for UTC too.
            return f"epoch_us(try_strptime(regexp_replace({text}, 'Z\\s*$', '+00'), {literal(log.time_format)}))"
        parsed = f"try_strptime({text}, {literal(log.time_format)})"
        return f"epoch_us({parsed})" if log.timezone == "UTC" else _zoned_sql(parsed, zone)
    if log.timezone == "UTC":
        return f"epoch_us(TRY_CAST({text} AS TIMESTAMPTZ))"
    offset = f"regexp_matches({text}, ':\\d\\d[^+-]*(Z|[+-]\\d\\d(:?\\d\\d)?|[A-Za-z_]+/[A-Za-z_/]+)\\s*$')"
    naive = _zoned_sql(f"TRY_CAST({text} AS TIMESTAMP)", zone)
    return f"CASE WHEN {offset} THEN epoch_us(TRY_CAST({text} AS TIMESTAMPTZ)) ELSE {naive} END"


def promised_sql(text: str, log: LogReading, *, by_day: bool) -> str:
    """Return the SQL that reads a promise moment; ``by_day``: the last microsecond of that day in the log's zone."""
    sql = moment_sql(text, log)
    if not by_day:
        return sql
    zone = literal(log.timezone)
    midnight = f"date_trunc('day', timezone({zone}, make_timestamptz({sql}))) + INTERVAL 1 DAY"
    return f"epoch_us(timezone({zone}, {midnight})) - 1"


def _zoned_sql(naive: str, zone: str) -> str:
    later = f"timezone({zone}, {naive})"
    shifts = " ".join(
        f"WHEN timezone({zone}, {later} - INTERVAL {minutes} MINUTE) = {naive} "
        f"THEN epoch_us({later} - INTERVAL {minutes} MINUTE)"
        for minutes in (60, 30, 120)
    )
    return f"CASE {shifts} ELSE epoch_us({later}) END"


def rows(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run a query and return its rows."""
    return connection.execute(query, list(parameters)).fetchall()


def value(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    """Run a query and return its single value."""
    return rows(connection, query)[0][0]
