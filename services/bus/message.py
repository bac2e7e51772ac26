"""A message: an event or a command as a CloudEvents 1.0 JSON document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

SPEC: Final = "1.0"
INTEGER: Final = "Integer"
MEDIA_TYPE: Final = "application/cloudevents+json"
LARGEST_SEQUENCE: Final = 2**63 - 1
# Databases index these texts, and PostgreSQL's index rows end at 2,704 bytes.
LONGEST_TEXT: Final = 500


class Unreadable(ValueError):
    """The body is no message; the text says what is wrong with it."""


class Refusal(Exception):
    """What a handler raises for a message that no retry can mend: it goes to the dead letters at once."""


class Stream(NamedTuple):
    """What is kept in order: the events of one source about one subject. A command is a stream of its own."""

    subject: str
    source: str


@dataclass(frozen=True, slots=True)
class Message:
    """An event, or a command (which has no sequence). ``time``: when it happened, aware UTC."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: dict[str, Any]
    sequence: int | None = None
    traceparent: str | None = None

    @property
    def stream(self) -> Stream:
        """The stream that it belongs to."""
        return Stream(self.subject if self.sequence else self.id, self.source)

    @property
    def place(self) -> int:
        """Its place in its stream, from 1."""
        return self.sequence or 1

    def to_json(self) -> bytes:
        """Write it in CloudEvents' structured JSON format, with the sequence and distributed tracing extensions."""
        document: dict[str, Any] = {
            "specversion": SPEC,
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": iso(self.time),
            "datacontenttype": "application/json",
        }
        if self.sequence:
            document |= {"sequence": str(self.sequence), "sequencetype": INTEGER}
        if self.traceparent:
            document["traceparent"] = self.traceparent
        return orjson.dumps(document | {"data": self.data})


def iso(moment: datetime) -> str:
    """Write a moment as ISO 8601 UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def read(body: bytes) -> Message:
    """Read a message. Raises Unreadable, which says what is wrong."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"the body is no JSON ({error})") from error
    if not isinstance(document, dict):
        raise Unreadable("the body is no JSON object; send a CloudEvent")
    data = document.get("data")
    if not isinstance(data, dict):
        raise Unreadable("`data` is no JSON object")
    traceparent = document.get("traceparent")
    return Message(
        id=_text(document, "id"),
        source=_text(document, "source"),
        type=_text(document, "type"),
        subject=_text(document, "subject"),
        time=_moment(document.get("time")),
        data=data,
        sequence=_sequence(document),
        traceparent=traceparent if isinstance(traceparent, str) else None,
    )


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        raise Unreadable(f"`{name}` is missing or no text")
    if len(value.encode()) > LONGEST_TEXT:
        raise Unreadable(f"`{name}` is longer than {LONGEST_TEXT} bytes")
    return value


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"`time` is no moment ({error})") from error
    raise Unreadable("`time` is no moment with a time zone (ISO 8601)")


def _sequence(document: dict[str, Any]) -> int | None:
    value = document.get("sequence")
    if value is None and "sequencetype" not in document:
        return None
    if isinstance(value, str) and len(value) < 20 and value.isascii() and value.isdigit():
        number = int(value)
        if 0 < number <= LARGEST_SEQUENCE:
            return number
    raise Unreadable("`sequence` is no whole number from 1 on")
