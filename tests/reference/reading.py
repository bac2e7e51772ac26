"""Logs of every kind, record by record: what is an event, a duplicate by identity, or unreadable.

A log with start and end gives rows, every other kind gives events. Attributes stay where they are, in the
columns of each record (CSV columns, XES attributes of trace and event, `data.order` of a CloudEvent).
"""

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree as ET

from . import moments
from .promise import DONE, Promise, text


@dataclass(frozen=True)
class Fields:
    """An event as the file has it, before its texts are looked at."""

    order: str
    status: str
    time: str
    columns: Mapping[str, str]
    source: str = ""
    sequence: int | None = None
    id: str = ""


@dataclass(frozen=True)
class Event:
    """One status change as one source told it; `position` is its place in the file, for ties."""

    order: str
    status: str
    time: int
    position: int
    columns: Mapping[str, str]
    source: str = ""
    sequence: int | None = None
    id: str = ""


@dataclass(frozen=True)
class Row:
    """One activity with its start and end; without an end it is still running."""

    order: str
    activity: str
    start: int
    end: int | None
    position: int
    columns: Mapping[str, str]


@dataclass
class Log:
    """All that a file holds."""

    events: list[Event] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    duplicates: int = 0
    unreadable: int = 0


def load(path: Path, promise: Promise) -> Log:
    """Read a log as the promise file's `log` says."""
    kind = promise.log.get("format", "csv")
    if kind == "csv" and "start" in promise.log:
        return _start_and_end(path, promise)
    if kind == "csv":
        return _events_of_csv(path, promise)
    if kind == "wide":
        return _wide(path, promise)
    if kind == "xes":
        return _xes(path, promise)
    if kind == "cloudevents":
        return _cloudevents(path, promise)
    raise ValueError(f"log.format {kind!r} is none of csv, wide, xes, cloudevents")


def moment(value: str, promise: Promise) -> int | None:
    """Return the moment that a text of this log names, or None."""
    return moments.read(value, promise.timezone, promise.log.get("time_format"))


def _events_of_csv(path: Path, promise: Promise) -> Log:
    log, keys = Log(), promise.log
    for position, row in enumerate(_table(path, [keys["order"], keys["status"], keys["time"]])):
        _add(log, promise, position, Fields(row[keys["order"]], row[keys["status"]], row[keys["time"]], row))
    return log


def _start_and_end(path: Path, promise: Promise) -> Log:
    log, keys, seen = Log(), promise.log, set()
    names = [keys["order"], keys["status"], keys["start"], keys["end"]]
    for position, row in enumerate(_table(path, names)):
        order, activity, started, ended = (row[name] for name in names)
        start, end = moment(started, promise), moment(ended, promise)
        if _empty(order) or _empty(activity) or start is None or (end is None and not _empty(ended)):
            log.unreadable += 1
        elif (order, activity, start, end) in seen:
            log.duplicates += 1
        else:
            seen.add((order, activity, start, end))
            log.rows.append(Row(order, activity, start, end, position, row))
    return log


def _wide(path: Path, promise: Promise) -> Log:
    log, keys, seen = Log(), promise.log, set()
    columns: Mapping[str, str] = keys["statuses"]
    for number, row in enumerate(_table(path, [keys["order"], *columns.values()])):
        order = row[keys["order"]]
        if order in seen:
            log.duplicates += 1
            continue
        if not _empty(order):
            seen.add(order)
        # A row without any milestone tells nothing, and nothing is dropped in silence.
        log.unreadable += all(_empty(row[column]) for column in columns.values())
        for place, (status, column) in enumerate(columns.items()):
            # An empty cell is a milestone not reached, and no record at all.
            if not _empty(row[column]):
                position = number * len(columns) + place
                _add(log, promise, position, Fields(order, status, row[column], row))
    return log


def _xes(path: Path, promise: Promise) -> Log:
    log, wanted, position = Log(), promise.log.get("lifecycle"), 0
    for trace, event in _traces(path):
        # The standard writes `complete`, and well-known logs write `COMPLETE`.
        if wanted is not None and event.get("lifecycle:transition", "").lower() != wanted.lower():
            continue
        told = Fields(
            trace.get("concept:name", ""),
            event.get("concept:name", ""),
            event.get("time:timestamp", ""),
            # What the trace says of the order outranks what one of its events says.
            {**event, **trace},
        )
        _add(log, promise, position, told)
        position += 1
    return log


def _cloudevents(path: Path, promise: Promise) -> Log:
    log, seen = Log(), set()
    with _open(path) as file:
        for position, line in enumerate(file):
            if _empty(line):
                continue
            record = _json_object(line)
            told = _cloudevent(record)
            if not _is_event(record, told) or moment(told.time, promise) is None:
                log.unreadable += 1
                continue
            if (told.source, told.id) in seen:
                log.duplicates += 1
                continue
            seen.add((told.source, told.id))
            _add(log, promise, position, told)
    return log


def _cloudevent(record: Mapping[str, Any]) -> Fields:
    data = _object(record.get("data"))
    return Fields(
        order=text(record.get("subject")),
        status=text(data.get("status")),
        time=text(record.get("time")),
        columns={name: text(value) for name, value in _object(data.get("order")).items()},
        source=text(record.get("source")),
        sequence=_whole(record.get("sequence")),
        id=text(record.get("id")),
    )


def _is_event(record: Mapping[str, Any], told: Fields) -> bool:
    """Whether the line is a CloudEvent at all: the standard asks for these attributes, as strings."""
    texts = [record.get(name) for name in ("id", "source", "subject")]
    numbered = "sequence" not in record or (told.sequence is not None and told.sequence >= 0)
    return numbered and all(isinstance(text, str) and text for text in texts) and told.status != ""


def _add(log: Log, promise: Promise, position: int, told: Fields) -> None:
    at = moment(told.time, promise)
    if _empty(told.order) or _empty(told.status) or at is None:
        log.unreadable += 1
        return
    status = told.status + DONE if promise.completions else told.status
    log.events.append(Event(told.order, status, at, position, told.columns, told.source, told.sequence, told.id))


def _empty(value: str) -> bool:
    return not value.strip()


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _json_object(line: str) -> dict[str, Any]:
    try:
        return _object(json.loads(line))
    except ValueError:
        return {}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


@contextmanager
def _open(path: Path) -> Iterator[IO[str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    # The byte order mark that spreadsheets write would else be part of the first column's name.
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield file


def _table(path: Path, needed: list[str]) -> Iterator[dict[str, str]]:
    with _open(path) as file:
        reader = csv.DictReader(file)
        for name in needed:
            if name not in (reader.fieldnames or ()):
                raise ValueError(f"{path.name} has no column {name!r}")
        for row in reader:
            # A short row has None for its missing cells, a long one a list under None.
            yield {name: value or "" for name, value in row.items() if name is not None}


def _traces(path: Path) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        in_trace = False
        # The logs read here are our own test data.
        for action, element in ET.iterparse(file, events=("start", "end")):  # noqa: S314
            tag = element.tag.rpartition("}")[2]
            if tag == "trace" and action == "start":
                in_trace = True
            elif tag == "trace":
                in_trace = False
                trace = _attributes(element)
                for event in element.iterfind("{*}event"):
                    yield trace, _attributes(event)
                element.clear()
            elif tag == "event" and action == "end" and not in_trace:
                yield {}, _attributes(element)


def _attributes(element: ET.Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for child in element:
        key, value = child.get("key"), child.get("value")
        if key is not None and value is not None and not _empty(value):
            found.setdefault(key, value)
    return found
