"""JSON lines of CloudEvents into the engine, and one CloudEvent into the fields that matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import orjson
import pyarrow as pa

from collectors.sources.engine import value
from collectors.sources.quarantine import BadRecord, Quarantine
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    import duckdb

    from collectors.promise.model import LogReading
    from collectors.sources.opening import LogFile

EVENT_TYPE: Final = "order.status.changed.v1"
BATCH: Final = 65_536
LONGEST_LINE: Final = 1 << 20
LARGEST_SEQUENCE: Final = 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BadEvent(ValueError):
    """The message is no status event."""


@dataclass(frozen=True)
class StatusEvent:
    """What a CloudEvent says: an order, a status, when, by whom. ``at``: microseconds since 1970 UTC."""

    id: str
    source: str
    order: str
    status: str
    at: int
    sequence: int | None
    attributes: dict[str, str]


def status_event(message: object, zone: tzinfo | None = None) -> StatusEvent:
    """Read a CloudEvent (structured mode, decoded JSON). Raises BadEvent that names the field and what it should be.

    ``zone``: that of times which name none; without it such a time is refused, as the standard has it.
    """
    if not isinstance(message, Mapping):
        raise BadEvent("the message is no JSON object; send a CloudEvent")
    data = message.get("data")
    if not isinstance(data, Mapping):
        raise BadEvent("`data` is missing; it holds {status, previous, order}")
    order = data.get("order")
    attributes = order if isinstance(order, Mapping) else {}
    return StatusEvent(
        id=_text(message, "id"),
        source=_text(message, "source"),
        order=_text(message, "subject"),
        status=_text(data, "status"),
        at=_moment(message.get("time"), zone),
        sequence=_sequence(message.get("sequence")),
        attributes={str(k): _shown(v) for k, v in attributes.items() if v is not None and v != ""},
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    found = fields.get(name)
    if not isinstance(found, str) or not found:
        raise BadEvent(f"`{name}` is missing or no text")
    return found


def _shown(found: object) -> str:
    return found if isinstance(found, str) else orjson.dumps(found).decode()


def _moment(found: object, zone: tzinfo | None) -> int:
    if isinstance(found, str):
        try:
            parsed = datetime.fromisoformat(found)
        except ValueError:
            parsed = None
        if parsed is not None and parsed.tzinfo is None and zone is not None:
            parsed = parsed.replace(tzinfo=zone)
        if parsed is not None and parsed.tzinfo is not None:
            since = parsed - _EPOCH
            return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    raise BadEvent("`time` is no RFC 3339 moment such as 2026-03-01T10:00:00Z")


def _sequence(found: object) -> int | None:
    if found is None or found == "":
        return None
    # Its length is looked at first, because int() refuses a text of thousands of digits in words of its own.
    if isinstance(found, str | int) and str(found).isascii() and str(found).isdigit() and len(str(found)) < 20:
        number = int(found)
        if number <= LARGEST_SEQUENCE:
            return number
    raise BadEvent("`sequence` is no whole number below 2^63")


def read_cloudevents(
    connection: duckdb.DuckDBPyConnection,
    file: LogFile,
    log: LogReading,
    attributes: Sequence[str],
    quarantine: Quarantine,
) -> int:
    """Fill ``raw`` from JSON lines of CloudEvents; return how many repeated ids were dropped."""
    names = [log.column(attribute) for attribute in attributes]
    extra = "".join(f", a{place} VARCHAR" for place in range(len(names)))
    connection.execute(
        f"CREATE TABLE raw (o VARCHAR, s VARCHAR, t BIGINT, bad VARCHAR, source VARCHAR, seq BIGINT, id VARCHAR{extra})"
    )
    for batch in _batches(file, names, ZoneInfo(log.timezone), quarantine):
        connection.register("arrived", batch)
        connection.execute("INSERT INTO raw SELECT * FROM arrived")
        connection.unregister("arrived")
    if not value(connection, "SELECT count(*) FROM raw"):
        reason = next(iter(quarantine.counts), "no event in it")
        raise BadInput(f"{file.name}: no line is a status event ({reason}); is it JSON lines of CloudEvents?")
    return _drop_repeated_ids(connection)


def _drop_repeated_ids(connection: duckdb.DuckDBPyConnection) -> int:
    before = value(connection, "SELECT count(*) FROM raw")
    connection.execute(
        "DELETE FROM raw WHERE rowid IN (SELECT rowid FROM raw "
        "QUALIFY row_number() OVER (PARTITION BY source, id ORDER BY rowid) > 1)"
    )
    return int(before - value(connection, "SELECT count(*) FROM raw"))


def _batches(file: LogFile, names: Sequence[str], zone: tzinfo, quarantine: Quarantine) -> Iterator[pa.Table]:
    columns: list[list[Any]] = [[] for _ in range(7 + len(names))]
    for number, line in enumerate(_lines(file, quarantine), 1):
        event = _read_line(line, number, zone, quarantine)
        if event is None:
            continue
        values = (event.order, event.status, event.at, None, event.source, event.sequence, event.id)
        for column, item in zip(columns, (*values, *(event.attributes.get(name) for name in names)), strict=True):
            column.append(item)
        if len(columns[0]) >= BATCH:
            yield _table(columns)
            columns = [[] for _ in columns]
    if columns[0]:
        yield _table(columns)


def _lines(file: LogFile, quarantine: Quarantine) -> Iterator[bytes]:
    with file.open() as stream:
        number = 0
        try:
            while line := stream.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    while (rest := stream.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                        continue
                    quarantine.add(BadRecord(f"the line is longer than {LONGEST_LINE:,} bytes", f"line {number}"))
                    line = b""
                yield line
        except (EOFError, OSError) as error:
            quarantine.add(BadRecord(f"the file breaks off ({error})", f"after line {number}"))


def _read_line(line: bytes, number: int, zone: tzinfo, quarantine: Quarantine) -> StatusEvent | None:
    if not line.strip():
        return None
    try:
        return status_event(orjson.loads(line), zone)
    except orjson.JSONDecodeError:
        reason = "the line is no JSON"
    except BadEvent as error:
        reason = str(error)
    quarantine.add(BadRecord(reason, f"line {number}", raw=line[:2_000].decode(errors="replace")))
    return None


def _table(columns: list[list[Any]]) -> pa.Table:
    types = [pa.string(), pa.string(), pa.int64(), pa.string(), pa.string(), pa.int64(), pa.string()]
    arrays = [
        pa.array(column, type=types[place] if place < len(types) else pa.string())
        for place, column in enumerate(columns)
    ]
    return pa.table(arrays, names=[f"c{place}" for place in range(len(arrays))])
