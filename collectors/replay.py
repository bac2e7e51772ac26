"""Replay a log against a promise: stream it once, judge every order, and tally what each stage did to the promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import numpy as np

from collectors.promise.model import DONE
from collectors.sources.engine import EARLIEST_US, LATEST_US, NO_MOMENT
from collectors.sources.log import LoadedLog, load_log
from collectors.sources.quarantine import BadRecord, Quarantine
from collectors.stages.tally import Tally
from collectors.timelines.cleaning import merge_sources, owned, repeated
from collectors.timelines.judging import Judged, judge
from collectors.timelines.measuring import NEVER, Measured, Stretches, first_values, measure_stretches, with_bystanders
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from collectors.promise.model import PromiseFile
    from collectors.timelines.batch import EventBatch
    from collectors.timelines.codebook import Codebook

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Progress = Callable[[str, float], None]
MISSING: Final = NO_MOMENT


class Observer(Protocol):
    """Sees every judged batch of a replay: what reports are made of."""

    def see(self, judged: Judged, log: LoadedLog) -> None:
        """Take in a batch."""


@runtime_checkable
class DetailedObserver(Observer, Protocol):
    """Sees the stretches behind every judged batch too, and the log once more before it is closed."""

    def see_line(self, judged: Judged, line: Line) -> None:
        """Take in a batch's stretches; their rows are the orders of ``line.moving``."""

    def finish(self, log: LoadedLog) -> None:
        """Look up what is still needed: every order has been seen, and the log is still open."""


@dataclass
class Replay:
    """What a replay found. ``segments``: for each segment attribute and value (None: the order has none) its tally."""

    promise: PromiseFile
    log: str
    as_of: int
    events: int
    duplicates: int
    quarantined: int
    skewed: int
    tally: Tally
    segments: dict[tuple[str, str | None], Tally] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the document of ``replay --json``."""
        return {
            "promise": self.promise.name,
            "log": self.log,
            "as_of": iso(self.as_of),
            "events": self.events,
            "duplicates": self.duplicates,
            "quarantined": self.quarantined,
            **self.tally.summary(),
            "segments": [
                {"by": by, "value": value, **tally.summary()}
                for (by, value), tally in sorted(self.segments.items(), key=self._segment_place)
            ],
        }

    def _segment_place(self, item: tuple[tuple[str, str | None], Tally]) -> tuple[int, bool, str]:
        by, value = item[0]
        return (self.promise.segments.index(by), value is not None, value or "")


def iso(moment_us: int) -> str:
    """Write microseconds since 1970 as ISO 8601 UTC."""
    return (EPOCH + timedelta(microseconds=moment_us)).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def micros(moment: datetime) -> int:
    """Return a moment as microseconds since 1970 UTC."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def replay(
    path: Path,
    promise: PromiseFile,
    *,
    as_of: datetime | None = None,
    quarantine: Quarantine | None = None,
    observers: tuple[Observer, ...] = (),
    progress: Progress | None = None,
) -> Replay:
    """Replay the log at ``path``. Raises BadInput where log or promise cannot be used."""
    quarantine = quarantine or Quarantine()
    with load_log(path, promise, quarantine, progress) as log:
        return replay_log(log, as_of=as_of, observers=observers, progress=progress)


def replay_log(
    log: LoadedLog,
    *,
    as_of: datetime | None = None,
    observers: tuple[Observer, ...] = (),
    progress: Progress | None = None,
) -> Replay:
    """Replay a loaded log."""
    terms = Terms(log)
    unpromised: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    last = log.last_event
    if log.promise.promise.by is not None:
        unpromised = _quarantine_unpromised(log, terms)
        last = log.last_event_without(unpromised)
    if last is None:
        raise BadInput(
            f"{log.file.name}: no order has a readable `{log.promise.promise.by}`, its promise moment; check `by`, "
            "`log.attributes` and the times' format in the promise file"
        )
    moment = last if as_of is None else _given_moment(as_of)
    run = _Run(log, terms, moment, unpromised)
    detailed = [observer for observer in observers if isinstance(observer, DetailedObserver)]
    for judged, line in run.judged(progress):
        run.count(judged)
        for observer in observers:
            observer.see(judged, log)
        for observer in detailed:
            observer.see_line(judged, line)
    for observer in detailed:
        observer.finish(log)
    return run.result()


def _given_moment(as_of: datetime) -> int:
    moment = micros(as_of)
    if not EARLIEST_US <= moment <= LATEST_US:
        raise BadInput(f"`{as_of.isoformat()}` lies outside the years 1 to 9998; judge as of a moment within them")
    return moment


class Dimensions(Protocol):
    """The texts behind the numbers of attributes."""

    @property
    def promise(self) -> PromiseFile:
        """The promise by which the texts are read."""

    def values(self, name: str) -> list[str]:
        """Return the texts behind an attribute's numbers."""

    def moments(self, name: str, *, by_day: bool) -> NDArray[np.int64]:
        """Read an attribute's values as moments in microseconds since 1970 UTC; MISSING where a value is no time."""


class Terms:
    """What each order was promised, from its attributes."""

    def __init__(self, log: Dimensions) -> None:
        self.promise = log.promise
        terms = log.promise.promise
        self.moments = log.moments(terms.by, by_day=terms.by_day) if terms.by else None
        self.withdrawing = {
            name: np.flatnonzero(np.isin(np.array(log.values(name), dtype=object), values))
            for name, values in log.promise.log.cancelled_when.items()
        }
        self.overrides = [
            ({key: _number(log.values(key), text) for key, text in override.when.items()}, override.within)
            for override in terms.overrides
        ]

    def promised(self, measured: Measured) -> NDArray[np.int64]:
        """Return each order's promised length in microseconds, or its moment; MISSING where it has none."""
        terms = self.promise.promise
        if terms.by is not None and self.moments is not None:
            return np.append(self.moments, MISSING)[measured.attributes[terms.by]]
        length = np.full(len(measured), (terms.within or timedelta()) // timedelta(microseconds=1))
        for when, within in reversed(self.overrides):
            chosen = np.ones(len(measured), dtype=np.bool_)
            for key, number in when.items():
                chosen &= measured.attributes[key] == number
            length[chosen] = within // timedelta(microseconds=1)
        return length

    def withdrawn(self, measured: Measured) -> NDArray[np.bool_] | None:
        """Return which orders the log's ``cancelled_when`` cancels, None where it has none."""
        if not self.withdrawing:
            return None
        marks = [np.isin(measured.attributes[name], numbers) for name, numbers in self.withdrawing.items()]
        return np.asarray(np.logical_or.reduce(marks))


def _number(values: list[str], text: str) -> int:
    return values.index(text) if text in values else -2


class _Run:
    """One pass over a log: cleaning, measuring, judging and counting."""

    def __init__(self, log: LoadedLog, terms: Terms, as_of: int, unpromised: NDArray[np.int64]) -> None:
        self.log, self.terms, self.as_of, self.unpromised = log, terms, as_of, unpromised
        self.codebook = log.codebook
        self.tally = Tally(self.codebook)
        self.segments: dict[tuple[str, str | None], Tally] = {}
        self.events = 0

    def judged(self, progress: Progress | None) -> Iterator[tuple[Judged, Line]]:
        """Yield every order of the log, judged, in batches, each with the line that it was measured from."""
        seen = 0
        for batch in self.log.batches():
            seen += len(batch)
            if progress is not None:
                progress("measuring orders", seen / max(self.log.events_expected, 1))
            line = log_line(self.log, batch, self.as_of)
            measured = line.measured
            if len(self.unpromised):
                measured = measured.take(~np.isin(measured.order, self.unpromised))
            if len(measured):
                self.events += int(measured.events.sum())
                promised = self.terms.promised(measured)
                withdrawn = self.terms.withdrawn(measured)
                yield judge(measured, self.codebook, self.as_of, promised, withdrawn=withdrawn), line

    def count(self, judged: Judged) -> None:
        """Add a batch to the tallies."""
        self.tally.add(judged)
        count_segments(self.segments, judged, self.log, self.codebook)

    def result(self) -> Replay:
        """Return what the pass found."""
        log = self.log
        return Replay(
            promise=log.promise,
            log=log.file.name,
            as_of=self.as_of,
            events=self.events,
            duplicates=log.duplicates,
            quarantined=log.quarantine.total,
            skewed=log.skewed,
            tally=self.tally,
            segments=self.segments,
        )


def count_segments(
    segments: dict[tuple[str, str | None], Tally], judged: Judged, log: Dimensions, codebook: Codebook
) -> None:
    """Add a batch to the tally of every segment that its orders belong to."""
    for name in log.promise.segments:
        numbers = judged.measured.attributes[name]
        values = log.values(name)
        for number in np.unique(numbers).tolist():
            key = (name, values[number] if number >= 0 else None)
            segments.setdefault(key, Tally(codebook)).add(judged.take(numbers == number))


def log_line(log: LoadedLog, batch: EventBatch, as_of: int) -> Line:
    """Clean and measure a batch of a log's events up to a moment; count duplicates, skew and unknown statuses."""
    codebook: Codebook = log.codebook
    if (log.promise.log.format == "csv" and not log.promise.log.has_intervals) or log.promise.log.format == "xes":
        again = repeated(batch)
        if again.any():
            log.duplicates += int(np.count_nonzero(again))
            batch = batch.take(~again)
    unknown = batch.code >= len(codebook.statuses)
    if unknown.any():
        log.quarantine_statuses(batch.code[unknown], batch.order[unknown])
        batch = batch.take(~unknown)
    if log.sequenced:
        merged = merge_sources(batch, codebook)
        log.skewed += merged.skewed
        batch = merged.batch
    moves = owned(batch, owners(codebook, log.values("source"))) if log.promise.reported_by else None
    return measure_line(batch, codebook, as_of, moves)


@dataclass(frozen=True)
class Line:
    """Orders measured up to a moment, the events that moved their timelines, and the stretches between these."""

    measured: Measured
    moving: EventBatch
    stretches: Stretches


def measure_line(batch: EventBatch, codebook: Codebook, as_of: int, moves: NDArray[np.bool_] | None) -> Line:
    """Measure clean events up to a moment. ``moves``: which of them move a timeline, None for all.

    Later events are ignored, but attributes are the order's own, and may come with any of its events.
    """
    seen = batch
    if len(batch) and int(batch.at.max()) > as_of:
        early = batch.at <= as_of
        seen = batch.take(early)
        moves = None if moves is None else moves[early]
    moving = seen if moves is None or moves.all() else seen.take(moves)
    measured, stretches = measure_stretches(moving, codebook)
    measured = with_bystanders(measured, seen, codebook)
    if len(seen) < len(batch):
        rows = np.searchsorted(batch.order[batch.first], measured.order)
        measured = replace(measured, attributes={k: v[rows] for k, v in first_values(batch).items()})
    return Line(measured, moving, stretches)


def owners(codebook: Codebook, sources: list[str]) -> NDArray[np.int64]:
    """Return for each status code the number of the source that owns it, -1 where any may report it.

    An owner that is not among the sources has a number that none of them has: nobody speaks for it.
    """
    owner = np.full(len(codebook.statuses), -1, dtype=np.int64)
    for status, source in codebook.promise.reported_by.items():
        number = sources.index(source) if source in sources else len(sources)
        owner[codebook.code_of[status]] = number
        # Whoever owns an activity also says that it is done, unless that has an owner of its own.
        done = status + DONE
        if done in codebook.code_of and done not in codebook.promise.reported_by:
            owner[codebook.code_of[done]] = number
    return owner


def _quarantine_unpromised(log: LoadedLog, terms: Terms) -> NDArray[np.int64]:
    """Put orders without a promise moment into quarantine, with all their events, and return their numbers."""
    reason = f"the order has no readable `{log.promise.promise.by}`, its promise moment"
    found: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
    # What this pass counts on its way, the pass that judges will count again.
    counted = (log.duplicates, log.skewed, log.quarantine)
    log.quarantine = Quarantine()
    for batch in log.batches():
        measured = log_line(log, batch, NEVER).measured
        missing = terms.promised(measured) == MISSING
        names = log.names(measured.order[missing])
        for order, events in zip(measured.order[missing].tolist(), measured.events[missing].tolist(), strict=True):
            counted[2].add(BadRecord(reason, f"order {names[order]}", order=names[order], count=events))
        found.append(measured.order[missing])
    log.duplicates, log.skewed, log.quarantine = counted
    return np.concatenate(found)
