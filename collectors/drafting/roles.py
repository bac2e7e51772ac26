"""Which column is what: the order, the status, the time; by their names and by what their values do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.drafting import names
from collectors.drafting.wide_roles import WideRoles, wide_roles
from collectors.sources.engine import rows
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    import duckdb

    from collectors.drafting.columns import Column, Table

_STRONG: Final = 6.5
_MOST_STATUSES: Final = 3_000
_CANDIDATES: Final = 6
_LONGEST_STATUS: Final = 200


@dataclass(frozen=True)
class EventRoles:
    """The columns of a log of events (``time``) or of activities (``start`` and ``time``, which is then the end)."""

    order: Column
    status: Column
    time: Column
    start: Column | None
    points: float
    momentary: bool = False


@dataclass(frozen=True)
class _Grouping:
    """An order column with a time column: how they go together."""

    order: Column
    time: Column
    points: float
    per_order: float


def choose_roles(connection: duckdb.DuckDBPyConnection, table: Table) -> EventRoles | WideRoles:
    """Decide what each column is. Raises BadInput that says which column is missing."""
    if not any(column.written for column in table.columns):
        raise BadInput(_no_time(table))
    events = _event_roles(connection, table)
    wide = wide_roles(connection, table)
    if events is None and wide is None:
        raise BadInput(_no_roles(table))
    if events is None or wide is None:
        chosen = events or wide
        assert chosen is not None  # noqa: S101 - one of the two is there
        return chosen
    return wide if _rather_wide(events, wide) else events


def _rather_wide(events: EventRoles, wide: WideRoles) -> bool:
    by_name, against = names.order_points(wide.order.name), names.order_points(events.order.name)
    if against >= _STRONG and names.status_points(events.status.name) >= _STRONG:
        return by_name > against + 1 and len(wide.milestones) > 2
    return by_name >= _STRONG or len(wide.milestones) > 2


def _event_roles(connection: duckdb.DuckDBPyConnection, table: Table) -> EventRoles | None:
    times = [column for column in table.columns if column.written]
    found = [
        roles
        for grouping in _groupings(connection, table, times)
        if (roles := _with_status(connection, table, grouping, times)) is not None
    ]
    return max(found, key=lambda roles: roles.points, default=None)


def _groupings(connection: duckdb.DuckDBPyConnection, table: Table, times: list[Column]) -> list[_Grouping]:
    named = [(names.order_points(column.name), column) for column in table.columns]
    possible = [(points, column) for points, column in named if _may_be_order(points, column)]
    possible.sort(key=lambda found: -found[0])
    chosen = [_grouped(connection, points, column, times) for points, column in possible[: _CANDIDATES + 4]]
    good = [grouping for grouping in chosen if grouping is not None]
    return sorted(good, key=lambda grouping: -grouping.points)[:_CANDIDATES]


def _may_be_order(points: float, column: Column) -> bool:
    if column.written and points < _STRONG:
        return False
    few = column.distinct <= 12 and column.rows > 200
    return column.filled > 0.9 and column.length < 100 and (points >= _STRONG or (not few and column.distinct > 1))


def _grouped(
    connection: duckdb.DuckDBPyConnection, points: float, order: Column, times: list[Column]
) -> _Grouping | None:
    """Judge an order column by how closely in time its rows lie, and pick the time that moves within orders."""
    moments = ", ".join(
        f"max(t{place}) - min(t{place}) AS s{place}, count(DISTINCT t{place}) AS d{place}"
        for place in range(len(times))
    )
    read = ", ".join(f"{time.time_sql} AS t{place}" for place, time in enumerate(times))
    per_time = ", ".join(
        f"median(s{place}), avg(d{place}), (SELECT max(t{place}) - min(t{place}) FROM read)"
        for place in range(len(times))
    )
    found = rows(
        connection,
        f"WITH read AS (SELECT {order.sql} AS o, {read} FROM head), "
        f"grouped AS (SELECT count(*) AS n, {moments} FROM read WHERE o IS NOT NULL GROUP BY o) "
        f"SELECT count(*), avg(n), {per_time} FROM grouped",
    )[0]
    per_order = float(found[1] or 0)
    if per_order < 1.15 and points < _STRONG:
        return None
    best: tuple[float, float, Column] | None = None
    for place, time in enumerate(times):
        span, moving, whole = (float(number or 0) for number in found[2 + 3 * place : 5 + 3 * place])
        close = 4 * (1 - span / whole) if whole else 0.0
        moves = 6 * min(1.0, (moving - 1) / max(per_order - 1, 0.01)) if per_order > 1 else 0.0
        score = names.time_points(time.name) + moves + 2 * time.filled
        if best is None or score > best[0]:
            best = (score, close, time)
    assert best is not None  # noqa: S101 - the caller has a time
    repeated = 3.0 if per_order >= 1.5 else 0.0
    return _Grouping(order, best[2], points + best[0] + best[1] + repeated, per_order)


def _with_status(
    connection: duckdb.DuckDBPyConnection, table: Table, grouping: _Grouping, times: list[Column]
) -> EventRoles | None:
    possible = [
        (names.status_points(column.name), column)
        for column in table.columns
        if column.name != grouping.order.name and not column.written and _may_be_status(column)
    ]
    judged = [(_status_score(connection, grouping, points, column), column) for points, column in possible]
    judged = [(points, column) for points, column in judged if points > 3]
    if not judged:
        return None
    points, status = max(judged, key=lambda found: found[0])
    if grouping.per_order < 1.15 and (names.status_points(status.name) < _STRONG or len(times) > 1):
        return None
    start, end, momentary = _start_and_end(connection, grouping, times)
    return EventRoles(grouping.order, status, end, start, grouping.points + points, momentary)


def _may_be_status(column: Column) -> bool:
    named = names.status_points(column.name) >= _STRONG
    if column.filled < 0.5 or not column.distinct or column.length > _LONGEST_STATUS or column.epoch:
        return False
    if column.numeric > 0.5 and not named:
        return False
    most = min(_MOST_STATUSES, max(20, column.rows // 3))
    return column.distinct <= most and (named or column.distinct > 1)


def _status_score(connection: duckdb.DuckDBPyConnection, grouping: _Grouping, points: float, column: Column) -> float:
    """Score a status column: it changes within orders, and orders begin alike in it."""
    read = f"SELECT {grouping.order.sql} AS o, {column.sql} AS s, {grouping.time.time_sql} AS t, rowid AS r FROM head"
    grouped = (
        "SELECT count(*) AS n, count(DISTINCT s) AS d, arg_min(s, (t, r)) AS f FROM read WHERE o IS NOT NULL GROUP BY o"
    )
    alike = "SELECT sum(n * n) / pow(sum(n), 2) FROM (SELECT count(*) AS n FROM {} WHERE s IS NOT NULL GROUP BY s)"
    several, changes, firsts, overall = rows(
        connection,
        f"WITH read AS ({read}), grouped AS ({grouped}) SELECT avg((n > 1)::INT), avg((d > 1)::INT), "
        f"({alike.format('(SELECT f AS s FROM grouped)')}), ({alike.format('read')}) FROM grouped",
    )[0]
    if not overall:
        return 0.0
    varied = (changes / several) if several else 0.0
    if several and varied < 0.05 and points < _STRONG:
        return 0.0
    alike_at_first = max(0.0, float(firsts or 0) - float(overall))
    return points + 5 * min(1.0, float(varied)) + 4 * alike_at_first + 2 * column.filled


def _start_and_end(
    connection: duckdb.DuckDBPyConnection, grouping: _Grouping, times: list[Column]
) -> tuple[Column | None, Column, bool]:
    """Find the pair of columns that are an activity's start and end, else the one time that there is."""
    alone = (None, grouping.time, False)
    if grouping.per_order < 1.15:
        return alone
    moving = [time for time in times if not names.is_promised(time.name) and _moves(connection, grouping.order, time)]
    best: tuple[float, Column, Column, bool] | None = None
    for start in moving:
        for end in moving:
            if start is not end and (points := _pair_points(connection, start, end)) is not None:
                found = (points[0] + names.time_points(end.name) / 10, start, end, points[1])
                best = found if best is None or found[0] > best[0] else best
    if best is None:
        return alone
    _, start, end, same = best
    return (None, end, True) if same or start.filled < 0.99 else (start, end, False)


def _moves(connection: duckdb.DuckDBPyConnection, order: Column, time: Column) -> bool:
    if time.filled < 0.5:
        return False
    grouped = f"SELECT count(*) AS n, count(DISTINCT {time.sql}) AS d FROM head GROUP BY {order.sql}"
    found = rows(connection, f"SELECT avg((d > 1)::INT) FROM ({grouped}) WHERE n > 1")[0][0]
    return float(found or 0) > 0.3


def _pair_points(connection: duckdb.DuckDBPyConnection, start: Column, end: Column) -> tuple[float, bool] | None:
    named = names.is_start(start.name) + names.is_end(end.name) - names.is_start(end.name) - names.is_end(start.name)
    if named < 1:
        return None
    found = rows(
        connection,
        "SELECT avg((e >= s)::INT), avg((e = s)::INT) FROM "
        f"(SELECT {start.time_sql} AS s, {end.time_sql} AS e FROM head) WHERE s IS NOT NULL AND e IS NOT NULL",
    )[0]
    in_order, same = float(found[0] or 0), float(found[1] or 0)
    return (named + in_order, same > 0.999) if in_order > 0.9 else None


def _no_time(table: Table) -> str:
    epoch = [column.name for column in table.columns if column.epoch]
    if epoch:
        return (
            f"{table.file.name}: `{epoch[0]}` counts seconds since 1970, which cannot be read; "
            "write its moments as ISO 8601, such as 2026-03-01T10:00:00Z"
        )
    return (
        f"{table.file.name}: no column holds times (the columns are {_listed(table)}); "
        "a log says when each order entered each status, best in ISO 8601"
    )


def _no_roles(table: Table) -> str:
    return (
        f"{table.file.name}: no columns look like an order's id, its status and a time, nor like a row an order "
        f"with several times (the columns are {_listed(table)}); give a log with such columns, or write the promise "
        "file by hand"
    )


def _listed(table: Table) -> str:
    shown = [column.name for column in table.columns[:12]]
    return ", ".join(shown) + (" ..." if len(table.columns) > len(shown) else "")
