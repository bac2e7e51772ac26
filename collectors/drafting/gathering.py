"""From the table ``sample`` (``o s t place``, ``t1`` with start and end) to the history of its orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from collectors.drafting.history import NONE, History
from collectors.drafting.observed import Line
from collectors.drafting.sampling import columns_of, number_orders
from collectors.drafting.wording import percent
from collectors.promise.model import DONE
from collectors.sources.engine import rows
from collectors.timelines.intervals import RUNNING, status_changes
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from collectors.drafting.history import Ints
    from collectors.drafting.sampling import Owners

_FILLED: Final = 0.98
_AHEAD: Final = 0.95
_MIDNIGHTS: Final = 0.99
_DAY_US: Final = 86_400_000_000
PROMISED_AT: Final = "promised_at"
LONGEST_STATUS: Final = 200


def gather(connection: duckdb.DuckDBPyConnection, name: str, counts: dict[str, int], marks: str) -> History:
    """Build the history of the sampled orders. ``counts``: the records of every status of the whole log."""
    statuses = [status for status in counts if len(status) <= LONGEST_STATUS]
    table = pa.table({"s": pa.array(statuses, pa.string()), "k": pa.array(range(len(statuses)), pa.int64())})
    connection.register("arrived", table)
    connection.execute("CREATE TABLE statuses AS SELECT * FROM arrived")
    connection.unregister("arrived")
    connection.execute("DELETE FROM sample WHERE t IS NULL")
    number_orders(connection)
    order, at, code = _intervals(connection, len(statuses)) if marks == "intervals" else _events(connection)
    if not len(order):
        raise BadInput(f"{name}: holds no record with an order, a status and a readable time; check that it is a log")
    place = np.arange(len(statuses), dtype=np.int64)
    done = [status + DONE for status in statuses]
    atoms, status_of = {
        "status": (statuses, place),
        "completion": (done, place),
        "intervals": ([*statuses, *done], np.concatenate([place, place])),
    }[marks]
    numbers, order = np.unique(order, return_inverse=True)
    connection.execute("CREATE TABLE counted (i BIGINT, j BIGINT)")
    connection.register("arrived", pa.table({"i": numbers, "j": np.arange(len(numbers))}))
    connection.execute("INSERT INTO counted SELECT * FROM arrived")
    connection.unregister("arrived")
    return History(
        order=order.astype(np.int64),
        at=at,
        code=code,
        atoms=atoms,
        status_of=status_of,
        statuses=statuses,
        counts=[counts[status] for status in statuses],
    )


def _events(connection: duckdb.DuckDBPyConnection) -> tuple[Ints, Ints, Ints]:
    query = "SELECT i, t, k FROM sample JOIN numbered USING (o) JOIN statuses USING (s) ORDER BY i, t, place"
    order, at, code = columns_of(connection, query)
    return order, at, code


def _intervals(connection: duckdb.DuckDBPyConnection, known: int) -> tuple[Ints, Ints, Ints]:
    query = (
        f"SELECT i, t, coalesce(t1, {RUNNING}) AS t1, k FROM sample JOIN numbered USING (o) JOIN statuses USING (s) "
        "WHERE t1 IS NULL OR t1 >= t ORDER BY i, t, place"
    )
    order, begin, finish, code = columns_of(connection, query)
    if not len(order):
        return order, begin, code
    changes = status_changes(order, begin, finish, code, code + known, {})
    return changes.order, changes.at, changes.code


def promised_by(
    connection: duckdb.DuckDBPyConnection, history: History, column: str, named: str, *, filled: float = _FILLED
) -> tuple[Ints, list[Line], str] | None:
    """Read the column ``column`` of ``sample`` (microseconds) as each order's promise moment, if it is one.

    Returns the moments, the lines of the promise, and a note about orders without one.
    """
    first = f"first({column} ORDER BY place) FILTER ({column} IS NOT NULL)"
    per_order = f"SELECT o, {first} AS p, count(DISTINCT {column}) AS d FROM sample GROUP BY o"
    numbered = "JOIN numbered USING (o) JOIN counted USING (i)"
    query = f"SELECT j, coalesce(p, {NONE}) AS p, d FROM ({per_order}) {numbered} ORDER BY j"
    _, moments, several = columns_of(connection, query)
    has = moments != NONE
    if not len(moments) or has.mean() < filled or (several > 1).mean() > 0.01:
        return None
    if (moments[has] >= history.at[history.first][has]).mean() < _AHEAD:
        return None
    lines = [Line("by", PROMISED_AT, f"`{named}`, in {percent(float(has.mean()))} of orders")]
    if (moments[has] % _DAY_US == 0).mean() >= _MIDNIGHTS:
        moments = np.where(has, moments + _DAY_US - 1, NONE)
        lines.append(
            Line("by_day", value=True, why="its times are midnights, so it names days, and the whole day counts")
        )
    missing = int((~has).sum())
    note = (
        f"{missing:,} of {len(has):,} orders have no `{named}`; a replay puts them into quarantine" if missing else ""
    )
    return moments, lines, note


def stage_owners(owners: Owners, statuses: Sequence[str], marks: str) -> dict[str, str]:
    """Say who acts in each atom: in a running activity its own people, in a wait those who end it."""
    found: dict[str, str] = {}
    for status in statuses:
        waiting = status + DONE if marks != "status" else status
        if status in owners.following:
            found[waiting] = owners.following[status]
        if marks == "intervals" and status in owners.own:
            found[status] = owners.own[status]
    return found


def status_counts(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, int]:
    """Return the statuses of a query with the columns ``s`` and ``n``, the commonest first."""
    return {
        status: int(count)
        for status, count in rows(
            connection, f"SELECT s, sum(n) FROM ({query}) WHERE trim(s) <> '' GROUP BY s ORDER BY 2 DESC, 1"
        )
    }
