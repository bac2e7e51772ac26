"""The exact reader of XES: an XML parser that tells events apart from everything that only looks like one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

# Expat never fetches anything, and a document type is refused before its entities are declared.
from xml.parsers import expat

import pyarrow as pa

from collectors.sources.quarantine import BadRecord
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from collectors.sources.xes_fields import XesFields, XesLimits

_END_OF_TRACE: Final = len(b"</trace>")
_LOG_DEPTH: Final = 1
_ATTRIBUTES: Final = frozenset(("string", "date", "int", "float", "boolean", "id", "list", "container"))
_ADVICE: Final = "give an XES event log (XML with the root element <log>), plain or gzip, or name the right log format"


class EventParser:
    """Turn the bytes of one XES document, fed in order, into rows.

    It holds the events of the open trace (no more than one batch), since the trace's own attributes may
    follow them. Stretches that a caller has proved to be nothing but whole traces may be skipped where it
    is ``between_traces``; that leaves its state as if it had read them.
    """

    def __init__(self, path: Path, fields: XesFields, limits: XesLimits, on_bad: Callable[[BadRecord], None]) -> None:
        self.encoding: str | None = None
        self.events = 0
        self.sound = True
        self._path, self._fields, self._limits, self._on_bad = path, fields, limits, on_bad
        self._wanted: frozenset[str] = frozenset()
        self._wanted_of_trace, self._wanted_of_event = fields.wanted_of_trace, fields.wanted_of_event
        self._schema = fields.schema
        self._depth = 0
        # The open element that attributes belong to: document (0), log (1), or a trace or event below it.
        self._owner_depth = 0
        self._values: dict[str, str] = {}
        self._trace: dict[str, str] | None = None
        self._in_event = False
        self._held: list[dict[str, str]] = []
        self._rows: list[tuple[str | int | None, ...]] = []
        self._longest = 1
        self._hold = limits.batch_rows
        self._fed = self._skipped_bytes = self._skipped_lines = 0
        self._trace_end = -1
        self._names: dict[str, str] = {}
        self._parser = self._expat()

    def _expat(self) -> Any:
        parser = expat.ParserCreate(intern=self._names)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.XmlDeclHandler = self._declared
        return parser

    @property
    def between_traces(self) -> bool:
        """Whether all that was fed is read, and it ended in the ``</trace>`` of a trace of the log."""
        return self._trace_end == self._fed

    def feed(self, data: bytes) -> None:
        """Read on, unless the document has broken off before: then it is no longer ``sound``."""
        if data and self.sound:
            self._fed += len(data)
            self._parse(data, final=False)
            self._check_bounds()

    def finish(self, damage: str | None) -> None:
        """Say that nothing follows, if so because of ``damage`` to the file; report a document cut short."""
        if self.sound and damage is not None:
            self._break_off(damage)
        elif self.sound:
            self._parse(b"", final=True)

    def skip(self, *, size: int, lines: int, events: int) -> None:
        """Count a stretch of whole traces that was read elsewhere."""
        self._skipped_bytes += size
        self._skipped_lines += lines
        self.events += events

    def take(self) -> Iterator[pa.RecordBatch]:
        """Hand over the finished rows, in batches that keep the limits."""
        rows, self._rows = self._rows, []
        step = self._hold
        for at in range(0, len(rows), step):
            columns = zip(*rows[at : at + step], strict=True)
            arrays = [pa.array(c, f.type) for c, f in zip(columns, self._schema, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _parse(self, data: bytes, *, final: bool) -> None:
        try:
            self._parser.Parse(data, final)
        except expat.ExpatError as error:
            said = expat.ErrorString(error.code)
            self._break_off(f"the XML breaks off or is malformed: {said}" if self._fed else "it is empty")
        except (LookupError, ValueError) as error:
            if self._depth:
                raise
            # Expat knows UTF and Latin-1 itself, and asks Python for other encodings of one byte a character.
            raise BadInput(
                f"{self._path}: its encoding {self.encoding} cannot be read ({error}); save it as UTF-8"
            ) from error

    def _check_bounds(self) -> None:
        if len(self._names) > self._limits.names:
            raise BadInput(f"{self._path}: is no XES log, it uses over {self._limits.names} names; {_ADVICE}")
        if self.sound and self._fed - self._parser.CurrentByteIndex > self._limits.markup_bytes:
            self._break_off(f"a tag or comment is longer than {self._limits.markup_bytes} bytes")

    def _break_off(self, reason: str) -> None:
        """Keep the whole events of an open trace and report why no more follow; BadInput if none came."""
        self.sound = False
        if not self._owner_depth:
            raise BadInput(f"{self._path}: no XES log can be read from it ({reason}); {_ADVICE}")
        position = self._parser.CurrentByteIndex + self._skipped_bytes
        where = f"line {self._line()}, byte {position}"
        self._on_bad(BadRecord(f"{reason}; what follows was not read", where, order=self._order()))
        if self._trace is not None:
            self._release()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        # This runs for every element: what is common comes early, and nothing is called that need not be.
        self._depth += 1
        owner = self._owner_depth
        if self._depth != owner + 1:
            self._check_depth()
        elif owner <= _LOG_DEPTH:
            self._open_outer(name.rpartition(":")[2])
        elif name not in _ATTRIBUTES and not self._in_event and name.rpartition(":")[2] == "event":
            self._open_event()
        elif (key := attributes.get("key")) in self._wanted and key not in self._values:
            self._keep(key, attributes.get("value"))

    def _check_depth(self) -> None:
        if self._depth > self._limits.depth:
            raise BadInput(
                f"{self._path}, line {self._line()}: nests elements over {self._limits.depth} deep; {_ADVICE}"
            )

    def _open_outer(self, kind: str) -> None:
        if self._depth == _LOG_DEPTH:
            if kind != "log":
                raise BadInput(f"{self._path}: is no XES log, its root element is <{kind[:80]}>; {_ADVICE}")
            self._owner_depth = _LOG_DEPTH
        elif kind == "trace":
            self._owner_depth = self._depth
            self._trace = self._values = {}
            self._wanted = self._wanted_of_trace
        elif kind == "event":
            self._open_event()

    def _open_event(self) -> None:
        self._in_event = True
        self._owner_depth = self._depth
        self._values = {}
        self._wanted = self._wanted_of_event

    def _keep(self, key: str, value: str | None) -> None:
        if value is None:
            return
        if len(value) > self._longest:
            if len(value) > self._limits.value_chars:
                self._report_long(key, value)
                return
            self._longest = len(value)
            self._hold = self._limits.rows(self._longest, len(self._schema))
        self._values[key] = value

    def _end(self, _name: str) -> None:
        self._depth -= 1
        if self._depth >= self._owner_depth:
            return
        if self._in_event:
            self._close_event()
        elif self._trace is not None:
            self._close_trace()

    def _close_event(self) -> None:
        self._in_event = False
        self._held.append(self._values)
        self._owner_depth -= 1
        if self._trace is None:
            # The standard allows events outside any trace: they are of no order.
            self._release()
        else:
            self._values = self._trace
            self._wanted = self._wanted_of_trace
            if len(self._held) >= self._hold:
                self._release()

    def _close_trace(self) -> None:
        self._release()
        self._trace = None
        self._owner_depth = _LOG_DEPTH
        # The parser says where the end tag begins.
        self._trace_end = self._parser.CurrentByteIndex + _END_OF_TRACE

    def _release(self) -> None:
        trace = self._trace or {}
        order = self._order()
        status, time, lifecycle = self._fields.event_keys
        further = self._fields.attributes
        for event in self._held:
            self.events += 1
            own = (order, event.get(status), event.get(time), event.get(lifecycle))
            looked_up = [event[key] if key in event else trace.get(key) for key in further]
            self._rows.append((*own, *looked_up, self.events))
        self._held.clear()

    def _report_long(self, key: str, value: str) -> None:
        reason = f"a value longer than {self._limits.value_chars} characters was left out"
        where = f"line {self._line()}"
        self._on_bad(BadRecord(reason, where, field=key, value=f"{value[:80]}…", order=self._order()))

    def _order(self) -> str | None:
        return None if self._trace is None else self._trace.get(self._fields.order)

    def _line(self) -> int:
        return int(self._parser.CurrentLineNumber) + self._skipped_lines

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.encoding = encoding

    def _refuse_doctype(self, name: str, *_ids: object) -> None:
        if name.lower() == "html":
            raise BadInput(f"{self._path}: is a web page and no XES log; {_ADVICE}")
        raise BadInput(
            f"{self._path}, line {self._line()}: declares a DOCTYPE, which XES does not have and which may "
            "hide an entity bomb; remove the declaration"
        )
