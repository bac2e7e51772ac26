"""The signals turn after turn: read the past once, then add what intakes move, and tell the figures."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.live import decisions, moved, store
from collectors.live.model import shown
from collectors.live.signalling.account import Account, parted
from collectors.live.signalling.feeding import Feed
from collectors.live.signalling.figures import Computation
from collectors.live.signalling.leading import Leadership
from collectors.live.signalling.periods import LOOKED_AT, first_period, most_frequent
from collectors.promise.working_time import WorkingTime
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
MOVES_AT_ONCE: Final = 20
WEEK_US: Final = WEEK_H * HOUR_US
USUAL_PROMISE_US: Final = 3 * WEEK_US
# A long turn is followed by a longer pause, so that the signals take a fifth of one core at most.
PAUSE_PER_TURN: Final = 4.0
LONGEST_PAUSE_S: Final = 60.0  # after a turn that failed, which may have waited for long
FIRST_REASON: Final = "the first whole weeks that the collector knows"
CHANGED_REASON: Final = "stages, segments or version have changed: the same period, fitted anew"


class NotLeading(TouchstoneError):
    """Another collector on this database keeps the account of the signals; ask that one."""


class Signalling:
    """Keeps the account of one collector and tells its figures. ``every_s``: between two turns, at least.

    Of several collectors on one database one leads; the others take events in, and tell nothing.
    """

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
        self.leadership = Leadership(self.database)
        self.leads: bool | None = None  # None: nobody has asked yet
        self.feed = Feed(self.tracker, self.clock)
        # What a failed turn had taken is lost to the account: then it is begun anew.
        self._whole = True
        self._alone, self._reading = asyncio.Lock(), asyncio.Lock()
        # The period decided last, whether or not there is a reference fitted to it: only a decision replaces it.
        self.decided: tuple[int, int] | None = None
        self._too_old: tuple[int, int] | None = None  # one of which has been said that it is

    @property
    def muted(self) -> tuple[tuple[int, int], ...]:
        """The maintenance windows, whose hours count for nothing."""
        return tuple((window.begin, window.end) for window in self.windows)

    @property
    def in_force(self) -> bool:
        """Whether stages are judged against the period decided last, as far as this collector knows."""
        return self.reference is not None or (self.leads is False and self.decided is not None)

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
        """Begin the account anew, if no other collector leads."""
        async with self._alone:
            if await self.leadership.held():
                await self._take_the_lead()
            else:
                await self._follow()

    async def close(self) -> None:
        """Let another collector lead."""
        await self.leadership.close()

    async def run(self) -> None:
        """Compute turn after turn, until cancelled."""
        while True:
            begun = time.monotonic()
            try:
                await self.turn()
                pause_s = PAUSE_PER_TURN * self.took_s if self.leads else 0.0
            except Exception:
                # The time of the last turn stands still in the metrics, which is what an alert looks at.
                LOG.exception("the signals could not be computed; trying again in due time")
                pause_s = min(PAUSE_PER_TURN * (time.monotonic() - begun), LONGEST_PAUSE_S)
            await asyncio.sleep(max(self.every_s, pause_s))

    async def turn(self) -> None:
        """Take in what has moved, and tell the figures as of now; nothing where another collector leads."""
        async with self._alone:
            if not await self._leading():
                return
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
        """Judge the stages against this period from now on.

        Raises BadInput where it cannot serve, NotLeading where another collector keeps the account.
        """
        async with self._alone:
            if not await self._leading():
                raise NotLeading
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

    async def _leading(self) -> bool:
        """Return whether this collector tells the signals now; its account is whole then, or begun anew."""
        if not await self.leadership.held():
            await self._follow()
            return False
        if not self.database.embedded:
            await self._read_windows()
        async with self.database.reading() as connection:
            in_force = await moved.generation(connection, hold=False)
        if not self._whole or self.feed.torn or self.tracker.generation != in_force:
            await self._take_the_lead()
        return True

    async def _take_the_lead(self) -> None:
        LOG.info("this collector tells the signals; it begins their account anew, from all that is stored")
        try:
            await self.database.write(self._begin)
        except BaseException:
            self.tracker.end()  # its generation was not committed, perhaps, and may be another's next
            raise
        self.leads = True

    async def _begin(self, connection: AsyncConnection) -> None:
        """Begin the account anew; no intake is under way meanwhile, here or elsewhere."""
        generation = await moved.next_generation(connection)
        self.reference = await decisions.reference_in_force(connection)
        self.windows = await decisions.maintenance_windows(connection)
        self.decided = await _decided_last(connection)
        bound = await store.last_number(connection)
        names = self.codebook.promise.segments
        segments = self.reference.segments[1:] if self.reference else ()
        if not segments or any(not parted(segment, names)[0] for segment in segments):
            segments = most_frequent(names, await store.recent_attributes(connection, LOOKED_AT))
        self.account = Account(self.codebook, segments)
        self.computation = Computation(self.account)
        # Within the transaction: the first intake after it must find what it tells the account to.
        self.tracker.begin(self.account.values, bound, generation)
        self._whole, self.feed.torn, self._checked_at = True, False, 0

    async def _follow(self) -> None:
        """Tell nothing, and know only what was decided elsewhere."""
        if self.leads is not False:
            LOG.warning("another collector on this database tells the signals; this one takes events in for it")
            self.leads = False
            self.tracker.end()
            self.account = Account(self.codebook, ())
            self.computation = Computation(self.account)
            self.figures, self.reference = None, None
        async with self.database.reading() as connection:
            self.decided = await _decided_last(connection)
        await self._read_windows()

    async def _catch_up(self) -> None:
        """Read what is left of the past, and what other collectors took in.

        Once all is read this still asks for a transaction that may write: while the database takes nothing in, figures
        that stand still are the truth, and the alert of stale signals has to see it.
        """
        for step in (self.feed.read_past, self.feed.take_moved):
            while await self.database.write(step):
                self.feed.torn = False
                if len(self.tracker.pending) >= MOVES_AT_ONCE:
                    await self._apply()

    async def _apply(self) -> int:
        now, self._whole = self.clock(), False
        await asyncio.to_thread(self.account.apply, self.tracker.take(), now)
        self._whole = True
        return now

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
        if period is None:
            return
        if period[0] < self.account.known_from:
            if self._too_old != period:
                self._too_old = period
                LOG.warning(
                    "no reference: what happened from %s on is not counted any more; decide anew", shown(period[0])
                )
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


async def _decided_last(connection: AsyncConnection) -> tuple[int, int] | None:
    found = await decisions.references(connection)
    return (found[0].begin, found[0].end) if found else None
