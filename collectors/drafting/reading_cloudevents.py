"""JSON lines of CloudEvents as they are understood."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import orjson

from collectors.drafting import names
from collectors.drafting.gathering import gather, stage_owners, status_counts
from collectors.drafting.observed import Line, Observed
from collectors.drafting.sampling import Attribute, Owners, owners_of, segments_of, share_of_orders
from collectors.promise.model import LogReading
from collectors.sources.cloudevents_log import BadEvent, status_event
from collectors.sources.engine import literal, moment_sql, value

if TYPE_CHECKING:
    import duckdb

    from collectors.sources.opening import LogFile

_MOST_ATTRIBUTES: Final = 12
_LONGEST_LINE: Final = 1 << 20


def read_cloudevents_log(connection: duckdb.DuckDBPyConnection, file: LogFile) -> Observed:
    """Sample whole orders of the log and tell what its ``log`` section is."""
    attributes = _attributes(file)
    lines = (
        f"read_csv({literal(str(file.path))}, auto_detect = false, header = false, columns = {{'line': 'VARCHAR'}}, "
        f"delim = '\x1f', quote = '', escape = '', ignore_errors = true, max_line_size = {_LONGEST_LINE}, "
        f"compression = {literal('gzip' if file.gzipped else 'none')})"
    )
    valid = f"SELECT CASE WHEN json_valid(line) THEN line::JSON END AS json FROM {lines}"
    read = f"SELECT json->>'$.subject' AS o, json->>'$.data.status' AS s, json FROM ({valid}) WHERE json IS NOT NULL"
    counts = status_counts(connection, f"SELECT s, count(*) AS n FROM ({read}) WHERE o <> '' GROUP BY s")
    extra = "".join(f", json->>{literal(_path(item.name))} AS {item.column}" for item in attributes[1:])
    moment = moment_sql("json->>'$.time'", LogReading(format="cloudevents"))
    connection.execute(
        f"CREATE TABLE texts AS SELECT o, s, {moment} AS t, ltrim(json->>'$.source', '/') AS a0{extra} FROM ({read}) "
        f"WHERE o <> '' AND s <> '' AND {share_of_orders(sum(counts.values()))}"
    )
    connection.execute("CREATE TABLE sample AS SELECT rowid AS place, * FROM texts ORDER BY rowid")
    history = gather(connection, file.name, counts, "status")
    several = value(connection, "SELECT count(DISTINCT a0) FROM sample") > 1
    owners = owners_of(connection, attributes[:1]) if several else Owners({}, {})
    return Observed(
        name=file.name,
        log=[Line("format", "cloudevents", f"{sum(counts.values()):,} status events")],
        history=history,
        marks="status",
        segments=segments_of(connection, attributes[1:]),
        owners=stage_owners(owners, history.statuses, "status"),
    )


def _path(name: str) -> str:
    return '$.data.order."' + name.replace('"', "") + '"'


def _attributes(file: LogFile) -> list[Attribute]:
    """Return the sender, as a role, and the attributes that the first events carry."""
    seen: Counter[str] = Counter()
    for line in file.head.splitlines()[:2_000]:
        try:
            seen.update(status_event(orjson.loads(line)).attributes)
        except (BadEvent, orjson.JSONDecodeError):
            continue
    kinds = [name for name, _ in seen.most_common() if names.segment_points(name) >= 0][:_MOST_ATTRIBUTES]
    found = ["sending role", *kinds]
    return [Attribute(name, f"a{place}") for place, name in enumerate(found)]
