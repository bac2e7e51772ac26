"""The house as drills run it: by a clock that is a file of the drill's, and over a bus that can be broken.

Everything else is as the demo has it. What loops do by themselves every few seconds is hurried at the drill's word.
"""

from __future__ import annotations

import contextlib
import mmap
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI

from instrumentation import FASTAPI_TELEMETRY
from instrumentation.problems import install
from pricing.workers import app as pricing_app
from pricing.workers import store as pricing_store
from services.auth import DemoIssuer
from services.bus import EmbeddedTransport
from services.bus.message import read
from services.crm import app as crm_app
from services.demo.house import CLIENT, House
from services.mes import app as mes_app
from services.mes.vendor.v1 import v1
from services.mes.vendor.v2 import v2
from services.resilience.client import Unreachable
from services.shop import app as shop_app

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from services.bus import Bus, Outgoing
    from services.bus.transport import Receive
    from services.mes.settings import Settings as MesSettings

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
ROUNDS: Final = 3
AT_MOST: Final = 50
COLLECTOR: Final = "collector"
LATE_SHARE: Final = 0.3


def clock_of(path: Path) -> Callable[[], datetime]:
    """Return the clock that eight bytes of a file are: microseconds since 1970 UTC."""
    with path.open("rb") as file:
        shared = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    return lambda: EPOCH + int.from_bytes(shared[:], "little") * MICROSECOND


class Wire(EmbeddedTransport):
    """The bus between the services. ``cut``: nothing passes; ``loses``: whom first words on an order never reach.

    ``lost``: whose words were lost. ``shuffles``: messages come in no order, and some late.
    ``heard``: the events for the collector, who is elsewhere.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cut = False
        self.loses: frozenset[str] = frozenset()
        self.lost: set[str] = set()
        self.shuffles: random.Random | None = None
        self.heard: list[bytes] = []
        self.consume(COLLECTOR, self._collect)

    def consume(self, consumer: str, receive: Receive, queues: int = 1) -> None:
        """Hear every event but those that get lost."""

        async def most(bodies: Sequence[bytes]) -> object:
            return await receive([body for body in bodies if not self._loses(consumer, body)])

        super().consume(consumer, most, queues)

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Deliver, unless the wire is cut."""
        if self.cut:
            raise ConnectionError("the wire is cut")
        if self.shuffles is None:
            return await super().publish(messages)
        # What is not confirmed stays in the outbox, and comes at a later try.
        places = [place for place in range(len(messages)) if self.shuffles.random() >= LATE_SHARE]
        self.shuffles.shuffle(places)
        confirmed = await super().publish([messages[place] for place in places])
        return {places[place] for place in confirmed}

    def _loses(self, consumer: str, body: bytes) -> bool:
        if consumer not in self.loses or not _first(body):
            return False
        self.lost.add(read(body).source)
        return True

    async def _collect(self, bodies: Sequence[bytes]) -> None:
        self.heard += [body for body in bodies if read(body).sequence is not None]


def _first(body: bytes) -> bool:
    """Whether a message is the first that its source says of an order."""
    return read(body).sequence == 1


@dataclass
class DrilledHouse(House):
    """The demo's house by another clock. ``workers``: how many pricing workers there are.

    ``vendor_apart``: the adapter looks for the vendor's API at a port of its own, where whoever opens the house serves
    it (``vendor_app``), and can leave off.
    """

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    workers: int = 1
    vendor_apart: bool = False

    def __post_init__(self) -> None:
        """Put the services together."""
        # A house that is started again knows who has signed in.
        key, machines = self.folder / "issuer.pem", {CLIENT: self.secret}
        self.issuer = DemoIssuer(self.address("issuer"), machines=machines, key_file=key, clock=self.clock)
        self.shop = shop_app.create_service(self._shop(), self.transport, self.clock, auth=self.auth())
        self.crm = crm_app.create_service(self._crm(), self.transport, self.clock, auth=self.auth())
        self.mes = mes_app.create_service(self._mes(), self.transport, self.clock, auth=self.auth())
        settings = self._pricing().model_copy(update={"workers": self.workers})
        self.pricing = pricing_app.create_service(settings, self.transport, self.clock, auth=self.auth())

    def _mes(self) -> MesSettings:
        settings = super()._mes()
        return settings.model_copy(update={"vendor_url": self.address("vendor")}) if self.vendor_apart else settings

    def vendor_app(self) -> FastAPI:
        """Return the vendor's API alone."""
        app = FastAPI(telemetry=FASTAPI_TELEMETRY)
        app.state.vendor = self.mes.front
        install(app)
        for version in (v1, v2):
            app.include_router(version)
        return app

    @property
    def buses(self) -> dict[str, Bus]:
        """Each service's end of the bus."""
        return {"shop": self.shop.bus, "crm": self.crm.bus, "mes": self.mes.bus, "pricing": self.pricing.bus}

    async def hurry(self) -> None:
        """Do what the services' own loops would have done by now: send, try again, and look for the metrics."""
        for _ in range(ROUNDS):
            if not await self._round():
                break
        for bus in self.buses.values():
            await bus.watch.look()
        await self.mes.watch.look()
        tools = self.pricing.tools
        tools.metrics.see(await tools.read(pricing_store.queues), tools.now())

    async def _round(self) -> bool:
        """Let every loop do what is due; return whether there was anything."""
        busy = []
        for step in self.mes.background.steps.values():
            with contextlib.suppress(Unreachable):
                busy.append(await _until_idle(step))
        for bus in self.buses.values():
            with contextlib.suppress(ConnectionError):
                busy.append(await _until_idle(bus.relay.once))
            busy.append((await bus.retry_due()).applied > 0)
        return any(busy)


async def _until_idle(step: Callable[[], Awaitable[Any]]) -> bool:
    """Take a step until it finds nothing to do; return whether it found anything."""
    for taken in range(AT_MOST):
        if not await step():
            return taken > 0
    return True
