"""Whole orders out of a log of any size: all of a small log, a spread of a large one, in one table ``sample``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.drafting.names import is_role, segment_points
from collectors.drafting.observed import Segment
from collectors.drafting.wording import percent
from collectors.sources.engine import rows, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from collectors.drafting.history import Ints

MOST_RECORDS: Final = 400_000
_FEW_ORDERS: Final = 0.01
_OWNED: Final = 0.8
_NOBODY: Final = "'undefined', 'unknown', 'missing', 'none', 'system', '?', ''"
_MOST_SEGMENTS: Final = 2
_FLAGS: Final = frozenset(["true", "false", "0", "1", "yes", "no", "y", "n", "t", "f"])


def share_of_orders(records: int) -> str:
    """Return the SQL that keeps whole orders ``o``, about as many as the limit of records allows."""
    parts = -(-records // MOST_RECORDS)
    return "true" if parts <= 1 else f"hash(o) % {parts} = 0"


def number_orders(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the orders of ``sample`` numbers from 0 in the order of their names."""
    connection.execute(
        "CREATE TABLE numbered AS SELECT o, (row_number() OVER (ORDER BY o) - 1)::BIGINT AS i "
        "FROM (SELECT DISTINCT o FROM sample)"
    )


def columns_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[Ints]:
    """Run a query of whole numbers and return its columns."""
    found = connection.execute(query).fetchnumpy()
    return [np.asarray(column).astype(np.int64) for column in found.values()]


@dataclass(frozen=True)
class Attribute:
    """A column of the log that may tell kinds of orders apart, or who acts; ``column`` is its name in ``sample``."""

    name: str
    column: str


def segments_of(connection: duckdb.DuckDBPyConnection, attributes: Sequence[Attribute]) -> list[Segment]:
    """Choose the attributes that look like kinds of orders: those named so, else the likeliest one."""
    found: list[tuple[float, Segment]] = []
    for attribute in attributes:
        named = segment_points(attribute.name)
        if named >= 0 and (why := _as_segment(connection, attribute, named)):
            found.append((named, Segment(attribute.name, why)))
    sure = [segment for named, segment in found if named > 0]
    return sure[:_MOST_SEGMENTS] or [segment for _, segment in found[:1]]


def _as_segment(connection: duckdb.DuckDBPyConnection, attribute: Attribute, named: float) -> str | None:
    column = attribute.column
    per_order = (
        f"SELECT o, count(DISTINCT {column}) AS d, first({column}) FILTER ({column} <> '') AS v FROM sample GROUP BY o"
    )
    orders, several, filled = rows(
        connection, f"SELECT count(*), avg((d > 1)::INT), avg((v IS NOT NULL)::INT) FROM ({per_order})"
    )[0]
    found = rows(
        connection, f"SELECT v, count(*) FROM ({per_order}) WHERE v IS NOT NULL GROUP BY v ORDER BY 2 DESC, 1 LIMIT 14"
    )
    if not 2 <= len(found) <= 12 or several > _FEW_ORDERS or filled < 0.5:
        return None
    texts = [str(text) for text, _ in found]
    return (
        None
        if _is_dull(texts, [count for _, count in found], named)
        else (
            f"{len(texts)} values ({', '.join(texts[:4])}{' ...' if len(texts) > 4 else ''}), "
            f"one value throughout in {percent(1 - several)} of {orders:,} orders"
        )
    )


def _is_dull(texts: list[str], counts: list[int], named: float) -> bool:
    """Whether values tell little apart, or are numbers and flags under a name that says nothing."""
    numeric = sum(text.replace(".", "").isdigit() for text in texts) > len(texts) / 2
    flags = {text.casefold() for text in texts} <= _FLAGS
    uneven = counts[0] > 0.98 * sum(counts) or len(texts) > max(2, sum(counts) / 5)
    return max(map(len, texts)) > 60 or uneven or (named <= 0 and (numeric or flags))


@dataclass(frozen=True)
class Owners:
    """Who mostly reports each status (``own``), and who reports what follows it (``following``)."""

    own: dict[str, str]
    following: dict[str, str]


def owners_of(connection: duckdb.DuckDBPyConnection, attributes: Sequence[Attribute]) -> Owners:
    """Find who acts in each status, if an attribute names groups of people: a few values, and more than one."""
    for attribute in attributes:
        found = f"SELECT count(DISTINCT {attribute.column}) FROM sample"
        if is_role(attribute.name) and 2 <= value(connection, found) <= 30:
            return Owners(*(_mostly(connection, attribute.column, who) for who in ("own", "following")))
    return Owners({}, {})


def _mostly(connection: duckdb.DuckDBPyConnection, role: str, who: str) -> dict[str, str]:
    read = f"SELECT s, {role} AS own, lead({role}) OVER (PARTITION BY o ORDER BY t, place) AS following FROM sample"
    counted = (
        f"SELECT s, {who} AS w, count(*) AS n, sum(count(*)) OVER (PARTITION BY s) AS total FROM ({read}) "
        f"WHERE {who} IS NOT NULL GROUP BY s, {who}"
    )
    chosen = f"n >= {_OWNED} * total AND n >= 3 AND lower(trim(w)) NOT IN ({_NOBODY})"
    return dict(rows(connection, f"SELECT s, w FROM ({counted}) WHERE {chosen}"))
