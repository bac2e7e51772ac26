"""Trouble to order: what can be made to go wrong in the demo, each by honest means."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import httpx

from instrumentation.errors import BadInput
from services.bus import EmbeddedTransport, Message, Outgoing, Unreadable, read
from services.contract import SHOP, STATUS_CHANGED
from services.demo.house import Pace
from services.demo.people import MANAGERS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus.transport import Receive
    from services.demo.house import House

# Of how many orders one is lost; of how many windows a message may be late.
ONE_IN: Final = 3
LATE_SHARE: Final = 0.3
POISON_AFTER_S: Final = 5.0
ABSENT: Final = "jonas"
POISONED: Final = "POISONED-1"


class Doubling(EmbeddedTransport):
    """Delivers everything twice."""

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Deliver once, and once more."""
        await super().publish(messages)
        return await super().publish(messages)


class Shuffling(EmbeddedTransport):
    """Delivers in a random order, and some messages only at a later try."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Deliver most, in no order; what is not confirmed stays in the outbox, and comes again."""
        places = [place for place in range(len(messages)) if self._rng.random() >= LATE_SHARE]
        self._rng.shuffle(places)
        confirmed = await super().publish([messages[place] for place in places])
        return {places[place] for place in confirmed}


class Losing(EmbeddedTransport):
    """Says that everything arrived, and withholds all that the shop says of one order in three from the MES.

    What is asked for once more, by a replay, passes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lost: dict[str, str] = {}  # ids of messages, and their orders

    def consume(self, consumer: str, receive: Receive, queues: int = 1) -> None:
        """Hear every event but those that get lost."""

        async def most(bodies: Sequence[bytes]) -> object:
            return await receive([body for body in bodies if not self._loses(body)])

        super().consume(consumer, most if consumer == "mes" else receive, queues)

    def _loses(self, body: bytes) -> bool:
        try:
            message = read(body)
        except Unreadable:
            return False
        if message.source != SHOP or zlib.crc32(message.subject.encode()) % ONE_IN or message.id in self.lost:
            return False
        self.lost[message.id] = message.subject
        return True


class Refusing(httpx.AsyncBaseTransport):
    """A network on whose other side nobody listens."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Refuse the connection."""
        raise httpx.ConnectError("connection refused", request=request)


async def poison(house: House) -> None:
    """Let the shop say, after a while, that an order is in a status that nobody knows."""
    await asyncio.sleep(POISON_AFTER_S)
    said = {"status": "MELTED", "previous": None, "order": {"channel": "online", "product": "ring"}}

    async def work(connection: AsyncConnection) -> Message:
        return await house.shop.bus.publish(connection, STATUS_CHANGED, POISONED, said)

    await house.shop.database.write(work)


async def nothing(_house: House) -> None:
    """Leave the house alone."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong: by another transport, another pace, another network, people who stay away, or a deed."""

    says: str
    transport: Callable[[random.Random], EmbeddedTransport] = lambda _rng: EmbeddedTransport()
    pace: Pace = field(default_factory=Pace)
    network: Callable[[], httpx.AsyncBaseTransport | None] = lambda: None
    away: frozenset[str] = frozenset()
    deed: Callable[[House], Any] = nothing


NONE: Final = Fault("nothing goes wrong")
FAULTS: Final[dict[str, Fault]] = {
    "approvals-stopped": Fault("the sales managers stay away; orders pile up on the desk", away=frozenset(MANAGERS)),
    "mes-down": Fault("the vendor's API refuses connections; the adapter's calls wait", network=Refusing),
    "pricing-slow": Fault(
        "prices come from the vendor, not from workers: a minute and more for each, and a queue grows",
        pace=replace(Pace(), pricing="vendor", pricing_seconds=60.0),
    ),
    "operator-absent": Fault(
        "Jonas does not come to work; what lies on his bench stays there", away=frozenset({ABSENT})
    ),
    "messages-doubled": Fault("the bus delivers every message twice", transport=lambda _rng: Doubling()),
    "messages-shuffled": Fault("the bus delivers in no order, and late", transport=Shuffling),
    "messages-lost": Fault(
        "the MES never gets what the shop says of one order in three; `touchstone reconcile` finds them",
        transport=lambda _rng: Losing(),
    ),
    "poison-message": Fault("an event of an unknown status; it ends among the dead letters", deed=poison),
}


def fault_of(name: str | None) -> Fault:
    """Return a fault by its name, no fault without one. Raises BadInput, which lists those that there are."""
    if name is None:
        return NONE
    if name not in FAULTS:
        raise BadInput(f"--fault: there is no `{name}`; choose one of: {', '.join(FAULTS)}")
    return FAULTS[name]


def listed() -> str:
    """Return every fault's name with what it does, one a line."""
    width = max(map(len, FAULTS))
    return "\n".join(f"{name:{width}}  {fault.says}" for name, fault in FAULTS.items())
