"""XES logs into the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from collectors.sources.engine import moment_sql
from collectors.sources.xes import XesFields, read_xes
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import duckdb

    from collectors.promise.model import LogReading
    from collectors.sources.opening import LogFile
    from collectors.sources.quarantine import Quarantine


def read_xes_log(
    connection: duckdb.DuckDBPyConnection,
    file: LogFile,
    log: LogReading,
    attributes: Sequence[str],
    quarantine: Quarantine,
    progress: Callable[[str, float], None] | None,
) -> None:
    """Fill ``raw`` from an XES log."""
    keys = tuple(dict.fromkeys(log.column(attribute) for attribute in attributes))
    fields = XesFields(
        order=log.order or "concept:name",
        status=log.status or "concept:name",
        time=log.time or "time:timestamp",
        lifecycle=log.lifecycle,
        attributes=keys,
    )
    # An attribute may be called `status` or `time` too, so the engine sees the columns under names of its own.
    names = ["o", "s", "time", "lifecycle", *(f"key{place}" for place in range(len(keys))), "row"]
    taken = "".join(f", key{keys.index(log.column(name))} AS a{place}" for place, name in enumerate(attributes))
    selected = f"o, s, {moment_sql('time', log)} AS t, CASE WHEN t IS NULL THEN coalesce(time, '') END AS bad{taken}"
    extra = "".join(f", a{place} VARCHAR" for place in range(len(attributes)))
    connection.execute(f"CREATE TABLE raw (o VARCHAR, s VARCHAR, t BIGINT, bad VARCHAR{extra})")
    seen = 0
    for batch in read_xes(file.path, fields, quarantine.add):
        connection.register("arrived", pa.Table.from_batches([batch]).rename_columns(names))
        connection.execute(f"INSERT INTO raw SELECT {selected} FROM arrived")
        connection.unregister("arrived")
        seen += len(batch)
        if progress is not None:
            progress(f"reading {file.name}", 0.0)
    if not seen:
        raise BadInput(f"{file.name}: holds no event; a log needs at least one order's status")
