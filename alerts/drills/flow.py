"""A collector within the drill's process, by the drill's clock, and a simulated house whose events it takes in.

The collector is the live one: events come in by its own HTTP interface, its state is its database, and what its loops
do every few seconds is done at every step of the drill.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson

from alerts.drills.run import Page
from collectors.live.app import create_app, create_service
from collectors.live.settings import Settings
from collectors.promise.reading import DEFAULT_PROMISE
from collectors.simulation import HOUSE, Scenario, cloudevents, simulate
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from alerts.drills.run import Run
    from collectors.live.app import Service
    from collectors.simulation import House, Slowdown

LOG: Final = logging.getLogger("touchstone.drills")
ADDRESS: Final = "collector:8321"
BATCH: Final = 2_000
BATCHED: Final = "application/cloudevents-batch+json"
NEVER_S: Final = 1e6  # loops of the collector wait for the drill's word
SIGNALS_EVERY: Final = timedelta(minutes=8)  # the rarest that is not stale: a turn takes a second of real time
HEALTHY: Final = 84  # days: three weeks until the house is full, eight that it is judged against, and one more
FIRST_TURN_S: Final = 0.1
Event = dict[str, Any]


@dataclass
class Watching:
    """A running collector. ``patience_s``: how long the drill waits for a turn of its loop (None: until it is over)."""

    run: Run
    service: Service
    client: httpx.AsyncClient
    patience_s: float | None = None
    computed: datetime | None = None
    compared: datetime | None = None
    turn: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, run: Run, promise: Path = DEFAULT_PROMISE, systems: Path | None = None, bus: str | None = None
    ) -> Watching:
        """Start one, scraped from now on. ``bus``: the broker that it hears events from, besides what it is told."""
        settings = Settings(
            promise=promise,
            systems=systems,
            bus=bus,
            database=f"sqlite+aiosqlite:///{run.folder / 'collector.db'}",
            picture_seconds=0,
            signals_seconds=NEVER_S,
            watch_seconds=NEVER_S,
        )
        service = create_service(settings, run.clock)
        app = create_app(settings, service)
        await run.stack.enter_async_context(app.router.lifespan_context(app))
        # Its loop's own first turn is over before it hears of anything: a house does not tell its past in one go.
        await asyncio.sleep(FIRST_TURN_S)
        await service.signalling.turn()
        transport = httpx.ASGITransport(app)
        client = httpx.AsyncClient(transport=transport, base_url=f"http://{ADDRESS}", timeout=60)
        watching = cls(run, service, await run.stack.enter_async_context(client))
        run.targets["collector", ADDRESS] = Page(client, "/metrics")
        run.before.append(watching.hurry)
        return watching

    async def hurry(self) -> None:
        """Do what its loops would have done by now; what hangs is left to hang."""
        if self.turn is None:
            self.turn = asyncio.create_task(self._turn())
        done, _ = await asyncio.wait({self.turn}, timeout=self.patience_s)
        if done:
            turn, self.turn = self.turn, None
            try:
                await turn
            except Exception:
                # As its own loops have it: what is not computed now is computed at the next turn.
                LOG.exception("the collector's turn failed")

    async def _turn(self) -> None:
        """Compute the signals, check the invariants, compare systems."""
        now = self.run.clock.now
        if self.computed is None or now - self.computed >= SIGNALS_EVERY:
            await self.service.signalling.turn()
            self.computed = now
        watch = self.service.watch
        await watch.check()
        if watch.systems is not None and (self.compared is None or now - self.compared >= watch.systems.every):
            await watch.reconcile()
            self.compared = now

    async def tell(self, events: Sequence[Event]) -> None:
        """Send it events. Raises TouchstoneError where it refuses them."""
        for first in range(0, len(events), BATCH):
            content = orjson.dumps(events[first : first + BATCH])
            answer = await self.client.post("/events", content=content, headers={"content-type": BATCHED})
            if not answer.is_success:
                raise TouchstoneError(f"the collector refused events: {answer.text}")


def began(run: Run, past: timedelta, days: int, orders_per_day: float, slowdowns: Sequence[Slowdown] = ()) -> Scenario:
    """Return the scenario of a house that began so long before this day's midnight, for so many days in all."""
    start = run.clock.now.replace(hour=0, minute=0, second=0) - past
    return Scenario(days, orders_per_day, seed=run.seed, slowdowns=tuple(slowdowns), start=start)


def as_it_is(event: Event) -> list[Event]:
    """Return an event as it happened."""
    return [event]


@dataclass
class Flow:
    """The events of a simulated house, told as the clock moves. ``fault``: what becomes of an event on its way."""

    run: Run
    watching: Watching
    events: list[Event]
    fault: Callable[[Event], list[Event]] = as_it_is
    held: list[Event] = field(default_factory=list)
    told: int = 0

    @classmethod
    async def open(cls, run: Run, watching: Watching, scenario: Scenario, house: House = HOUSE) -> Flow:
        """Simulate a house, and tell what it did until now."""
        flow = cls(run, watching, list(cloudevents(simulate(scenario, house))))
        await flow.hurry()
        run.before.insert(0, flow.hurry)
        return flow

    def until(self, moment: datetime) -> int:
        """Return how many events have happened by a moment."""
        return bisect_right(self.events, moment, key=lambda event: datetime.fromisoformat(event["time"]))

    async def hurry(self) -> None:
        """Tell what has happened by now."""
        last = self.until(self.run.clock.now)
        happened, self.told = self.events[self.told : last], last
        await self.watching.tell([told for event in happened for told in self.fault(event)])

    def hold(self, event: Event) -> list[Event]:
        """Keep an event back, as a fault."""
        self.held.append(event)
        return []

    async def mend(self) -> None:
        """Let events pass again, those that were held back first."""
        self.fault = as_it_is
        held, self.held = self.held, []
        await self.watching.tell(held)


def moved(event: Event, by: timedelta) -> Event:
    """Return an event whose system's clock is off."""
    return {**event, "time": (datetime.fromisoformat(event["time"]) + by).isoformat()}
