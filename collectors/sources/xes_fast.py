"""The fast reader of plain XES: whole traces at once, by array operations, or not at all.

What stands between two double quotes in a machine-written log is one of a few dozen strings: ``" value="``,
``"/></event><event><string key="`` and so on. So each *distinct* one is held against a strict grammar once,
and arrays of their codes do the rest. A stretch is taken only when every byte of it is accounted for; what
is unusual in any way (comments, CDATA, single quotes, nested attributes, character references, bad UTF-8)
makes ``read`` answer None, and the caller gives the same bytes to the XML parser.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.sources.xes_fields import XesFields, XesLimits

_S: Final = rb"[ \t\r\n]*"
_ATTRIBUTE: Final = rb"<(?:string|date|int|float|boolean|id)[ \t\r\n]+key" + _S + b"=" + _S + b'"'
_OPENS: Final = rb"<trace" + _S + b">" + _S + rb"(?P<new_event><event" + _S + b">" + _S + b")?" + _ATTRIBUTE
_CLOSES: Final = rb'"' + _S + b"/>" + _S
_END_EVENT: Final = rb"(?P<end_event></event" + _S + b">" + _S + b")"
_END_TRACE: Final = rb"</trace" + _S + b">"

_VALUE: Final = re.compile(rb'"[ \t\r\n]+value' + _S + b"=" + _S + b'"')
_NEXT: Final = re.compile(_CLOSES + _ATTRIBUTE)
_EVENT: Final = re.compile(
    _CLOSES + _END_EVENT + rb"?(?P<new_event><event" + _S + b">" + _S + b")" + _ATTRIBUTE,
)
_TRACE: Final = re.compile(_CLOSES + _END_EVENT + b"?" + _END_TRACE + _S + _OPENS)
_FIRST: Final = re.compile(_S + _OPENS)
_LAST: Final = re.compile(_CLOSES + _END_EVENT + b"?" + _END_TRACE)

_UNUSUAL_REFERENCE: Final = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)")
_NONCHARACTER: Final = re.compile(rb"\xef\xbf[\xbe\xbf]")
_REFERENCES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))
"""The ampersand comes last: ``&amp;lt;`` means the text ``&lt;``."""

_MOST_DISTINCT: Final = 256
_LONGEST_MARKUP: Final = 4096
"""What is known by heart stays in memory, so a stretch with a megabyte of blanks is left to the parser."""
_STEP, _VALUE_FOLLOWS = 1, 2
_SAME, _IN_TRACE, _IN_EVENT = 0, 1, 2


class _Markup(NamedTuple):
    """What one distinct string between two quoted texts means, as numbers; all zero where it is unknown."""

    kind: int = 0
    before: int = _SAME
    """The place it must stand in: a trace, an event, or either (``_SAME``)."""
    after: int = _SAME
    """The place it leads to; ``_SAME`` keeps the one before."""
    new_trace: int = 0
    new_event: int = 0
    angles: int = 0
    controls: int = 0
    lines: int = 0


_ROW: Final = np.dtype([(name, np.int32) for name in _Markup._fields])


class Traces(NamedTuple):
    """What a stretch of whole traces holds: its columns (all but ``row``), its events and its line breaks."""

    columns: list[pa.Array]
    events: int
    lines: int


class _Tokens(NamedTuple):
    """The stretch cut at its quotes: markup, key, markup, value, markup, key, ... , markup."""

    texts: pa.StringArray
    offsets: NDArray[np.int32]

    def lengths_of_values(self) -> NDArray[np.int32]:
        return self.offsets[4::4] - self.offsets[3::4]


class _Layout(NamedTuple):
    """Where each attribute belongs: one entry an attribute, but ``trace_of_event`` has one an event."""

    in_event: NDArray[np.bool_]
    event: NDArray[np.int64]
    trace: NDArray[np.int64]
    trace_of_event: NDArray[np.int64]
    traces: int
    lines: int


class TraceScanner:
    """Read stretches of whole traces; ``read`` answers None to anything that it does not know by heart."""

    def __init__(self, fields: XesFields, limits: XesLimits) -> None:
        self._fields, self._limits = fields, limits
        self._wanted = fields.wanted_of_trace | fields.wanted_of_event
        self._known: dict[bytes, _Markup] = {}

    def read(self, data: bytes) -> Traces | None:
        """Read ``data``, which ends in ``</trace>``, as UTF-8; None if it holds anything unusual."""
        tokens = _tokens(data) if _is_usual_text(data) else None
        if tokens is None:
            return None
        layout = self._layout(data, tokens)
        if layout is None:
            return None
        columns = self._columns(tokens, layout)
        if columns is None:
            return None
        if b"&" in data:
            columns = [_dereferenced(column) for column in columns]
        return Traces(columns, len(layout.trace_of_event), layout.lines)

    def _layout(self, data: bytes, tokens: _Tokens) -> _Layout | None:
        distinct, codes = _encoded(tokens.texts, 0, 2)
        if len(distinct) > _MOST_DISTINCT:
            return None
        table = np.array([self._markup(text) for text in distinct], _ROW)
        counts = np.bincount(codes, minlength=len(table))
        steps = table[codes[::2]]
        known = (steps["kind"] == _STEP).all() and (table["kind"][codes[1::2]] == _VALUE_FOLLOWS).all()
        if not known or not _accounts_for(data, table, counts):
            return None
        place = _places(steps)
        if place is None:
            return None
        opened = steps[:-1]
        trace = np.cumsum(opened["new_trace"]) - 1
        return _Layout(
            in_event=place[:-1] == _IN_EVENT,
            event=np.cumsum(opened["new_event"]) - 1,
            trace=trace,
            trace_of_event=trace[opened["new_event"] == 1],
            traces=int(trace[-1]) + 1,
            lines=int(counts @ table["lines"]),
        )

    def _markup(self, text: str) -> _Markup:
        if len(text) > _LONGEST_MARKUP:
            return _Markup()
        raw = text.encode()
        markup = self._known.get(raw)
        if markup is None:
            if len(self._known) > _MOST_DISTINCT:
                self._known.clear()
            markup = self._known[raw] = _classified(raw)
        return markup

    def _columns(self, tokens: _Tokens, layout: _Layout) -> list[pa.Array] | None:
        keys, codes = _encoded(tokens.texts, 1, 4)
        if any("&" in key for key in keys):
            return None
        picks = self._picks(dict(zip(keys, range(len(keys)), strict=True)), codes, layout)
        wanted = [code for code, key in enumerate(keys) if key in self._wanted]
        longest = int(tokens.lengths_of_values().max(initial=0, where=np.isin(codes, wanted)))
        events = len(layout.trace_of_event)
        # These are bytes and the limit is in characters: what is near it goes to the parser, which counts.
        if longest > self._limits.value_chars or events > self._limits.rows(longest, len(picks) + 1):
            return None
        return [tokens.texts.take(pa.array(4 * pick + 3, mask=pick < 0)) for pick in picks]

    def _picks(self, code_of: dict[str, int], codes: NDArray[np.int32], layout: _Layout) -> list[NDArray[np.int64]]:
        """Tell for each column which attribute each event takes its value from; -1 for none."""

        def on_event(key: str) -> NDArray[np.int64]:
            chosen = (codes == code_of.get(key, -1)) & layout.in_event
            return _first_of_each(layout.event, chosen, len(layout.trace_of_event))

        def on_trace(key: str) -> NDArray[np.int64]:
            chosen = (codes == code_of.get(key, -1)) & ~layout.in_event
            return _first_of_each(layout.trace, chosen, layout.traces)[layout.trace_of_event]

        picks = [on_trace(self._fields.order), *map(on_event, self._fields.event_keys)]
        for key in self._fields.attributes:
            own = on_event(key)
            picks.append(np.where(own >= 0, own, on_trace(key)))
        return picks


def _is_usual_text(data: bytes) -> bool:
    """Tell whether the bytes are text that XML allows, with no references but the five named ones."""
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
        if _NONCHARACTER.search(data):
            return False
    return b"&" not in data or not _UNUSUAL_REFERENCE.search(data)


def _tokens(data: bytes) -> _Tokens | None:
    """Cut at the double quotes without copying; quotes stay with the markup. None if they cannot pair up."""
    quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == ord('"'))
    if not len(quotes) or len(quotes) % 4:
        return None
    offsets = np.empty(len(quotes) + 2, np.int32)
    offsets[0] = 0
    offsets[1:-1] = quotes
    offsets[1:-1:2] += 1
    offsets[-1] = len(data)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return _Tokens(pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers), offsets)


def _encoded(texts: pa.StringArray, start: int, step: int) -> tuple[list[str], NDArray[np.int32]]:
    """Return the distinct texts among every ``step``-th one from ``start``, and for each its number there."""
    every = texts.take(pa.array(np.arange(start, len(texts), step)))
    encoded = every.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()


def _classified(text: bytes) -> _Markup:
    counts = {
        "angles": text.count(b"<"),
        "controls": sum(byte < ord(" ") for byte in text),
        "lines": text.count(b"\n"),
    }
    if _VALUE.fullmatch(text):
        return _Markup(_VALUE_FOLLOWS, **counts)
    if _NEXT.fullmatch(text):
        return _Markup(_STEP, **counts)
    for pattern, new_trace in ((_EVENT, 0), (_TRACE, 1), (_FIRST, 1), (_LAST, 0)):
        if match := pattern.fullmatch(text):
            found = {name for name, part in match.groupdict().items() if part is not None}
            before = _IN_EVENT if "end_event" in found else _IN_TRACE
            after = _IN_EVENT if "new_event" in found else _IN_TRACE
            return _Markup(_STEP, before, after, new_trace, int("new_event" in found), **counts)
    return _Markup()


def _accounts_for(data: bytes, table: NDArray[np.void], counts: NDArray[np.intp]) -> bool:
    """Tell whether all ``<`` and all control characters are in the markup, so that quoted text has none."""
    raw = np.frombuffer(data, np.uint8)
    angles = np.count_nonzero(raw == ord("<"))
    controls = np.count_nonzero(raw < ord(" "))
    return bool(counts @ table["angles"] == angles and counts @ table["controls"] == controls)


def _places(steps: NDArray[np.void]) -> NDArray[np.int32] | None:
    """Return the place that each step leads to; None if one does not fit the place it stands in."""
    after = steps["after"]
    latest = np.maximum.accumulate(np.where(after != _SAME, np.arange(len(after)), 0))
    place: NDArray[np.int32] = after[latest]
    before = steps["before"][1:]
    fits = (before == _SAME) | (before == place[:-1])
    return place if fits.all() else None


def _first_of_each(owner: NDArray[np.int64], chosen: NDArray[np.bool_], owners: int) -> NDArray[np.int64]:
    """Return for each owner the number of its first chosen attribute, or -1."""
    first = np.full(owners, -1, np.int64)
    # Written backwards, the first of several comes last and stays.
    attributes = np.flatnonzero(chosen)[::-1]
    first[owner[attributes]] = attributes
    return first


def _dereferenced(column: pa.Array) -> pa.Array:
    for reference, character in _REFERENCES:
        column = pc.replace_substring(column, reference, character)
    return column
