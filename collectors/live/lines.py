"""The records of a part of a log: JSON lines of CloudEvents, or rows of a CSV of events."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import orjson

from collectors.live.model import LOG_SOURCE
from collectors.live.reading import Arrived, Intake, Reader, storable
from collectors.sources.cloudevents_log import LONGEST_LINE, BadEvent
from collectors.sources.csv_log import header, required
from collectors.sources.opening import LogFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.promise.model import LogReading

JSON_LINES: Final = ""
READ_BYTES: Final = 4 * LONGEST_LINE
RECORDS_AT_ONCE: Final = 10_000


@dataclass(frozen=True)
class Part:
    """What was read: the records, the position after them, and what is to be given as ``names`` next time."""

    intake: Intake
    position: int
    header: str | None


@dataclass(frozen=True)
class Record:
    """A record and where it begins in the file."""

    offset: int
    content: bytes


class Lines:
    """Reads parts of a log."""

    def __init__(self, reader: Reader, log: LogReading) -> None:
        self.reader, self.log = reader, log

    def part(self, file: IO[bytes], identity: str, position: int, names: str | None, *, last: bool) -> Part:
        """Read the next records from ``position``, where ``file`` stands.

        ``names``: a CSV's line of column names, "" for JSON lines, None where nothing was read yet. An unfinished last
        record waits for its end, unless the file will not grow any more (``last``).
        """
        block = file.read(READ_BYTES)
        ended = last and len(block) < READ_BYTES
        begin = len(block) - len(block.removeprefix(codecs.BOM_UTF8)) if position == 0 else 0
        rows = self._has_rows(block[begin:]) if names is None else names != JSON_LINES
        found = _records(block[begin:], position + begin, quoted=rows, ended=ended)
        records = list(islice(found, RECORDS_AT_ONCE))
        if not records:
            return Part(Intake(), position, names)
        position = records[-1].offset + len(records[-1].content)
        if names is None:
            names = records.pop(0).content.decode(errors="replace") if rows else JSON_LINES
        intake = Intake()
        if rows:
            self._take_rows(records, identity, names, intake)
        else:
            self._take_messages(records, identity, intake)
        return Part(intake, position, names)

    def _has_rows(self, block: bytes) -> bool:
        """Whether a log is of rows: where the promise speaks of CSV, and the first record is no JSON object."""
        return self.log.format == "csv" and not self.log.has_intervals and not block.lstrip().startswith(b"{")

    def _take_messages(self, records: list[Record], identity: str, intake: Intake) -> None:
        for record in records:
            if not record.content.strip():
                continue
            if len(record.content) > LONGEST_LINE:
                reason = f"the line is longer than {LONGEST_LINE:,} bytes"
                intake.refuse(reason, record.content, _key(identity, record))
                continue
            try:
                intake.events.append(self.reader.read(orjson.loads(record.content)))
            except orjson.JSONDecodeError:
                intake.refuse("the line is no JSON", record.content, _key(identity, record))
            except BadEvent as error:
                intake.refuse(str(error), record.content, _key(identity, record))

    def _take_rows(self, records: list[Record], identity: str, names: str, intake: Intake) -> None:
        table = _Table(names, self.log, identity.partition("\0")[0])
        rows = [(record, table.cells(record)) for record in records if record.content.strip()]
        texts = [cells[table.time] if isinstance(cells, list) else None for _, cells in rows]
        times = self.reader.moments.times(texts)
        for (record, cells), at in zip(rows, times, strict=True):
            try:
                intake.events.append(storable(self._event(table, cells, at, _key(identity, record))))
            except BadEvent as error:
                intake.refuse(str(error), record.content, _key(identity, record))

    def _event(self, table: _Table, cells: list[str | None] | str, at: int | None, key: str) -> Arrived:
        if isinstance(cells, str):
            raise BadEvent(cells)
        order, status = cells[table.order], cells[table.status]
        if order is None:
            raise BadEvent("the order is missing")
        if status is None:
            raise BadEvent("the status is missing")
        if at is None:
            raise BadEvent("the time is missing" if cells[table.time] is None else "the time cannot be read")
        found = {
            name: cell
            for name in self.reader.attributes
            if (place := table.place.get(self.log.column(name))) is not None and (cell := cells[place]) is not None
        }
        attributes = orjson.dumps(found).decode() if found else None
        return Arrived(LOG_SOURCE, key, order, status, at, None, attributes)


class _Table:
    """The columns of a CSV. Raises BadInput that lists them where one that the promise file names is missing."""

    def __init__(self, names: str, log: LogReading, path: str) -> None:
        file = LogFile(Path(path), Path(path).name, gzipped=False, head=names.encode())
        self.columns, self.delimiter = header(file, log.delimiter)
        self.place = {name: place for place, name in enumerate(self.columns)}
        for key in ("order", "status", "time"):
            required(getattr(log, key), key, self.columns, file)
        self.order, self.status, self.time = (self.place[str(name)] for name in (log.order, log.status, log.time))

    def cells(self, record: Record) -> list[str | None] | str:
        """Return a row's cells, None where empty, or why they cannot be read."""
        text = record.content.decode(errors="replace").rstrip("\r\n")
        try:
            cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter))
        except csv.Error as error:
            return f"the row does not parse ({error})"
        if len(cells) != len(self.columns):
            fewer = len(cells) < len(self.columns)
            return f"the row has {'fewer' if fewer else 'more'} columns than the header"
        return [cell or None for cell in cells]


def _key(identity: str, record: Record) -> str:
    return hashlib.sha256(f"{identity}\0{record.offset}".encode()).hexdigest()


def _records(block: bytes, offset: int, *, quoted: bool, ended: bool) -> Iterator[Record]:
    """Yield the whole records of a block. ``quoted``: a line break between quotes does not end a record."""
    lines = block.splitlines(keepends=True)
    first = 0
    while first < len(lines):
        after, whole = _end_of_record(lines, first, quoted=quoted)
        too_long = sum(map(len, lines[first:after])) > LONGEST_LINE
        if not (whole or too_long or ended):
            return
        if quoted and not whole:
            # A quote that nothing closes spoils its own line only.
            after = first + 1
        record = Record(offset, b"".join(lines[first:after]))
        yield record
        offset, first = offset + len(record.content), after


def _end_of_record(lines: list[bytes], first: int, *, quoted: bool) -> tuple[int, bool]:
    """Return the line after a record, and whether the record is whole."""
    quotes = size = 0
    for place in range(first, len(lines)):
        size += len(lines[place])
        quotes += lines[place].count(b'"')
        if lines[place].endswith(b"\n") and not (quoted and quotes % 2):
            return place + 1, True
        if size > LONGEST_LINE:
            return place + 1, False
    return len(lines), False
