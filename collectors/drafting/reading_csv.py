"""A CSV of events, or of activities with start and end, as it is understood."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from collectors.drafting import names
from collectors.drafting.gathering import PROMISED_AT, gather, promised_by, stage_owners, status_counts
from collectors.drafting.observed import Line, Observed
from collectors.drafting.sampling import Attribute, owners_of, segments_of, share_of_orders
from collectors.drafting.time_format import find_time_format
from collectors.drafting.wording import listed, percent
from collectors.sources.csv_log import header
from collectors.sources.engine import rows, value
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    import duckdb

    from collectors.drafting.columns import Column, Table
    from collectors.drafting.history import History
    from collectors.drafting.roles import EventRoles
    from collectors.drafting.time_format import TimeFormat

_MOST_ATTRIBUTES: Final = 24
_MOST_VALUES: Final = 60


def read_events_csv(connection: duckdb.DuckDBPyConnection, table: Table, roles: EventRoles) -> Observed:
    """Sample whole orders of the CSV and tell what its ``log`` section is."""
    attributes, promised = _attributes(table, roles)
    counts = _sample(connection, table, roles, attributes, promised)
    times = "SELECT o, x0 AS x FROM texts" + (" UNION ALL SELECT o, x1 AS x FROM texts" if roles.start else "")
    time_format = find_time_format(connection, times)
    if time_format is None:
        raise BadInput(f"{table.file.name}: the times of `{roles.time.name}` cannot be read; write them as ISO 8601")
    _read_times(connection, roles, time_format, with_promise=promised is not None)
    marks, why = _marks(connection, table, roles)
    history = gather(connection, table.file.name, counts, marks)
    lines = _lines(connection, table, roles, time_format)
    if marks == "completion":
        lines.append(Line("marks", marks, why))
    apart = _clock_notes(connection, table, history, roles)
    found = promised_by(connection, history, "p", promised.name) if promised else None
    if promised and found:
        lines.append(Line("attributes", {PROMISED_AT: promised.name}))
        history = replace(history, promised=found[0])
    return Observed(
        name=table.file.name,
        log=lines,
        history=history,
        marks=marks,
        segments=segments_of(connection, attributes),
        by=found[1] if found else [],
        notes=[note for note in (found[2] if found else "", _lifecycle_note(table, marks), *apart) if note],
        owners=stage_owners(owners_of(connection, attributes), history.statuses, marks),
    )


def _attributes(table: Table, roles: EventRoles) -> tuple[list[Attribute], Column | None]:
    taken = {roles.order.name, roles.status.name, roles.time.name, roles.start.name if roles.start else ""}
    free = [column for column in table.columns if column.name not in taken and column.filled > 0.3]
    promised = [column for column in free if column.written and names.is_promised(column.name)]
    kinds = [column for column in free if not column.written and 2 <= column.distinct <= _MOST_VALUES]
    kinds = [column for column in kinds if names.segment_points(column.name) >= 0 or names.is_role(column.name)]
    named = sorted(kinds, key=lambda column: -names.segment_points(column.name))[:_MOST_ATTRIBUTES]
    attributes = [Attribute(column.name, f"a{place}") for place, column in enumerate(named)]
    return attributes, max(promised, key=lambda column: column.filled, default=None)


def _sample(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    roles: EventRoles,
    attributes: list[Attribute],
    promised: Column | None,
) -> dict[str, int]:
    """Fill ``texts`` with whole orders, and count the records of every status in the file."""
    status, order = roles.status.key, roles.order.key
    counts = status_counts(connection, f"SELECT {status} AS s, count(*) AS n FROM {table.all_rows} GROUP BY 1")
    chosen = {
        "x0": (roles.start or roles.time).key,
        **{item.column: table.column(item.name).key for item in attributes},
    }
    if roles.start:
        chosen["x1"] = roles.time.key
    if promised:
        chosen["p"] = promised.key
    items = ", ".join(f"{key} AS {column}" for column, key in chosen.items())
    connection.execute(
        f"CREATE TABLE texts AS SELECT {order} AS o, {status} AS s, {items} FROM {table.all_rows} "
        f"WHERE trim(o) <> '' AND trim(s) <> '' AND {share_of_orders(sum(counts.values()))}"
    )
    return counts


def _read_times(
    connection: duckdb.DuckDBPyConnection, roles: EventRoles, time_format: TimeFormat, *, with_promise: bool
) -> None:
    replaced = f"{time_format.sql('x0')} AS t"
    if roles.start:
        replaced += f", {time_format.sql('x1')} AS t1"
    if with_promise:
        replaced += f", {time_format.sql('p')} AS p"
    left_out = "x0" + (", x1" if roles.start else "") + (", p" if with_promise else "")
    connection.execute(
        f"CREATE TABLE sample AS SELECT rowid AS place, * EXCLUDE ({left_out}), {replaced} FROM texts ORDER BY rowid"
    )


def _marks(connection: duckdb.DuckDBPyConnection, table: Table, roles: EventRoles) -> tuple[str, str]:
    if roles.start is not None:
        return "intervals", ""
    if roles.momentary:
        return "completion", "start and end are the same throughout, so only the ends are known"
    for column in table.columns:
        if "lifecycle" in names.words(column.name) and column.distinct == 1 and column.filled > 0.99:
            only = value(connection, f"SELECT min({column.sql}) FROM head")
            if str(only).casefold() == "complete":
                return (
                    "completion",
                    f"`{column.name}` is `{only}` throughout: an event says that its activity is complete",
                )
    if names.is_end(roles.time.name):
        return "completion", f"a guess: `{roles.time.name}` is when an activity is complete"
    return "status", ""


def _lines(
    connection: duckdb.DuckDBPyConnection, table: Table, roles: EventRoles, time_format: TimeFormat
) -> list[Line]:
    records, orders, statuses = rows(connection, "SELECT count(*), count(DISTINCT o), count(DISTINCT s) FROM sample")[0]
    per_order = f"{orders:,} orders, {records / max(orders, 1):.3g} rows each" + ("" if table.whole else " (a sample)")
    lines = [
        Line("format", "csv", "a row an activity" if roles.start else "a row an event"),
        Line("order", roles.order.name, per_order),
        Line("status", roles.status.name, f"{statuses:,} values"),
    ]
    if roles.start:
        after = value(connection, "SELECT avg((t1 >= t)::INT) FROM sample WHERE t1 IS NOT NULL") or 0.0
        lines.append(Line("start", roles.start.name))
        lines.append(Line("end", roles.time.name, f"not before `{roles.start.name}` in {percent(after)} of rows"))
    else:
        lines.append(Line("time", roles.time.name, f"read in {percent(time_format.share)} of rows"))
    return [*lines, *reading_lines(table, time_format)]


def reading_lines(table: Table, time_format: TimeFormat) -> list[Line]:
    """Return the lines about times and delimiter, where the default reading does not do."""
    lines = []
    if time_format.format is not None:
        lines.append(Line("time_format", time_format.format, time_format.why))
    if header(table.file)[1] != table.delimiter:
        lines.append(Line("delimiter", table.delimiter))
    zoned = time_format.format is not None and "%z" in time_format.format
    lines.append(Line("timezone", "UTC", "" if zoned else "a guess: the zone of times that name none"))
    return lines


def _clock_notes(connection: duckdb.DuckDBPyConnection, table: Table, history: History, roles: EventRoles) -> list[str]:
    """Say so where the time of day stands in a column of its own, which a replay cannot join to the day."""
    if (history.at % 86_400_000_000 != 0).any():
        return []
    for column in table.columns:
        clocks = value(
            connection, f"SELECT avg(regexp_full_match({column.sql}, '\\s*\\d{{1,2}}:\\d\\d.*')::INT) FROM head"
        )
        if not column.written and (clocks or 0) > 0.99:
            return [
                f"`{column.name}` holds the time of day, but only `{roles.time.name}` is read; join them in one column"
            ]
    return []


def _lifecycle_note(table: Table, marks: str) -> str:
    mixed = [column.name for column in table.columns if "lifecycle" in names.words(column.name) and column.distinct > 1]
    if marks != "status" or not mixed:
        return ""
    return f"{listed(mixed)} has several values, and every row counts: keep one kind of row if that is wrong"
