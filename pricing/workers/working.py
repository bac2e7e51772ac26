"""A worker: one light child and one heavy one, of which one computes at a time, by the fair choice of class.

Light work runs to its end, which is near. Heavy work runs in slices of at most a second: after each the choice is made
anew, and while another class has its turn the heavy child is stopped where it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from pricing.messages import PriceClass
from pricing.workers import claims
from pricing.workers.running import Run

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from pricing.workers.bench import Bench
    from pricing.workers.scheduling import Fair
    from pricing.workers.tools import Tools

LOG: Final = logging.getLogger("touchstone.pricing")
SLICE_S: Final = 1.0
PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 10.0
OLD_S: Final = 24 * 3_600


class Worker:
    """Claims work and does it, until stopped. ``name`` tells it from all others."""

    def __init__(self, name: str, tools: Tools, light: Bench, heavy: Bench, fair: Fair) -> None:
        self.name, self.tools, self.fair = name, tools, fair
        self._light, self._heavy = light, heavy
        self._slow: Run | None = None
        self._runs: dict[Run, asyncio.Task[None]] = {}
        self._working: asyncio.Task[None] | None = None
        self._asides: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin."""
        self._warm(self._heavy)
        self._warm(self._light)
        # Of a day ago: no calculation lasts as long.
        self._aside(self._light.sweep(self.tools.clock().timestamp() - OLD_S))
        self._working = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Let go of the work at hand, which others take up, and end the children."""
        tasks = [*self._asides, *([self._working] if self._working else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # A child that is stopped cannot be told anything.
        self._heavy.child.resume()
        for run in list(self._runs):
            await self._let_go(run)
        self._working, self._slow = None, None
        self._runs.clear()
        for bench in (self._light, self._heavy):
            await bench.child.close()

    async def _work(self) -> None:
        failures = 0
        while True:
            try:
                busy = await self.turn()
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing is lost and the loop goes on
                failures += 1
                if failures & (failures - 1) == 0:  # said at first, and less and less often
                    LOG.warning("the worker pauses: %s: %s", type(error).__name__, error)
                await asyncio.sleep(min(PAUSE_S * (1 << min(failures, 10)), LONGEST_PAUSE_S))
                continue
            failures = 0
            await asyncio.sleep(0 if busy else PAUSE_S)

    async def turn(self) -> bool:
        """Make one choice and follow it: light work to its end, heavy for a slice; return whether there was any."""
        waiting = set(await self.tools.glance(partial(claims.waiting, now=self.tools.now())))
        if self._slow is not None:
            waiting.add(PriceClass.HEAVY)
        while waiting:
            chosen = self.fair.next(waiting)
            if chosen is PriceClass.HEAVY and self._slow is not None:
                await self._slice(self._slow)
                return True
            run = await self._claimed(chosen)
            if run is None:  # another worker was faster
                waiting.discard(chosen)
                continue
            if chosen is PriceClass.HEAVY:
                self._slow = run
                await self._slice(run)
            else:
                await self._quick(run, chosen)
            return True
        return False

    async def _claimed(self, chosen: PriceClass) -> Run | None:
        work = partial(claims.claim, price_class=chosen, now=self.tools.now(), worker=self.name)
        claiming = asyncio.create_task(self.tools.database.write(work))
        try:
            claim = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            # It may have been taken already, and would be missed for as long as its lease lasts.
            with contextlib.suppress(Exception):
                if (taken := await claiming) is not None:
                    await self.tools.database.write(partial(claims.put_back, claim=taken, due_at=self.tools.now()))
            raise
        if claim is None:
            return None
        if claim.taken_over:
            self.tools.metrics.lease_lost()
        bench = self._heavy if chosen is PriceClass.HEAVY else self._light
        run = Run(claim, bench, self.tools)
        self._runs[run] = asyncio.create_task(run.go())
        return run

    async def _slice(self, run: Run) -> None:
        """Let heavy work run for a slice. It runs on until another class is chosen."""
        run.bench.child.resume()
        began = _now()
        task = self._runs[run]
        await asyncio.wait({task}, timeout=SLICE_S)
        self.fair.used(PriceClass.HEAVY, _now() - began)
        if task.done():
            self._slow = None
            self._end(run)

    async def _quick(self, run: Run, chosen: PriceClass) -> None:
        """Let light work run to its end, or until it turns out to be heavy."""
        if self._slow is not None:
            self._slow.bench.child.pause()
        began = _now()
        task = self._runs[run]
        corrected = asyncio.create_task(run.corrected.wait())
        try:
            await asyncio.wait({task, corrected}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            corrected.cancel()
        self.fair.used(chosen, _now() - began)
        if task.done():
            self._end(run)
        elif self._slow is None:
            # The child that has it goes on as the heavy one; the other one takes the next light work.
            self._light, self._heavy, self._slow = self._heavy, self._light, run
            await run.correct()
        else:
            await self._let_go(run)
            self._end(run)

    async def _let_go(self, run: Run) -> None:
        """Stop a run, and give its work back at once."""
        task = self._runs[run]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            return
        try:
            await run.put_back(price_class=PriceClass.HEAVY if run.corrected.is_set() else None)
        except Exception as error:  # noqa: BLE001 - then its lease runs out
            LOG.warning("work could not be given back: %s: %s", type(error).__name__, error)

    def _warm(self, bench: Bench) -> None:
        """Have a child that has just ended replaced before it is needed."""
        self._aside(bench.warm())

    def _aside(self, job: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(job)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    def _end(self, run: Run) -> None:
        task = self._runs.pop(run)
        self._warm(run.bench)
        if not task.cancelled() and (error := task.exception()) is not None:
            # What could not be stored is done again when the lease is over.
            LOG.warning("work could not be stored: %s: %s", type(error).__name__, error)


def _now() -> float:
    return asyncio.get_running_loop().time()
