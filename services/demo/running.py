"""The demo: a house with six weeks behind it opens, people come and go in it, and somebody watches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import shlex
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from services.bus import Message, held
from services.demo.actors import Tempo, World
from services.demo.customers import Customers
from services.demo.faults import NONE, Fault
from services.demo.ground import alone, free_ports, logging_to
from services.demo.house import HOST, PORTS, House
from services.demo.loading import load
from services.demo.past import Model, Past, Teller
from services.demo.people import MANAGERS, OPERATORS, buyers
from services.demo.rings import design
from services.demo.showing import places, summary
from services.demo.staff import Manager, Worker

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    import httpx

LOG: Final = logging.getLogger("touchstone.demo")
FOLDER: Final = Path("build/demo")
PEOPLE: Final = 60
MODELS: Final = 24
# What six weeks leave lies on four benches: more than the workshop's own settings would let lie there.
BENCH: Final = 60
SECRET: Final = "only for the demo"  # noqa: S105 - the issuer beside it lets anybody in, on loopback


class Watcher(Protocol):
    """Who watches the house: simulates what it was like, reports on it, and collects what happens.

    ``secret_env``: the environment variable that holds the secret with which it signs in to the services.
    """

    secret_env: str

    def simulate(self, seed: int, now: datetime) -> list[dict[str, Any]]:
        """Return the past of such a house: status events in the order of time, as CloudEvents."""

    def report(self, said: Sequence[Message], folder: Path) -> str:
        """Write a report of the past into ``report.html``; return its headline."""

    def collecting(self, house: House, port: int, said: Sequence[Message]) -> AbstractAsyncContextManager[None]:
        """Hear what the house's services say, from now on; the past is told at once."""

    async def heard(self) -> int:
        """Return how many events were heard."""


@dataclass(frozen=True)
class Plan:
    """One run. ``lasting``: zero for until stopped; ``port``: of the collector; ``ports``: of the services.

    A port that is taken gives way to the next one that is free.
    """

    lasting: timedelta = timedelta()
    seed: int = 7
    port: int = 8321
    ports: Mapping[str, int] = field(default_factory=lambda: PORTS)
    fault: Fault = NONE
    tempo: Tempo = field(default_factory=Tempo)
    folder: Path = FOLDER


@dataclass
class Demo:
    """A house, and those who act in it. ``say`` shows a line to whoever started it."""

    plan: Plan
    watcher: Watcher
    say: Callable[[str], Any]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.rng = random.Random(self.plan.seed)  # noqa: S311 - the same seed gives the same demo; nothing is secret
        self.designs = np.random.default_rng(self.plan.seed)
        wanted = {"collector": self.plan.port, **self.plan.ports}
        ports = dict(zip(wanted, free_ports(list(wanted.values())), strict=True))
        self.port = ports.pop("collector")
        fault = self.plan.fault
        self.house = House(
            self.plan.folder,
            ports,
            pace=fault.pace,
            transport=fault.transport(random.Random(self.plan.seed)),  # noqa: S311 - as above
            secret=SECRET,
            bench=BENCH,
            vendor_network=fault.network(),
        )
        self.world = World({name: self.house.address(name) for name in ports}, self.rng, self.now, self.plan.tempo)

    def past(self) -> Past:
        """Return the six weeks before, as the services would have told them."""
        models = [Model.of(design(self.designs).stl()) for _ in range(MODELS)]
        teller = Teller(self.rng, buyers(self.rng, PEOPLE), models)
        return teller.tell(self.watcher.simulate(self.plan.seed, self.now), self.now)

    @contextlib.asynccontextmanager
    async def open(self, past: Past) -> AsyncIterator[None]:
        """Open the house with a past, and have it watched."""
        await load(self.house, past)
        async with self.watcher.collecting(self.house, self.port, past.messages), self.house.open():
            yield

    @contextlib.asynccontextmanager
    async def acting(self, past: Past) -> AsyncIterator[None]:
        """Let people act for as long as the block lasts."""
        runs = [Customers(self.world, past.buyers, self.designs).run(), self.plan.fault.deed(self.house)]
        away = self.plan.fault.away
        runs += [Manager(self.world, name, self._desk(name)).run() for name in MANAGERS if name not in away]
        runs += [Worker(self.world, name, self._bench(name)).run() for name in OPERATORS if name not in away]
        tasks = [asyncio.create_task(run) for run in runs]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception):
                    LOG.error("somebody stopped acting", exc_info=ended)

    def _desk(self, name: str) -> httpx.AsyncClient:
        return self.world.client("crm", self.house.token(name))

    def _bench(self, name: str) -> httpx.AsyncClient:
        return self.world.client("mes", self.house.token(name))

    def write_environment(self) -> None:
        """Write what the command line needs to look at this house from another terminal, for a shell to read."""
        values = {
            "TOUCHSTONE_COLLECTOR": f"http://{HOST}:{self.port}",
            "TOUCHSTONE_SYSTEMS": str((self.plan.folder / "systems.yaml").resolve()),
            "TOUCHSTONE_SERVICE": self.house.address("crm"),
            "TOUCHSTONE_OIDC_ISSUER": self.house.issuer.url,
            "TOUCHSTONE_OIDC_CLIENT_SECRET": SECRET,
            self.watcher.secret_env: SECRET,
        }
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in values.items()]
        file = self.plan.folder / "env"
        file.touch(mode=0o600)  # it holds a secret
        file.write_text("".join(lines), encoding="utf-8")

    async def dead_letters(self) -> int:
        """Return how many messages lie among the dead letters of all services."""
        found = 0
        for service in (self.house.shop, self.house.crm, self.house.mes, self.house.pricing):
            async with service.database.reading() as connection:
                found += (await held.waiting(connection, service.bus.consumer, 0)).dead
        return found


def run_demo(plan: Plan, watcher: Watcher, say: Callable[[str], Any]) -> None:
    """Run the demo until its time is over, or it is told to stop (SIGINT, SIGTERM).

    Raises BadInput where another one runs, TouchstoneError where a part does not start.
    """
    with alone(plan.folder), logging_to(plan.folder / "demo.log") as counts:
        asyncio.run(_run(Demo(plan, watcher, say), counts))


async def _run(demo: Demo, counts: Counter[str]) -> None:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    say, plan = demo.say, demo.plan
    say("Six weeks of a jewellery maker, approval slowed from week three ...")
    past = demo.past()
    if await _is_set(told):
        return
    say(f"\n{demo.watcher.report(past.messages, plan.folder)}\n")
    if await _is_set(told):
        return
    say(f"Giving {len({one.subject for one in past.messages}):,} orders to shop, CRM, MES and collector ...")
    async with demo.open(past):
        demo.write_environment()
        for line in places(demo, past):
            say(line)
        async with demo.acting(past):
            lasting = plan.lasting.total_seconds() or None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), lasting)
        say(summary(demo.world.tally, await demo.watcher.heard(), await demo.dead_letters(), counts, plan.folder))


async def _is_set(told: asyncio.Event) -> bool:
    """Whether it was told to stop: a signal that came during a long calculation is heard only now."""
    await asyncio.sleep(0.01)
    return told.is_set()
