"""A wide CSV, a row an order with a column for each milestone, as it is understood."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from collectors.drafting import names
from collectors.drafting.columns import known
from collectors.drafting.gathering import PROMISED_AT, gather, promised_by
from collectors.drafting.observed import Line, Observed
from collectors.drafting.reading_csv import reading_lines
from collectors.drafting.sampling import MOST_RECORDS, Attribute, segments_of, share_of_orders
from collectors.drafting.time_format import find_time_format
from collectors.drafting.wording import listed, percent
from collectors.sources.engine import literal, value
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from collectors.drafting.columns import Column, Table
    from collectors.drafting.time_format import TimeFormat
    from collectors.drafting.wide_roles import WideRoles

_PROMISED_FILLED: Final = 0.9
_ENDINGS: Final = frozenset(["timestamp", "time", "date", "at", "on", "datetime", "ts", "datum", "day", "dt", "moment"])
_MOST_VALUES: Final = 60


def read_wide_csv(connection: duckdb.DuckDBPyConnection, table: Table, roles: WideRoles) -> Observed:
    """Sample orders of the wide CSV and tell what its ``log`` section is."""
    attributes = _attributes(table, roles)
    _sample_rows(connection, table, roles, attributes)
    time_format, milestones = _time_format(connection, table, roles)
    statuses = dict(zip(_status_names([column.name for column in milestones]), milestones, strict=True))
    promised = roles.promised if roles.promised and _reads(connection, "p", time_format) else None
    counts = _unfold(connection, roles, statuses, time_format, attributes, with_promise=promised is not None)
    history = gather(connection, table.file.name, counts, "status")
    found = promised_by(connection, history, "p", promised.name, filled=_PROMISED_FILLED) if promised else None
    if found:
        history = replace(history, promised=found[0])
    notes = [found[2]] if found and found[2] else []
    if roles.promised and not found:
        notes.append(f"`{roles.promised.name}` sounds like a promise, but orders lack it or it cannot be read")
    left = [column.name for column in roles.milestones if column not in milestones]
    if left:
        notes.append(f"{listed(left)}: written in another way than the other times, so left out")
    return Observed(
        name=table.file.name,
        log=_lines(connection, table, roles, statuses, time_format, promised.name if promised and found else None),
        history=history,
        marks="status",
        wide=True,
        segments=segments_of(connection, attributes),
        by=found[1] if found else [],
        notes=notes,
    )


def _attributes(table: Table, roles: WideRoles) -> list[Attribute]:
    cancelled = roles.cancelled[0] if roles.cancelled else None
    names_ = [
        column.name
        for column in table.columns
        if not column.written
        and 2 <= column.distinct <= _MOST_VALUES
        and column.name not in {roles.order.name, cancelled}
        and names.segment_points(column.name) >= 0
    ]
    return [Attribute(name, f"a{place}") for place, name in enumerate(names_)]


def _sample_rows(
    connection: duckdb.DuckDBPyConnection, table: Table, roles: WideRoles, attributes: Sequence[Attribute]
) -> None:
    chosen = [f"{column.key} AS c{place}" for place, column in enumerate(roles.milestones)]
    chosen += [f"{table.column(item.name).key} AS {item.column}" for item in attributes]
    if roles.promised:
        chosen.append(f"{roles.promised.key} AS p")
    order = roles.order.key
    count = table.rows if table.whole else int(value(connection, f"SELECT count({order}) FROM {table.all_rows}"))
    kept = share_of_orders(count * len(roles.milestones) // 2)
    connection.execute(
        f"CREATE TABLE texts AS SELECT {order} AS o, {', '.join(chosen)} FROM {table.all_rows} "
        f"WHERE trim(o) <> '' AND {kept} LIMIT {2 * MOST_RECORDS}"
    )


def _time_format(
    connection: duckdb.DuckDBPyConnection, table: Table, roles: WideRoles
) -> tuple[TimeFormat, list[Column]]:
    """Find the one way that most milestones are written in, and the milestones that are."""
    places = range(len(roles.milestones) + (roles.promised is not None))
    columns = [f"c{place}" if place < len(roles.milestones) else "p" for place in places]
    texts = [f"SELECT o, {column} AS x FROM texts" for column in columns]
    best: tuple[int, TimeFormat, list[Column]] | None = None
    for query in (" UNION ALL ".join(texts), *texts):
        found = find_time_format(connection, query)
        if found is None:
            continue
        read = [c for place, c in enumerate(roles.milestones) if _reads(connection, f"c{place}", found)]
        if best is None or len(read) > best[0]:
            best = (len(read), found, read)
        if best[0] == len(roles.milestones):
            break
    if best is None or best[0] < 2:
        raise BadInput(
            f"{table.file.name}: its milestones ({listed([c.name for c in roles.milestones])}) are not written in one "
            "way; write them all as ISO 8601"
        )
    return best[1], best[2]


def _reads(connection: duckdb.DuckDBPyConnection, column: str, time_format: TimeFormat) -> bool:
    filled = f"{known(column)} <> ''"
    share = value(connection, f"SELECT avg(({time_format.sql(column)} IS NOT NULL)::INT) FROM texts WHERE {filled}")
    return float(share or 0) >= 0.9


def _status_names(columns: list[str]) -> list[str]:
    """Name statuses after their columns, without what all of them share: ``order_approved_at`` is APPROVED."""
    parts = [names.words(column) for column in columns]
    while all(len(part) > 1 for part in parts) and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    found: list[str] = []
    for column, part in zip(columns, parts, strict=True):
        bare = list(part)
        while len(bare) > 1 and bare[-1] in _ENDINGS:
            bare.pop()
        if len(bare) > 1 and bare[0] in {"date", "time"}:
            bare = bare[1:]
        name = "_".join(bare).upper() or column
        found.append(name if name not in found and name.casefold() not in {"first", "last"} else column)
    return found if len(set(found)) == len(found) else columns


def _unfold(
    connection: duckdb.DuckDBPyConnection,
    roles: WideRoles,
    statuses: dict[str, Column],
    time_format: TimeFormat,
    attributes: Sequence[Attribute],
    *,
    with_promise: bool,
) -> dict[str, int]:
    """Fill ``sample`` with an event for each milestone of each order, and count the events of each."""
    carried = "".join(f", {item.column}" for item in attributes)
    carried += f", {time_format.sql('p')} AS p" if with_promise else ""
    parts = []
    for place, (status, column) in enumerate(statuses.items()):
        text = f"c{roles.milestones.index(column)}"
        parts.append(
            f"SELECT rowid * 1000 + {place} AS place, o, {literal(status)} AS s, {time_format.sql(text)} AS t{carried} "
            f"FROM texts WHERE trim({text}) <> ''"
        )
    connection.execute(f"CREATE TABLE sample AS {' UNION ALL '.join(parts)}")
    counted = [
        int(value(connection, f"SELECT count(t) FROM sample WHERE s = {literal(status)}")) for status in statuses
    ]
    return dict(zip(statuses, counted, strict=True))


def _lines(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    roles: WideRoles,
    statuses: dict[str, Column],
    time_format: TimeFormat,
    promised: str | None,
) -> list[Line]:
    columns = {status: column.name for status, column in statuses.items()}
    lines = [
        Line("format", "wide", "a row an order, a column of times for each milestone"),
        Line("order", roles.order.name, f"another value in {percent(roles.order.distinct / table.rows)} of rows"),
        Line("statuses", columns),
        *reading_lines(table, time_format),
    ]
    if promised:
        lines.append(Line("attributes", {PROMISED_AT: promised}))
    if roles.cancelled:
        column, values = roles.cancelled
        texts = ", ".join(literal(text) for text in values)
        share = value(connection, f"SELECT avg(({table.column(column).key} IN ({texts}))::INT) FROM head")
        why = f"so says `{column}` of {percent(float(share or 0))} of orders"
        lines.append(Line("cancelled_when", {column: values}, why))
    return lines
