"""What to pull out of an XES log, the columns that come of it, and the bounds that reading keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

LIFECYCLE_KEY: Final = "lifecycle:transition"


@dataclass(frozen=True)
class XesFields:
    """The attribute keys to pull out; the defaults are those of the XES standard (IEEE 1849).

    ``order`` is looked up on the trace, ``status`` and ``time`` on the event, each of ``attributes`` on the
    event first and then on the trace. ``lifecycle`` keeps the events of that transition only, in any case of
    letters.
    """

    order: str = "concept:name"
    status: str = "concept:name"
    time: str = "time:timestamp"
    lifecycle: str | None = None
    attributes: tuple[str, ...] = ()

    @property
    def event_keys(self) -> tuple[str, str, str]:
        """The keys of the three columns that only the event itself can fill, in the order of the columns."""
        return (self.status, self.time, LIFECYCLE_KEY)

    @property
    def wanted_of_trace(self) -> frozenset[str]:
        """The keys of a trace whose values land in some column."""
        return frozenset((self.order, *self.attributes))

    @property
    def wanted_of_event(self) -> frozenset[str]:
        """The keys of an event whose values land in some column."""
        return frozenset((*self.event_keys, *self.attributes))

    @property
    def schema(self) -> pa.Schema:
        """The columns of every batch: strings as they stand in the file, and ``row``, the event's number."""
        texts = ("order", "status", "time", "lifecycle", *self.attributes)
        return pa.schema([*((name, pa.string()) for name in texts), ("row", pa.int64())])


@dataclass(frozen=True)
class XesLimits:
    """Bounds that keep a hostile or broken file from eating the machine; each far above what real logs need.

    Real logs inflate about 30:1, and deflate reaches 1032:1 on nothing but one repeated byte. A small file
    may be odd, so the ratio counts only after ``ratio_after_bytes``.
    """

    inflated_bytes: int = 64 << 30
    ratio: int = 200
    ratio_after_bytes: int = 64 << 20
    markup_bytes: int = 8 << 20
    """The longest tag or comment: the parser must hold one whole, and scans it anew with every block."""
    value_chars: int = 1 << 16
    """The longest value of a wanted attribute; longer ones become null and are reported."""
    depth: int = 1000
    names: int = 10_000
    """The most names of elements and XML attributes, since the parser remembers every one."""
    block_bytes: int = 1 << 20
    batch_rows: int = 1 << 16
    batch_bytes: int = 64 << 20
    fast: bool = True
    """Whether plain stretches may be read by array operations; False leaves all to the XML parser."""

    def rows(self, longest: int, columns: int) -> int:
        """Tell how many rows a batch may have when no value is longer than ``longest`` characters."""
        # One trace name is copied to each of its events, so the file's size does not bound the batch's.
        return max(1, min(self.batch_rows, self.batch_bytes // max(1, longest * columns)))
