"""From what arrives to events that can be stored, or to the reason why not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

import duckdb
import numpy as np
import orjson

from collectors.replay import MISSING
from collectors.sources.cloudevents_log import BadEvent, status_event
from collectors.sources.engine import EARLIEST_US, LATEST_US, moment_sql, promised_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from collectors.promise.model import LogReading, PromiseFile

STRUCTURED: Final = ("application/cloudevents+json", "application/json")
BATCHED: Final = "application/cloudevents-batch+json"
# An index of PostgreSQL holds 2,704 bytes a row; source and id share one.
LONGEST_BYTES: Final = {"source": 500, "id": 1_000, "order": 1_000, "status": 500}
LARGEST_SEQUENCE: Final = 2**63 - 1
RAW_KEPT: Final = 2_000
_MOMENTS_REMEMBERED: Final = 100_000


class Arrived(NamedTuple):
    """An event as it will be stored. ``at``: microseconds since 1970 UTC; ``attributes``: a JSON object or None.

    ``uncertainty``: by how many microseconds ``at`` may be wrong either way, None where somebody knows the moment.
    """

    source: str
    id: str
    order: str
    status: str
    at: int
    sequence: int | None
    attributes: str | None
    uncertainty: int | None = None


class Refused(NamedTuple):
    """What is no usable event. ``key``: the same for the same record, so that it counts once however often it comes."""

    key: str
    reason: str
    raw: str


@dataclass
class Intake:
    """What one request, or one part of a followed log, brought."""

    events: list[Arrived] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.events) + len(self.refused)

    def refuse(self, reason: str, raw: bytes, key: str | None = None) -> None:
        """Put a record among the refused; without a key of its own, its content is its key."""
        text = raw[:RAW_KEPT].decode(errors="replace").replace("\0", "\ufffd")
        self.refused.append(Refused(key or hashlib.sha256(raw).hexdigest(), reason.replace("\0", "\ufffd"), text))


class Reader:
    """Reads CloudEvents and times as the promise file says."""

    def __init__(self, promise: PromiseFile) -> None:
        log = promise.log
        names = dict.fromkeys([*promise.attributes(), *log.cancelled_when])
        # The columns of `log.attributes` are those of the log; only where that is of CloudEvents they speak of these.
        self.attributes = {name: log.column(name) if log.format == "cloudevents" else name for name in names}
        self.moments = Moments(log)

    def read(self, message: object) -> Arrived:
        """Read a decoded CloudEvent. Raises BadEvent that names the field and what it should be."""
        event = status_event(message)
        found = {name: event.attributes[key] for name, key in self.attributes.items() if key in event.attributes}
        attributes = orjson.dumps(found).decode() if found else None
        return storable(
            Arrived(event.source, event.id, event.order, event.status, event.at, event.sequence, attributes)
        )

    def read_all(self, messages: Sequence[object]) -> Intake:
        """Read a batch: what is no status event is refused with its reason, and stops nothing."""
        intake = Intake()
        for message in messages:
            try:
                intake.events.append(self.read(message))
            except BadEvent as error:
                intake.refuse(str(error), orjson.dumps(message))
        return intake


def storable(event: Arrived) -> Arrived:
    """Return the event if any database can hold it. Raises BadEvent where not."""
    for name, longest in LONGEST_BYTES.items():
        text = getattr(event, name)
        if "\0" in text:
            raise BadEvent(f"`{_field(name)}` holds a NUL character")
        if len(text) * 4 > longest and len(text.encode()) > longest:
            raise BadEvent(f"`{_field(name)}` is longer than {longest:,} bytes")
    if not EARLIEST_US <= event.at <= LATEST_US:
        raise BadEvent("the time cannot be read")
    if event.sequence is not None and event.sequence > LARGEST_SEQUENCE:
        raise BadEvent("`sequence` is no whole number below 2^63")
    return event


def _field(name: str) -> str:
    return "subject" if name == "order" else name


def binary_message(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return the message of a CloudEvent in binary mode (CloudEvents HTTP binding 1.0.2, 3.1).

    Raises JSONDecodeError where the body, the event's data, is no JSON.
    """
    fields = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    return {**fields, "data": orjson.loads(body)}


class Moments:
    """Reads times as text by the promise's ``log``: exactly as replay does, because its engine does it."""

    def __init__(self, log: LogReading) -> None:
        self.log = log
        self._engine = duckdb.connect(config={"threads": 1})
        self._engine.execute("SET TimeZone = 'UTC'")
        self._promised: dict[tuple[str, bool], int] = {}

    def times(self, texts: Sequence[str | None]) -> list[int | None]:
        """Read events' times; None where a text is no time."""
        return self._read(texts, moment_sql("text", self.log))

    def promised(self, texts: list[str], by_day: bool) -> NDArray[np.int64]:  # noqa: FBT001 - a MomentReader
        """Read promise moments; MISSING where a text is no time."""
        # Another thread may clear what is remembered at any moment, so the answer comes from a copy.
        found = {text: self._promised.get((text, by_day)) for text in texts}
        new = [text for text, moment in found.items() if moment is None]
        if new:
            read = self._read(new, promised_sql("text", self.log, by_day=by_day))
            found |= {text: MISSING if moment is None else moment for text, moment in zip(new, read, strict=True)}
            if len(self._promised) > _MOMENTS_REMEMBERED:
                self._promised.clear()
            self._promised.update({(text, by_day): moment for text, moment in found.items() if moment is not None})
        return np.array([found[text] for text in texts], dtype=np.int64)

    def _read(self, texts: Sequence[str | None], sql: str) -> list[int | None]:
        # A cursor of its own, because reports and arrivals read times in different threads.
        with self._engine.cursor() as cursor:
            query = f"SELECT {sql} FROM (SELECT unnest($1::VARCHAR[]) AS text)"
            found = cursor.execute(query, [list(texts)]).fetchall()
        return [moment for (moment,) in found]
