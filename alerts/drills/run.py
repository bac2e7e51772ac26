"""A drill under way: the house's clock, who is scraped, and when it was broken and mended."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import httpx

from alerts.drills.clock import Clock
from alerts.drills.evaluating import Grid
from alerts.drills.scrapes import History

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import timedelta
    from pathlib import Path

    from alerts.drills.model import Drill
    from alerts.drills.parts import Parts

BEGIN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday
SEED: Final = 1
SCRAPE_TIMEOUT_S: Final = 3.0  # of real time


class Target(Protocol):
    """Something that shows metrics."""

    async def show(self) -> str:
        """Return its exposition. Raises OSError or httpx.TransportError where nobody answers."""


@dataclass(frozen=True)
class Page:
    """Metrics at an address, by HTTP."""

    client: httpx.AsyncClient
    url: str

    async def show(self) -> str:
        """Return its exposition."""
        answer = await self.client.get(self.url, timeout=SCRAPE_TIMEOUT_S)
        if not answer.is_success:
            raise httpx.TransportError(f"{self.url} answered {answer.status_code}")
        return answer.text


@dataclass
class Run:
    """What a drill plays with. ``before``: what the house's own loops do meanwhile, hurried at every step.

    ``stack`` ends whatever the play starts. ``seed``: of the chances of a simulated flow of orders.
    """

    drill: Drill
    folder: Path
    parts: Parts
    stack: contextlib.AsyncExitStack
    clock: Clock
    seed: int = SEED
    history: History = field(default_factory=History)
    targets: dict[tuple[str, str], Target] = field(default_factory=dict)
    before: list[Callable[[], Awaitable[object]]] = field(default_factory=list)
    begun: datetime | None = None
    mended: datetime | None = None
    first: datetime | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, drill: Drill, folder: Path, parts: Parts, seed: int = SEED) -> AsyncIterator[Run]:
        """Begin; whatever the play starts has ended when this ends."""
        async with contextlib.AsyncExitStack() as stack:
            clock = Clock(folder / "clock", BEGIN)
            stack.callback(clock.close)
            yield cls(drill, folder, parts, stack, clock, seed)

    @property
    def grid(self) -> Grid:
        """The moments that were scraped."""
        if self.first is None:
            raise AssertionError("nothing was scraped")
        return Grid(self.first, self.clock.now, self.drill.step)

    async def client(self) -> httpx.AsyncClient:
        """Return a client that lasts as long as the drill."""
        return await self.stack.enter_async_context(httpx.AsyncClient(trust_env=False))

    async def watch(self, job: str, address: str, path: str = "/metrics") -> None:
        """Scrape host:port from now on."""
        self.targets[job, address] = Page(await self.client(), f"http://{address}{path}")

    async def steps(self, count: int) -> None:
        """Let time pass, scraping at every step."""
        for _ in range(count):
            if self.first is not None:
                self.clock.now += self.drill.step
            for hurry in self.before:
                await hurry()
            await self.scrape()

    async def last(self, time: timedelta) -> None:
        """Let so much time pass."""
        await self.steps(time // self.drill.step)

    async def scrape(self) -> None:
        """Scrape every target now."""
        now = self.clock.now
        self.first = self.first or now
        found = await asyncio.gather(*(_shown(target) for target in self.targets.values()))
        for (job, instance), (exposition, seconds) in zip(self.targets, found, strict=True):
            self.history.scraped(now, job, instance, exposition, seconds)

    @contextlib.asynccontextmanager
    async def broken(self) -> AsyncIterator[None]:
        """Note that the house is broken from now on, and mended at the end."""
        self.begun = self.clock.now
        yield
        self.mended = self.clock.now


async def _shown(target: Target) -> tuple[str | None, float]:
    began = time.perf_counter()
    try:
        shown: str | None = await target.show()
    except (OSError, httpx.TransportError):
        shown = None
    return shown, time.perf_counter() - began
