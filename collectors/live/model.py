"""What the collector knows of orders: their stored events in one line, measured; no input or output here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import orjson

from collectors.promise.model import DONE
from collectors.replay import MISSING, Line, Terms, iso, measure_line, owners
from collectors.sources.engine import EARLIEST_US, LATEST_US
from collectors.timelines.batch import EventBatch
from collectors.timelines.cleaning import merge_sources, owned, repeated, running_maximum
from collectors.timelines.codebook import Codebook
from collectors.timelines.judging import BROKEN, OPEN, Judged, judge
from collectors.timelines.measuring import NEVER, Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from collectors.promise.model import PromiseFile

    MomentReader = Callable[[list[str], bool], NDArray[np.int64]]

LOG_SOURCE: Final = "/log"  # the source of CSV rows, which have neither ids nor sequences
PLACE: Final = "#place"
FRESH: Final = "#fresh"
UNMEASURED: Final = -1
WITHHELD: Final = -2


def shown(moment_us: int) -> str:
    """Write a moment as ISO 8601 UTC; one that no calendar holds as the nearest that it does."""
    return iso(min(max(moment_us, EARLIEST_US), LATEST_US))


class EventRow(NamedTuple):
    """A stored event. ``order``: its order's number; ``at``: microseconds; ``attributes``: a JSON object or None."""

    order: int
    arrival: int
    at: int
    status: str
    source: str
    sequence: int | None
    attributes: str | None


@dataclass(frozen=True)
class Dimensions:
    """The texts behind the attribute numbers of some orders."""

    promise: PromiseFile
    texts: dict[str, list[str]]
    reader: MomentReader

    def values(self, name: str) -> list[str]:
        """Return the texts behind an attribute's numbers."""
        return self.texts.get(name, [])

    def moments(self, name: str, *, by_day: bool) -> NDArray[np.int64]:
        """Read an attribute's values as moments in microseconds since 1970 UTC; -1 where a value is no time."""
        return self.reader(self.values(name), by_day)


@dataclass(frozen=True)
class Lined:
    """Orders lined up and measured. The arrays of counts have one value for each of ``orders`` (sorted numbers).

    ``last_at``: when the order's last event counts as having happened (meaningless without a usable one). ``gap``:
    whether a sequence number is missing now.
    """

    orders: NDArray[np.int64]
    line: Line
    dimensions: Dimensions
    unknown: NDArray[np.int64]
    repeats: NDArray[np.int64]
    skewed: NDArray[np.int64]
    gap: NDArray[np.bool_]
    last_at: NDArray[np.int64]


class Timelines:
    """Lines up stored events as replay does, and measures them with the same kernel."""

    def __init__(self, promise: PromiseFile, reader: MomentReader) -> None:
        self.promise, self.reader = promise, reader
        self.codebook = Codebook(promise)

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """The order attributes that judging needs."""
        return tuple(dict.fromkeys([*self.promise.attributes(), *self.promise.log.cancelled_when]))

    @cached_property
    def codes(self) -> dict[str, int]:
        """The code of each status as events name it; a log of completions means ``A:done`` by ``A``."""
        suffix = DONE if self.promise.log.marks == "completion" else ""
        known = self.codebook.code_of
        return {status: known[status + suffix] for status in known if status + suffix in known}

    def line_up(self, rows: Sequence[EventRow], as_of: int = NEVER, fresh: Collection[int] = frozenset()) -> Lined:
        """Line up and measure whole orders up to a moment. ``fresh``: arrival numbers of just arrived events."""
        batch, sources, texts = self._batch(rows, fresh)
        orders = batch.order[batch.first]
        gap = _gaps(batch)
        again = self._again(batch, sources)
        repeats = np.bincount(batch.row, weights=again, minlength=len(orders)).astype(np.int64)
        unknown_now = (batch.code >= len(self.codebook.statuses)) & ~again
        unknown = np.bincount(batch.row, weights=unknown_now, minlength=len(orders)).astype(np.int64)
        clean = batch.take(~(again | unknown_now))
        merged = merge_sources(clean, self.codebook).batch
        last_at = np.full(len(orders), np.iinfo(np.int64).min, dtype=np.int64)
        place = np.searchsorted(orders, merged.order)
        np.maximum.at(last_at, place, merged.at)
        return Lined(
            orders=orders,
            line=measure_line(merged, self.codebook, as_of, self._moves(merged, sources)),
            dimensions=Dimensions(self.promise, texts, self.reader),
            unknown=unknown,
            repeats=repeats,
            skewed=_skewed(clean, orders),
            gap=gap,
            last_at=last_at,
        )

    def _batch(
        self, rows: Sequence[EventRow], fresh: Collection[int]
    ) -> tuple[EventBatch, list[str], dict[str, list[str]]]:
        columns = list(zip(*rows, strict=True)) or [()] * len(EventRow._fields)
        order, arrival, at = (np.array(column, dtype=np.int64) for column in columns[:3])
        codes = dict(self.codes)
        unknown = len(self.codebook.statuses)
        code = [codes.setdefault(s, unknown + len(codes)) for s in columns[3]]
        sources = sorted(set(columns[4]))
        number = {source: place for place, source in enumerate(sources)}
        source = np.array([number[s] for s in columns[4]], dtype=np.int64)
        sequence = np.array([-1 if s is None else s for s in columns[5]], dtype=np.int64)
        attributes, texts = self._attributes(columns[6])
        attributes[PLACE] = np.arange(len(rows))
        attributes[FRESH] = np.where(np.isin(arrival, list(fresh)), 1, -1) if fresh else np.full(len(rows), -1)
        sequence = _filled(order, source, sequence, len(sources))
        line = np.lexsort((arrival, at, sequence, source, order))
        batch = EventBatch(order, at, np.array(code, dtype=np.int64), source, sequence, attributes)
        return batch.take(line), sources, texts

    def _attributes(self, column: Sequence[str | None]) -> tuple[dict[str, NDArray[np.int64]], dict[str, list[str]]]:
        """Return attribute values, given as JSON objects of events or orders, as numbers, and their texts."""
        numbers: dict[str, dict[str, int]] = {name: {} for name in self.attributes}
        none = (-1,) * len(self.attributes)
        known: dict[str | None, tuple[int, ...]] = {None: none}
        for text in set(column) - {None}:
            values = orjson.loads(text or "{}")
            known[text] = tuple(
                numbers[name].setdefault(values[name], len(numbers[name])) if name in values else -1
                for name in self.attributes
            )
        table = np.array([known[text] for text in column], dtype=np.int64).reshape(len(column), len(self.attributes))
        arrays = {name: table[:, place].copy() for place, name in enumerate(self.attributes)}
        return arrays, {name: list(found) for name, found in numbers.items()}

    def dimensions(self, column: Sequence[str | None]) -> tuple[dict[str, NDArray[np.int64]], Dimensions]:
        """Return the attributes of orders, given as JSON objects, as numbers."""
        arrays, texts = self._attributes(column)
        return arrays, Dimensions(self.promise, texts, self.reader)

    def _again(self, batch: EventBatch, sources: list[str]) -> NDArray[np.bool_]:
        """Mark rows of a log that repeat the one before them; other events have ids, and repeat only by these."""
        if LOG_SOURCE not in sources or batch.source is None:
            return np.zeros(len(batch), dtype=np.bool_)
        again = repeated(batch) & (batch.source == sources.index(LOG_SOURCE))
        again[1:] &= batch.source[1:] == batch.source[:-1]
        return np.asarray(again)

    def _moves(self, batch: EventBatch, sources: list[str]) -> NDArray[np.bool_] | None:
        if not self.promise.reported_by:
            return None
        moves = owned(batch, owners(self.codebook, sources))
        # A log names no source, so it has nobody else to speak for the owner.
        if LOG_SOURCE in sources:
            moves |= batch.source == sources.index(LOG_SOURCE)
        return moves

    def judged(self, measured: Measured, dimensions: Dimensions, as_of: int) -> tuple[Judged, NDArray[np.bool_]]:
        """Judge orders as of a moment; also return which of them lack the promise moment that they should carry."""
        terms = Terms(dimensions)
        promised = terms.promised(measured)
        lacking = (promised == MISSING) & (self.promise.promise.by is not None)
        judged = judge(measured, self.codebook, as_of, promised, withdrawn=terms.withdrawn(measured))
        return judged, lacking

    def settled(self, measured: Measured, dimensions: Dimensions) -> NDArray[np.int64]:
        """Return each order's verdict where time alone cannot change it any more, OPEN for orders in flight."""
        judged, lacking = self.judged(measured, dimensions, 0)
        verdict = judged.verdict.astype(np.int64)
        verdict[~judged.ended & (verdict == BROKEN)] = OPEN
        verdict[lacking] = WITHHELD
        return verdict


def _filled(
    order: NDArray[np.int64], source: NDArray[np.int64], sequence: NDArray[np.int64], sources: int
) -> NDArray[np.int64]:
    """Blank the sequences of sources that leave some of an order's events without: these go by time, then arrival."""
    lacking = sequence < 0
    if not lacking.any():
        return sequence
    group = order * sources + source
    return np.where(np.isin(group, np.unique(group[lacking])), -1, sequence)


def _gaps(batch: EventBatch) -> NDArray[np.bool_]:
    """Return which orders lack a number between 1 and the last one of a source."""
    if batch.source is None or batch.sequence is None or not len(batch):
        return np.zeros(0, dtype=np.bool_)
    begins = batch.begins.copy()
    begins[1:] |= batch.source[1:] != batch.source[:-1]
    new = begins.copy()
    new[1:] |= batch.sequence[1:] != batch.sequence[:-1]
    first = np.flatnonzero(begins)
    distinct = np.add.reduceat(new.astype(np.int64), first)
    missing = distinct < np.maximum.reduceat(batch.sequence, first)
    return np.logical_or.reduceat(missing, np.searchsorted(first, batch.first))


def _skewed(batch: EventBatch, orders: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count for each order the events whose time lies before that of the one before them in their source."""
    count = np.zeros(len(orders), dtype=np.int64)
    if batch.source is None or not len(batch):
        return count
    begins = batch.begins.copy()
    begins[1:] |= batch.source[1:] != batch.source[:-1]
    behind = running_maximum(batch.at, begins) != batch.at
    np.add.at(count, np.searchsorted(orders, batch.order[behind]), 1)
    return count


@dataclass(frozen=True)
class Visits:
    """Visits that ended: the stage and how long each lasted, in microseconds."""

    stage: NDArray[np.int64]
    length_us: NDArray[np.int64]


def visits_ended(line: Line) -> Visits:
    """Return the visits that the batch's fresh events ended, by another stage or by the promise's end."""
    stretches, moving = line.stretches, line.moving
    count = len(stretches.row)
    fresh = moving.attributes[FRESH] > 0
    if not count or not fresh.any():
        return Visits(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    leaves = stretches.closed.copy()
    same_visit = (stretches.row[1:] == stretches.row[:-1]) & ~stretches.enters[1:]
    leaves[:-1] &= ~same_visit
    entered = np.maximum.accumulate(np.where(stretches.enters, np.arange(count), 0))
    left_at = set(zip(moving.row[fresh].tolist(), moving.at[fresh].tolist(), strict=True))
    ended = [
        place
        for place in np.flatnonzero(leaves).tolist()
        if (int(stretches.row[place]), int(stretches.finish[place])) in left_at
    ]
    begin = stretches.begin[entered[ended]]
    return Visits(stretches.stage[ended], stretches.finish[ended] - begin)
