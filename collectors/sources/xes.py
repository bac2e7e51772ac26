"""Event logs in XES (IEEE 1849), plain or gzip: a stream of column batches, in bounded memory.

The XML parser decides what a document means; it reads the beginning and all that is unusual. Stretches of
plain whole traces, which is most of any real log, are read by array operations instead, with the same result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collectors.sources.blocks import Blocks
from collectors.sources.xes_expat import EventParser
from collectors.sources.xes_fast import TraceScanner
from collectors.sources.xes_fields import XesFields, XesLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from collectors.sources.quarantine import BadRecord

__all__ = ["XesFields", "XesLimits", "read_xes"]

_END_OF_TRACE: Final = b"</trace>"
_ASCII_BELOW_128: Final = ("us-ascii", "iso-8859-", "windows-125")
"""Encodings, by their beginnings, in which bytes below 128 are ASCII and nothing else is."""


def read_xes(
    path: Path,
    fields: XesFields,
    on_bad: Callable[[BadRecord], None],
    *,
    progress: Callable[[int], None] | None = None,
    limits: XesLimits | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield a log's events in the order of the file, about 65,536 a batch, as ``fields.schema`` has them.

    What is missing is null. A file that breaks off gives the events before the break and one bad record.
    ``progress`` is told how many bytes of the file have been read. Raises BadInput for what is no XES log at
    all, declares a DOCTYPE, or inflates like a bomb.
    """
    limits = limits or XesLimits()
    blocks = Blocks(
        path,
        block_bytes=limits.block_bytes,
        inflated_bytes=limits.inflated_bytes,
        ratio=limits.ratio,
        ratio_after_bytes=limits.ratio_after_bytes,
    )
    parser = EventParser(path, fields, limits, on_bad)
    reading = _Reading(parser, TraceScanner(fields, limits) if limits.fast else None, fields.schema)
    yield from _gathered(_kept(reading.batches(blocks, progress), fields.lifecycle), limits)


class _Reading:
    """Cut the content into stretches that end with a trace, and give each to the reader that it suits."""

    def __init__(self, parser: EventParser, scanner: TraceScanner | None, schema: pa.Schema) -> None:
        self._parser, self._scanner, self._schema = parser, scanner, schema
        self._rest = b""

    def batches(self, blocks: Blocks, progress: Callable[[int], None] | None) -> Iterator[pa.RecordBatch]:
        """Yield all events in batches of any size."""
        for block in blocks:
            yield from self._read(self._rest + block)
            if progress is not None:
                progress(blocks.file_bytes_read)
            if not self._parser.sound:
                return
        self._parser.feed(self._rest)
        self._parser.finish(blocks.damage)
        yield from self._parser.take()

    def _read(self, data: bytes) -> Iterator[pa.RecordBatch]:
        # Few stretches a block: the parser scans an unfinished comment anew with each one, and a hostile
        # comment is full of what looks like ends of traces.
        start = 0
        if not self._parser.between_traces:
            start = _past(data.find(_END_OF_TRACE))
            yield from self._parsed(data[:start])
        end = _past(data.rfind(_END_OF_TRACE))
        if self._parser.between_traces and start < end:
            yield from self._scanned(data[start:end])
            start = end
        if self._parser.between_traces and start:
            self._rest = data[start:]
        else:
            # No end in sight: a trace of any length passes through the parser block by block.
            self._rest = b""
            yield from self._parsed(data[start:])

    def _parsed(self, data: bytes) -> Iterator[pa.RecordBatch]:
        self._parser.feed(data)
        yield from self._parser.take()

    def _scanned(self, data: bytes) -> Iterator[pa.RecordBatch]:
        traces = self._scanner.read(data) if self._scanner and self._is_utf8(data) else None
        if traces is None:
            yield from self._parsed(data)
            return
        first = self._parser.events + 1
        self._parser.skip(size=len(data), lines=traces.lines, events=traces.events)
        row = pa.array(np.arange(first, first + traces.events))
        yield pa.RecordBatch.from_arrays([*traces.columns, row], schema=self._schema)

    def _is_utf8(self, data: bytes) -> bool:
        encoding = (self._parser.encoding or "utf-8").lower()
        return encoding == "utf-8" or (encoding.startswith(_ASCII_BELOW_128) and data.isascii())


def _past(end_of_trace: int) -> int:
    return end_of_trace + len(_END_OF_TRACE) if end_of_trace >= 0 else 0


def _kept(batches: Iterable[pa.RecordBatch], lifecycle: str | None) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if lifecycle is None:
            yield batch
        else:
            # The standard writes `complete`, and well-known logs write `COMPLETE`.
            same = pc.equal(pc.utf8_lower(batch.column("lifecycle")), lifecycle.lower())
            yield batch.filter(same)


def _gathered(batches: Iterable[pa.RecordBatch], limits: XesLimits) -> Iterator[pa.RecordBatch]:
    """Join small batches, since each costs its consumer some time, up to the limits of one."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        waiting.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= limits.batch_rows or size >= limits.batch_bytes:
            yield pa.concat_batches(waiting)
            waiting, rows, size = [], 0, 0
    if rows:
        yield pa.concat_batches(waiting)
