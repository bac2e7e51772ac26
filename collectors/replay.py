"""Replay a log against a promise: stream it once, judge every order, and tally what each stage did to the promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from collectors.sources.log import LoadedLog, load_log
from collectors.sources.quarantine import BadRecord, Quarantine
from collectors.stages.tally import Tally
from collectors.timelines.cleaning import merge_sources, owned, repeated
from collectors.timelines.judging import Judged, judge
from collectors.timelines.measuring import Measured, measure_stretches, with_bystanders

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from collectors.promise.model import PromiseFile
    from collectors.timelines.batch import EventBatch
    from collectors.timelines.codebook import Codebook

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Progress = Callable[[str, float], None]
MISSING: Final = -1


class Observer(Protocol):
    """Sees every judged batch of a replay: what reports are made of."""

    def see(self, judged: Judged, log: LoadedLog) -> None:
        """Take in a batch."""


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
    return (EPOCH + timedelta(microseconds=moment_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


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
    terms = _Terms(log)
    moment = micros(as_of) if as_of is not None else log.last_event
    assert moment is not None  # noqa: S101 - a log without any event does not load
    unpromised: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    if log.promise.promise.by is not None:
        unpromised, moment = _unpromised(log, terms, moment, given=as_of is not None)
    run = _Run(log, terms, moment, unpromised)
    for judged in run.judged(progress):
        run.count(judged)
        for observer in observers:
            observer.see(judged, log)
    return run.result()


class _Terms:
    """What each order was promised, from its attributes."""

    def __init__(self, log: LoadedLog) -> None:
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

    def __init__(self, log: LoadedLog, terms: _Terms, as_of: int, unpromised: NDArray[np.int64]) -> None:
        self.log, self.terms, self.as_of, self.unpromised = log, terms, as_of, unpromised
        self.codebook = log.codebook
        self.tally = Tally(self.codebook)
        self.segments: dict[tuple[str, str | None], Tally] = {}
        self.events = 0

    def judged(self, progress: Progress | None) -> Iterator[Judged]:
        """Yield every order of the log, judged, in batches."""
        seen = 0
        for batch in self.log.batches():
            seen += len(batch)
            if progress is not None:
                progress("measuring orders", seen / max(self.log.events_expected, 1))
            measured = measure_log(self.log, batch, self.as_of)
            if len(self.unpromised):
                measured = self._without_unpromised(measured)
            if len(measured):
                self.events += int(measured.events.sum())
                promised = self.terms.promised(measured)
                yield judge(measured, self.codebook, self.as_of, promised, withdrawn=self.terms.withdrawn(measured))

    def _without_unpromised(self, measured: Measured) -> Measured:
        out = np.isin(measured.order, self.unpromised)
        if out.any():
            names = self.log.names(measured.order[out])
            for order, events in zip(measured.order[out].tolist(), measured.events[out].tolist(), strict=True):
                name = names[order]
                reason = f"the order has no readable `{self.terms.promise.promise.by}`, its promise moment"
                self.log.quarantine.add(BadRecord(reason, f"order {name}", order=name, count=events))
        return measured.take(~out)

    def count(self, judged: Judged) -> None:
        """Add a batch to the tallies."""
        self.tally.add(judged)
        for name in self.log.promise.segments:
            numbers = judged.measured.attributes[name]
            values = self.log.values(name)
            for number in np.unique(numbers).tolist():
                key = (name, values[number] if number >= 0 else None)
                self.segments.setdefault(key, Tally(self.codebook)).add(judged.take(numbers == number))

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


def measure_log(log: LoadedLog, batch: EventBatch, as_of: int) -> Measured:
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
    if len(batch) and int(batch.at.max()) > as_of:
        batch = batch.take(batch.at <= as_of)
    line = owned(batch, owners(log)) if log.promise.reported_by else None
    moving = batch if line is None or line.all() else batch.take(line)
    measured, _ = measure_stretches(moving, codebook)
    return with_bystanders(measured, batch, codebook)


def owners(log: LoadedLog) -> NDArray[np.int64]:
    """Return for each status code the number of the source that owns it, -1 where any may report it."""
    sources = log.values("source")
    owner = np.full(len(log.codebook.statuses), -1, dtype=np.int64)
    for status, source in log.promise.reported_by.items():
        owner[log.codebook.code_of[status]] = _number(sources, source)
    return owner


def _unpromised(log: LoadedLog, terms: _Terms, moment: int, *, given: bool) -> tuple[NDArray[np.int64], int]:
    """Find the orders without a promise moment, and the last event of the others."""
    found: list[NDArray[np.int64]] = []
    last = -1
    counted = (log.duplicates, log.skewed, Quarantine())
    kept, log.quarantine = log.quarantine, counted[2]
    for batch in log.batches():
        measured = measure_log(log, batch, moment)
        missing = terms.promised(measured) == MISSING
        found.append(measured.order[missing])
        good = np.isin(batch.order, measured.order[~missing]) & (batch.code < len(log.codebook.statuses))
        if good.any():
            last = max(last, int(batch.at[good].max()))
    log.duplicates, log.skewed, log.quarantine = counted[0], counted[1], kept
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64), moment if given or last < 0 else last
