"""The signals turn after turn: read the past once, then add what intakes move, and tell the figures."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.live import decisions, store
from collectors.live.model import shown
from collectors.live.signalling.account import Account, parted
from collectors.live.signalling.figures import Computation
from collectors.live.signalling.moves import Moved
from collectors.live.signalling.periods import LOOKED_AT, first_period, most_frequent
from collectors.promise.working_time import WorkingTime
from collectors.signals.flights import Visits
from collectors.signals.ledger import HOUR_US, WEEK_H
from collectors.signals.reference import fit
from instrumentation.errors import BadInput, TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from collectors.live.decisions import Period
    from collectors.live.handlers import Collector
    from collectors.live.signalling.figures import Figures
    from collectors.signals.reference import Reference

LOG: Final = logging.getLogger("touchstone.signals")
READ_AT_ONCE: Final = 1_000
MOVES_AT_ONCE: Final = 20
WEEK_US: Final = WEEK_H * HOUR_US
USUAL_PROMISE_US: Final = 3 * WEEK_US
# A long turn is followed by a longer pause, so that the signals take a fifth of one core at most.
PAUSE_PER_TURN: Final = 4.0
FIRST_REASON: Final = "the first whole weeks that the collector knows"
CHANGED_REASON: Final = "stages, segments or version have changed: the same period, fitted anew"


class Signalling:
    """Keeps the account of one collector and tells its figures. ``every_s``: between two turns, at least."""

    def __init__(self, collector: Collector, every_s: float) -> None:
        self.collector, self.every_s = collector, every_s
        self.database, self.clock, self.tracker = collector.database, collector.clock, collector.tracker
        self.codebook = collector.timelines.codebook
        self.account = Account(self.codebook, ())
        self.computation = Computation(self.account)
        self.reference: Reference | None = None
        self.windows: Sequence[Period] = ()
        self.figures: Figures | None = None
        self.took_s = 0.0
        calendar = self.codebook.promise.calendar
        self._working = WorkingTime(calendar) if calendar else None
        self._checked_at = 0
        # What a failed turn had taken is lost to the account: better no figures than wrong ones.
        self._whole = True
        self._alone, self._reading = asyncio.Lock(), asyncio.Lock()
        # The period decided last, whether or not there is a reference fitted to it: only a decision replaces it.
        self.decided: tuple[int, int] | None = None

    @property
    def muted(self) -> tuple[tuple[int, int], ...]:
        """The maintenance windows, whose hours count for nothing."""
        return tuple((window.begin, window.end) for window in self.windows)

    def in_maintenance(self) -> bool:
        """Whether it is maintenance now."""
        now = self.clock()
        return any(begin <= now < end for begin, end in self.muted)

    def in_business_hours(self) -> bool:
        """Whether people work now; without a calendar they always do."""
        if self._working is None:
            return True
        now = self.clock()
        begun, ended = self._working.elapsed(np.array([now, now + 1]))
        return bool(ended > begun)

    async def start(self) -> None:
        """Begin to track what moves. To be called while no intake is under way."""
        async with self.database.reading() as connection:
            self.reference = await decisions.reference_in_force(connection)
            found = await decisions.references(connection)
            self.decided = (found[0].begin, found[0].end) if found else None
            self.windows = await decisions.maintenance_windows(connection)
            bound = await store.last_number(connection)
            texts = await store.recent_attributes(connection, LOOKED_AT)
        names = self.codebook.promise.segments
        segments = self.reference.segments[1:] if self.reference else ()
        if not segments or any(not parted(segment, names)[0] for segment in segments):
            segments = most_frequent(names, texts)
        self.account = Account(self.codebook, segments)
        self.computation = Computation(self.account)
        self.tracker.begin(self.account.values, bound)

    async def run(self) -> None:
        """Compute turn after turn, until cancelled."""
        while True:
            try:
                await self.turn()
            except Exception:
                # The time of the last turn stands still in the metrics, which is what an alert looks at.
                LOG.exception("the signals could not be computed; trying again in due time")
            await asyncio.sleep(max(self.every_s, PAUSE_PER_TURN * self.took_s))

    async def turn(self) -> None:
        """Take in what has moved, and tell the figures as of now."""
        async with self._alone:
            await self._catch_up()
            begun = time.monotonic()
            now = await self._apply()
            await self._settle_reference(now)
            self.figures = await asyncio.to_thread(self.computation.figures, now, self.reference, self.muted)
            self.took_s = time.monotonic() - begun
            if now - self._checked_at >= WEEK_US:
                self._checked_at = now
                await asyncio.to_thread(self.computation.check_forecasts, now)

    async def decide_reference(self, begin: int, end: int, why: str) -> None:
        """Judge the stages against this period from now on. Raises BadInput where it cannot serve."""
        async with self._alone:
            await self._catch_up()
            await self._apply()
            known_from = self.account.known_from
            if begin < known_from or end > self.clock():
                known = f"what happened from {shown(known_from)} on until now"
                raise BadInput(f"the collector knows {known}; name a period within it")
            try:
                await self._fit(begin, end, why)
            except ValueError as error:
                raise BadInput(f"{error}; name a longer period") from error

    async def declare_maintenance(self, begin: int, end: int, why: str) -> None:
        """Mute alerts from ``begin`` to ``end``, and leave these hours out of the signals."""
        record = partial(decisions.record_maintenance, begin=begin, end=end, why=why, now=self.clock())
        await self.database.write(record)
        await self._read_windows()

    async def end_maintenance(self, number: int) -> bool:
        """End a window now; return whether there is such a one that was not over."""
        ended = await self.database.write(partial(decisions.end_maintenance, number=number, now=self.clock()))
        await self._read_windows()
        return ended

    async def _read_windows(self) -> None:
        async with self._reading, self.database.reading() as connection:
            self.windows = await decisions.maintenance_windows(connection)

    async def _catch_up(self) -> None:
        """Read what is left of the past.

        Once all is read this still asks for a transaction that may write: while the database takes nothing in, figures
        that stand still are the truth, and the alert of stale signals has to see it.
        """
        while await self.database.write(self._read_some):
            if len(self.tracker.pending) >= MOVES_AT_ONCE:
                await self._apply()

    async def _apply(self) -> int:
        if not self._whole:
            raise TouchstoneError("the account of the visits is not whole since a turn failed; restart the collector")
        now, self._whole = self.clock(), False
        await asyncio.to_thread(self.account.apply, self.tracker.take(), now)
        self._whole = True
        return now

    async def _read_some(self, connection: AsyncConnection) -> bool:
        """Read the next orders of the past, while they are locked; return whether there may be more.

        What is read is taken at once and not when the transaction has ended: it changes nothing, so it cannot fail.
        """
        tracker = self.tracker
        names = await store.names_after(connection, tracker.read, READ_AT_ONCE, tracker.bound)
        if not names:
            return False
        locked = await store.lock_orders(connection, names)
        numbers = np.array(sorted(order["number"] for order in locked.values()))
        rows = await store.events_of(connection, numbers.tolist())
        visits = tracker.visits(self.collector.timelines.line_up(rows), self.clock())
        tracker.pending.append(Moved(numbers, Visits.none(len(self.account.attributes)), visits, 0))
        tracker.read = int(numbers[-1])
        return True

    async def _settle_reference(self, now: int) -> None:
        """See to it that there is a reference, and that it is one of these stages and segments."""
        scope, reference = self.account.scope, self.reference
        if reference is not None and (reference.stages, reference.segments) == (scope.stages, scope.segments):
            return
        # What was fitted to other stages and segments cannot be held against these.
        self.reference = None
        period, why = self.decided, CHANGED_REASON
        if period is None:
            within = self.codebook.promise.promise.within
            within_us = round(within.total_seconds() * 1e6) if within else USUAL_PROMISE_US
            period, why = first_period(self.account.ledger, within_us, now), FIRST_REASON
            if period is not None and self.account.changed_from < period[1]:
                return  # it still comes in, and would be frozen unfinished
        if period is None or period[0] < self.account.known_from:
            return
        try:
            await self._fit(*period, why)
        except ValueError as error:
            LOG.warning("no reference yet: %s", error)

    async def _fit(self, begin: int, end: int, why: str) -> None:
        reference = await asyncio.to_thread(fit, self.account.ledger, begin, end, self.account.scope, self.muted)
        await self.database.write(partial(decisions.record_reference, reference=reference, why=why, now=self.clock()))
        self.reference, self.decided = reference, (begin, end)
        LOG.info("the stages are judged against %s to %s: %s", shown(begin), shown(end), why)
