"""Which columns of a wide log, a row an order, are milestones, the promised moment and the sign of a cancellation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.drafting import names
from collectors.sources.engine import rows, value

if TYPE_CHECKING:
    import duckdb

    from collectors.drafting.columns import Column, Table

_FEWEST_MILESTONES: Final = 2
_YES: Final = frozenset(["true", "yes", "y", "1", "t", "x", "ja", "oui", "si"])
_NO: Final = frozenset(["false", "no", "n", "0", "f", "nein", "non", ""])


@dataclass(frozen=True)
class WideRoles:
    """The columns of a wide log. ``cancelled``: a column and its values that say that an order was given up."""

    order: Column
    milestones: list[Column]
    promised: Column | None
    cancelled: tuple[str, list[str]] | None


def wide_roles(connection: duckdb.DuckDBPyConnection, table: Table) -> WideRoles | None:
    """Read the columns as a row an order, None where they cannot be."""
    ids = [column for column in table.columns if _is_unique(column)]
    times = [column for column in table.columns if column.written and column.filled > 0.001]
    times = [column for column in times if not names.is_bookkeeping(column.name)]
    promised = [column for column in times if names.is_promised(column.name)]
    milestones = [column for column in times if column not in promised]
    for column in list(milestones):
        if names.is_perhaps_promised(column.name) and _lies_ahead(connection, column, milestones):
            milestones.remove(column)
            promised.append(column)
    if not ids or len(milestones) < _FEWEST_MILESTONES:
        return None
    order = max(ids, key=lambda column: (names.order_points(column.name), -table.columns.index(column)))
    if names.order_points(order.name) == 0 and table.columns.index(order) > 0:
        return None
    return WideRoles(order, milestones, _main_promise(promised), cancelled_when(connection, table))


def _is_unique(column: Column) -> bool:
    return (
        not column.written
        and column.filled > 0.95
        and column.distinct >= 0.9 * column.filled * column.rows
        and column.length < 100
        and not names.is_status_like(column.name)
    )


def _lies_ahead(connection: duckdb.DuckDBPyConnection, column: Column, others: list[Column]) -> bool:
    """Whether a time is a whole day while others are moments, or lies beyond all others for many orders."""
    latest = ", ".join(other.time_sql for other in others if other is not column)
    if not latest or column.filled < 0.8:
        return False
    ahead = value(connection, f"SELECT avg(({column.time_sql} > greatest({latest}))::INT) FROM head")
    return float(ahead or 0) > 0.4 or (
        whole_days(connection, "head", column) and not all(whole_days(connection, "head", other) for other in others)
    )


def whole_days(connection: duckdb.DuckDBPyConnection, source: str, column: Column) -> bool:
    """Whether practically all times of a column are midnights."""
    share = value(connection, f"SELECT avg(({column.time_sql} % 86400000000 = 0)::INT) FROM {source}")
    return float(share or 0) >= 0.99


def _main_promise(promised: list[Column]) -> Column | None:
    good = [column for column in promised if column.filled >= 0.9]
    if not good:
        return None
    # Of several, the one that speaks of the order's end, such as `estimated delivery`, not `expected pickup`.
    ends = ("deliver", "complet", "due", "deadline", "promis", "finish", "arriv", "lieferung", "close")
    return max(
        good, key=lambda column: (any(word.startswith(ends) for word in names.words(column.name)), column.filled)
    )


def cancelled_when(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[str, list[str]] | None:
    """Find a column whose values say that an order was cancelled, and those values."""
    for column in sorted(table.columns, key=lambda column: not names.is_status_like(column.name)):
        if column.written or not 1 <= column.distinct <= 40 or column.length > 60:
            continue
        found = rows(connection, f"SELECT DISTINCT {column.key} FROM {table.all_rows} LIMIT 200")
        values = sorted(text for (text,) in found if text is not None)
        if names.is_cancelling(column.name) and {text.strip().casefold() for text in values} <= _YES | _NO:
            chosen = [text for text in values if text.strip().casefold() in _YES]
        elif names.is_status_like(column.name) or _calls_things_done(values):
            chosen = [text for text in values if names.is_cancelling(text)]
        else:
            continue
        if chosen:
            return column.name, chosen
    return None


def _calls_things_done(values: list[str]) -> bool:
    done = ("deliver", "ship", "complet", "clos", "finish", "paid", "done", "accept", "approv")
    return any(word.startswith(done) for text in values for word in names.words(text))
