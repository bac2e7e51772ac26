"""What the stored state says: the stage table as of a moment, one order's timeline, the orders in flight."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.live import store
from collectors.live.journey import journey
from collectors.live.metrics import State
from collectors.live.rows import COLUMNS, from_rows, or_never
from collectors.promise.working_time import WorkingTime
from collectors.reconciliation.limits import stage_limits
from collectors.replay import Replay, count_segments
from collectors.stages.eta import History, risks
from collectors.stages.tally import Tally
from collectors.timelines.codebook import NO_BUDGET, Codebook
from collectors.timelines.judging import BROKEN, CANCELLED, KEPT, Judged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from collectors.live.handlers import Collector
    from collectors.live.model import Dimensions, EventRow, Timelines
    from collectors.reconciliation.comparing import Limit
    from collectors.timelines.measuring import Measured

SECOND: Final = 1_000_000
ROWS_AT_ONCE: Final = 20_000
HISTORY_ORDERS: Final = 8_000
HISTORY_SECONDS: Final = 60.0
SCRAPE_PATIENCE_S: Final = 2.0
NAME: Final = "live"
_NAMES: Final = COLUMNS.index("name")
_SINCE: Final = COLUMNS.index("stage_since")
_LAST: Final = COLUMNS.index("last_at")


class StageReport:
    """The document of ``replay --json``, gathered from stored orders chunk by chunk."""

    def __init__(self, timelines: Timelines, as_of: int) -> None:
        self.timelines, self.as_of = timelines, as_of
        self.tally = Tally(timelines.codebook)
        self.segments: dict[tuple[str, str | None], Tally] = {}
        self.events = 0

    def overtaken(self, rows: Sequence[Any]) -> list[int]:
        """Return the numbers of orders with events later than the moment: these are measured from their events."""
        return [row[0] for row in rows if row[_LAST] > self.as_of]

    def add(self, rows: Sequence[Any], events: Sequence[EventRow]) -> None:
        """Count stored orders, and those of the events that were overtaken."""
        self._count(*from_rows([row for row in rows if row[_LAST] <= self.as_of], self.timelines))
        if events:
            lined = self.timelines.line_up(events, self.as_of)
            self._count(lined.line.measured, lined.dimensions)

    def _count(self, measured: Measured, dimensions: Dimensions) -> None:
        if not len(measured):
            return
        judged, lacking = self.timelines.judged(measured, dimensions, self.as_of)
        # Orders without a promise moment are quarantined whole; the totals have counted them.
        judged = judged.take(~lacking)
        self.events += int(judged.measured.events.sum())
        self.tally.add(judged)
        count_segments(self.segments, judged, dimensions, self.timelines.codebook)

    def document(self, totals: dict[str, int]) -> dict[str, Any]:
        """Return the document, with what was counted on the way in."""
        counted: Counter[str] = Counter(totals)
        return Replay(
            promise=self.timelines.promise,
            log=NAME,
            as_of=self.as_of,
            events=self.events,
            duplicates=counted["duplicates"] + counted["repeats"],
            quarantined=counted["unreadable"] + counted["unknown"] + counted["withheld"],
            skewed=counted["skewed"],
            tally=self.tally,
            segments=self.segments,
        ).document()


@dataclass(frozen=True)
class Picture:
    """The orders in flight as of a moment; arrays have one value an order."""

    as_of: int
    names: list[str]
    texts: dict[str, list[str]]  # behind the numbers of each attribute
    judged: Judged
    since: NDArray[np.int64]
    p50_us: NDArray[np.int64]
    p90_us: NDArray[np.int64]
    risk: NDArray[np.int8]
    over_budget: NDArray[np.bool_]
    totals: Counter[str]

    @cached_property
    def nearest_first(self) -> NDArray[np.int64]:
        """The places of all orders, nearest promise first."""
        moments = self.judged.promise_at.tolist()
        line = sorted(range(len(self.names)), key=lambda place: (moments[place], self.names[place]))
        return np.array(line, dtype=np.int64)

    @property
    def stage(self) -> NDArray[np.int64]:
        """The stage that each order is in."""
        return self.judged.measured.tail_stage

    def state(self) -> State:
        """Return what the metrics tell of it."""
        oldest: dict[int, float] = {}
        for stage, since in zip(self.stage.tolist(), self.since.tolist(), strict=True):
            oldest[stage] = max(oldest.get(stage, 0.0), (self.as_of - since) / SECOND)
        broken = int(np.count_nonzero(self.judged.verdict == BROKEN))
        cancelled = int(np.count_nonzero(self.judged.verdict == CANCELLED))
        ended = {verdict: self.totals[f"settled {verdict}"] for verdict in (KEPT, BROKEN, CANCELLED)}
        return State(
            as_of=self.as_of,
            kept=ended[KEPT],
            broken=ended[BROKEN] + broken,
            open=len(self.names) - broken - cancelled,
            cancelled=ended[CANCELLED] + cancelled,
            quarantined=self.totals["unreadable"] + self.totals["unknown"] + self.totals["withheld"],
            skewed=self.totals["skewed"],
            gaps=self.totals["gap"],
            orders=Counter(zip(self.stage.tolist(), self.risk.tolist(), strict=True)),
            oldest_s=oldest,
            over_budget=Counter(self.stage[self.over_budget].tolist()),
        )


class Reports:
    """Answers from the stored state. Pictures of the orders in flight are kept for ``picture_seconds``."""

    def __init__(self, collector: Collector, picture_seconds: float) -> None:
        self.database, self.timelines, self.clock = collector.database, collector.timelines, collector.clock
        self.picture_seconds = picture_seconds
        self._picture: Picture | None = None
        self._history: tuple[int, History] | None = None
        self._coming: asyncio.Task[Picture] | None = None
        self._alone = asyncio.Lock()

    async def stages(self, as_of: int | None = None) -> dict[str, Any]:
        """Return the document of ``replay --json`` as of a moment (microseconds), now if None."""
        report = StageReport(self.timelines, self.clock() if as_of is None else as_of)
        async with self.database.reading() as connection:
            totals = await store.read_totals(connection)
            last = 0
            while rows := await store.measured_after(connection, last, ROWS_AT_ONCE):
                last = rows[-1][0]
                events = await store.events_of(connection, report.overtaken(rows))
                await asyncio.to_thread(report.add, rows, events)
        return await asyncio.to_thread(report.document, totals)

    async def order(self, name: str) -> dict[str, Any] | None:
        """Return an order's journey so far, None where nothing is known of it."""
        as_of = self.clock()
        async with self.database.reading() as connection:
            number = await store.order_number(connection, name)
            events = [] if number is None else await store.events_of(connection, [number])
            if number is None or not events:
                return None
            labels = await store.event_labels(connection, number)
            history = await self._finished(connection)
        return journey(self.timelines, history, name, events, labels, as_of)

    async def limits(self) -> list[Limit]:
        """Return how long orders may be in each stage before they are stuck."""
        async with self.database.reading() as connection:
            history = await self._finished(connection)
        return await asyncio.to_thread(stage_limits, self.timelines.codebook, history)

    async def picture(self) -> Picture:
        """Return the orders in flight, as of now or of a few seconds ago."""
        async with self._alone:
            age_s = (self.clock() - self._picture.as_of) / SECOND if self._picture else np.inf
            if self._picture is None or not 0 <= age_s < self.picture_seconds:
                self._picture = await self._taken()
            return self._picture

    async def picture_at_hand(self) -> Picture:
        """Return the picture, or the one before it where the new one takes longer than a scrape may wait."""
        if self._coming is None or self._coming.done():
            self._coming = asyncio.create_task(self.picture())
        if self._picture is not None:
            await asyncio.wait([self._coming], timeout=SCRAPE_PATIENCE_S)
            if not self._coming.done() or self._coming.exception() is not None:
                return self._picture
        return await asyncio.shield(self._coming)

    async def close(self) -> None:
        """Give up a picture that is being taken."""
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.wait([self._coming])

    async def _taken(self) -> Picture:
        as_of, last = self.clock(), 0
        rows: list[Any] = []
        async with self.database.reading() as connection:
            totals = await store.read_totals(connection)
            history = await self._finished(connection)
            while some := await store.in_flight_after(connection, last, ROWS_AT_ONCE):
                last = some[-1][0]
                rows += some
        return await asyncio.to_thread(take_picture, self.timelines, history, rows, totals, as_of)

    async def _finished(self, connection: AsyncConnection) -> History:
        """Return the finished orders' history; it is read anew each minute, so that corrections reach it too."""
        now = self.clock()
        if self._history is None or not 0 <= now - self._history[0] < HISTORY_SECONDS * SECOND:
            rows = await store.lately_ended(connection, HISTORY_ORDERS)
            self._history = (now, await asyncio.to_thread(learn, self.timelines, rows, now))
        return self._history[1]


def learn(timelines: Timelines, rows: Sequence[Any], as_of: int) -> History:
    """Return the history of finished orders, given oldest first."""
    history = History(timelines.codebook)
    measured, dimensions = from_rows(rows, timelines)
    if len(measured):
        history.add(timelines.judged(measured, dimensions, as_of)[0])
    return history


def take_picture(
    timelines: Timelines, history: History, rows: Sequence[Any], totals: dict[str, int], as_of: int
) -> Picture:
    """Judge the orders in flight and say when they will be ready."""
    measured, dimensions = from_rows(rows, timelines)
    judged = timelines.judged(measured, dimensions, as_of)[0]
    remaining = history.remaining_of(judged)
    since = np.minimum(or_never([row[_SINCE] for row in rows]), as_of)
    return Picture(
        as_of=as_of,
        names=[row[_NAMES] for row in rows],
        texts=dimensions.texts,
        judged=judged,
        since=since,
        p50_us=remaining[0],
        p90_us=remaining[1],
        risk=risks(judged.promise_at, as_of, *remaining),
        over_budget=_over_budget(timelines.codebook, measured.tail_stage, since, as_of),
        totals=Counter(totals),
    )


def _over_budget(
    codebook: Codebook, stage: NDArray[np.int64], since: NDArray[np.int64], as_of: int
) -> NDArray[np.bool_]:
    """Mark the orders that have been in their stage for longer than its budget, elapsed or in working time."""
    spent = as_of - since
    calendar = codebook.promise.calendar
    if calendar is not None and codebook.working.any():
        working = WorkingTime(calendar)
        worked = working.elapsed(np.array([as_of]))[0] - working.elapsed(since)
        spent = np.where(codebook.working[stage], worked, spent)
    budget = codebook.budget_us[stage]
    return np.asarray((budget != NO_BUDGET) & (spent > budget))
