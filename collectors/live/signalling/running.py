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
from collectors.live.signalling.account import Account
from collectors.live.signalling.feeding import Feed
from collectors.live.signalling.figures import Computation
from collectors.live.signalling.leading import Leadership
from collectors.live.signalling.periods import filling_us, first_period, known_from, silences
from collectors.live.signalling.seats import LOOKED_AT, most_frequent, tested
from collectors.promise.working_time import WorkingTime
from collectors.signals.carried import NOWHERE, carried, fits, outdated, stage_places
from collectors.signals.ledger import HOUR_US, WEEK_H
from collectors.signals.reference import fit
from instrumentation.errors import BadInput, TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from collectors.live.decisions import Window
    from collectors.live.handlers import Collector
    from collectors.live.signalling.figures import Figures
    from collectors.signals.reference import Reference
    from collectors.signals.scope import Scope

LOG: Final = logging.getLogger("touchstone.signals")
MOVES_AT_ONCE: Final = 20
WEEK_US: Final = WEEK_H * HOUR_US
# A long turn is followed by a longer pause, so that the signals take a fifth of one core at most.
PAUSE_PER_TURN: Final = 4.0
LONGEST_PAUSE_S: Final = 60.0  # after a turn that failed, which may have waited for long
FIRST_REASON: Final = "the first whole weeks that the collector knows"
CHANGED_REASON: Final = "stages, the promise's ends, calendar or version have changed: the same period, fitted anew"


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
        self.windows: Sequence[Window] = ()
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
        self._reseated = False  # before the first reference, once

    @property
    def muted(self) -> tuple[tuple[int, int], ...]:
        """The maintenance windows, whose hours count for nothing."""
        return tuple((window.begin, window.end) for window in self.windows if window.withdrawn_at is None)

    @property
    def in_force(self) -> bool:
        """Whether stages are judged against the period decided last, as far as this collector knows."""
        return self.reference is not None or (self.leads is False and self.decided is not None)

    def in_maintenance(self) -> bool:
        """Whether it is maintenance now."""
        now = self.clock()
        return any(begin <= now < end for begin, end in self.muted)

    def maintenance_until(self) -> int:
        """When the window ends that is open now, or ended that was the last one, in microseconds; 0 without any."""
        now = self.clock()
        return max((end for begin, end in self.muted if begin <= now and begin < end), default=0)

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
            now = await self._apply()
            known = known_from(self.account.ledger, now)
            if known is None:
                raise BadInput("the collector has heard of no order yet; decide once weeks of them have come in")
            if begin < known or end > now:
                raise BadInput(
                    f"the collector knows what happened from {shown(known)} on until now; name a period within it"
                )
            if await self._seats_misgiven():
                await self._take_the_lead()
                await self._catch_up()
                await self._apply()
            try:
                await self._fit(begin, end, why)
            except ValueError as error:
                raise BadInput(f"{error}; name a longer period") from error

    async def declare_maintenance(self, begin: int, end: int, why: str, *, past: bool = False) -> None:
        """Mute alerts from ``begin`` to ``end``, and leave these hours out of the signals.

        Raises BadInput where that is too long, or begins more than a day back unless ``past``.
        """
        now = self.clock()
        decisions.check_window(begin, end, now, past=past)
        await self.database.write(partial(decisions.record_maintenance, begin=begin, end=end, why=why, now=now))
        await self._read_windows()

    async def end_maintenance(self, number: int) -> bool:
        """End a window now; return whether there is such a one that was not over."""
        ended = await self.database.write(partial(decisions.end_maintenance, number=number, now=self.clock()))
        await self._read_windows()
        return ended

    async def withdraw_maintenance(self, number: int, why: str) -> bool:
        """Let a window's hours count again; return whether there is such a one that counted for nothing."""
        withdraw = partial(decisions.withdraw_maintenance, number=number, why=why, now=self.clock())
        withdrawn = await self.database.write(withdraw)
        await self._read_windows()
        return withdrawn

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
        astray = self.account.was_ahead(self.clock())
        if astray:
            LOG.warning("the clock was more than a week ahead, and has been set right")
        if astray or not self._whole or self.feed.torn or self.tracker.generation != in_force:
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
        self.account = Account(self.codebook, await self._seated(connection))
        self.computation = Computation(self.account)
        # Within the transaction: the first intake after it must find what it tells the account to.
        self.tracker.begin(self.account.values, bound, generation)
        self._whole, self.feed.torn, self._checked_at = True, False, 0

    async def _seated(self, connection: AsyncConnection) -> tuple[str, ...]:
        """Return the segments that should have signals: those that the reference tests, and the commonest."""
        names = self.codebook.promise.segments
        texts = await store.recent_attributes(connection, LOOKED_AT)
        return most_frequent(names, texts, tested(self.reference, names))

    async def _seats_misgiven(self) -> bool:
        """Return whether others than those that should have signals do: whoever came first, when little was known."""
        async with self.database.reading() as connection:
            return not set(await self._seated(connection)) <= set(self.account.segments)

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
        """See to it that there is a reference, and that it is one of these stages and segments.

        What of it stays true stays in force: a new segment needs no fit, and where the stages have changed but the
        period lies too far back to be fitted anew, the others are judged as before.
        """
        scope, reference = self.account.scope, self.reference
        if reference is not None and fits(reference, scope):
            return
        if reference is not None and not outdated(reference, scope):
            self.reference = carried(reference, scope)
        elif not await self._fitted_anew(scope, now) and reference is not None:
            self.reference = carried(reference, scope)
            kept = stage_places(reference, scope) != NOWHERE
            told = (", ".join(np.array(scope.stages)[which].tolist()) or "none" for which in (kept, ~kept))
            LOG.warning("stages that are judged as before: %s; without a reference: %s", *told)

    async def _fitted_anew(self, scope: Scope, now: int) -> bool:
        """Fit a reference to the period decided last, or to the first one; return whether that could be had."""
        period, why = self.decided, CHANGED_REASON
        if period is None:
            within_us = filling_us(self.codebook)
            period, why = first_period(self.account.ledger, within_us, now, scope, self.muted), FIRST_REASON
            if period is not None and self.account.changed_from < period[1]:
                return False  # it still comes in, and would be frozen unfinished
            if period is not None and not self._reseated and await self._seats_misgiven():
                # The next turn reads all anew, with the seats given by then to the commonest.
                self._reseated, self._whole = True, False
                return False
        if period is None:
            return False
        if period[0] < self.account.counted_from:
            if self._too_old != period:
                self._too_old = period
                LOG.warning(
                    "no new reference: what happened from %s on is not counted any more; decide anew", shown(period[0])
                )
            return False
        try:
            await self._fit(*period, why)
        except ValueError as error:
            LOG.warning("no new reference: %s", error)
            return False
        return True

    async def _fit(self, begin: int, end: int, why: str) -> None:
        ledger, scope, muted = self.account.ledger, self.account.scope, self.muted
        silent = await asyncio.to_thread(silences, ledger, begin, end, scope, muted)
        for start, stop in silent:
            LOG.warning("nothing was heard from %s to %s: the reference leaves it out", shown(start), shown(stop))
        reference = await asyncio.to_thread(fit, ledger, begin, end, scope, (*muted, *silent))
        await self.database.write(partial(decisions.record_reference, reference=reference, why=why, now=self.clock()))
        self.reference, self.decided = reference, (begin, end)
        LOG.info("the stages are judged against %s to %s: %s", shown(begin), shown(end), why)


async def _decided_last(connection: AsyncConnection) -> tuple[int, int] | None:
    found = await decisions.references(connection)
    return (found[0].begin, found[0].end) if found else None
