"""The manufacturing system under test: its app without a network, a still clock, and the rest of the house."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import httpx
import stamina

from pricing.messages import (
    PRICE_CALCULATED,
    PRICE_PROGRESSED,
    PRICE_REFUSED,
    PriceCalculated,
    PriceClass,
    PriceProgressed,
    PriceRefused,
)
from services.auth import Access, AuthSettings, DemoIssuer, FixedKeys, Person, Role, StaffVerifier
from services.bus import BUS_MIGRATIONS, Bus, Database, EmbeddedTransport, Message, read, settle
from services.contract import CRM, ORDER_REQUOTE, PRICING, SHOP, STATUS_CHANGED, OrderFacts, Status, StatusChanged
from services.mes.app import Service, create_app, create_service
from services.mes.settings import Settings
from services.mes.vendor.access import KEY_HEADER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from fastapi import FastAPI
    from sqlalchemy.ext.asyncio import AsyncConnection

START: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
ORDER: Final = "4711"
KEY: Final = "test key"
LEAD: Final = "mara"
RING_MAKER: Final = "jonas"
_PEOPLE: Final = {
    "mara": Role.OPERATOR,
    "jonas": Role.OPERATOR,
    "ines": Role.OPERATOR,
    "pavel": Role.OPERATOR,
    "nobody": Role.OPERATOR,
    "sofia": Role.SALES,
    "riku": Role.SRE,
    "elena": Role.EXECUTIVE,
    "collector": Role.SERVICE,
}


ANSWERS: Final[dict[str, type[PriceProgressed | PriceCalculated | PriceRefused]]] = {
    PRICE_PROGRESSED: PriceProgressed,
    PRICE_CALCULATED: PriceCalculated,
    PRICE_REFUSED: PriceRefused,
}


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Return the present moment."""
        return self.now

    def advance(self, **duration: float) -> None:
        """Let time pass."""
        self.now += timedelta(**duration)


class Wire(httpx.AsyncBaseTransport):
    """The way from the adapter to the vendor: into the same app, unless it is cut."""

    def __init__(self) -> None:
        self.app: FastAPI | None = None
        self.cut = False
        self.calls: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request."""
        if self.cut or self.app is None:
            raise httpx.ConnectError("the wire is cut")
        self.calls.append(f"{request.method} {request.url.path}")
        return await httpx.ASGITransport(self.app).handle_async_request(request)


@dataclass
class Room:
    """The service, a client of it, and the shop and the CRM around it."""

    service: Service
    app: FastAPI
    client: httpx.AsyncClient
    clock: Any
    wire: Wire
    issuer: DemoIssuer
    houses: dict[str, Bus]
    heard: list[Message] = field(default_factory=list)
    asked: list[tuple[str, Message]] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: count(1))

    def as_(self, person: str) -> dict[str, str]:
        """Return the headers of somebody who has signed in."""
        token = self.issuer.issue(Person(person, person.title(), frozenset({_PEOPLE[person]})))
        return {"authorization": f"Bearer {token}"}

    async def get(self, path: str, person: str, **query: Any) -> Any:
        """Return the JSON at a path."""
        answer = await self.client.get(path, params=query, headers=self.as_(person))
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    async def post(self, path: str, person: str, body: Any = None) -> httpx.Response:
        """Send JSON."""
        return await self.client.post(path, json=body, headers=self.as_(person))

    async def vendor(self, path: str, body: Any = None, **query: Any) -> Any:
        """Ask the vendor's API."""
        headers = {KEY_HEADER: KEY}
        if body is None:
            answer = await self.client.get(path, params=query, headers=headers)
        else:
            answer = await self.client.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def say(self, source: str, status: Status, order: str = ORDER, **facts: Any) -> Message:
        """Let the shop or the CRM say a status of an order."""
        known = OrderFacts(**{"channel": "shop", "product": "ring", "promised_at": START + timedelta(days=21), **facts})
        data = StatusChanged(status=status, order=known).document()
        bus = self.houses[source]
        message: Message = await bus.database.write(
            lambda connection: bus.publish(connection, STATUS_CHANGED, order, data)
        )
        return message

    async def ask_requote(self, order: str = ORDER, model: str | None = None) -> Message:
        """Let the CRM ask for a new quote."""
        bus = self.houses[CRM]
        data = {} if model is None else {"model": model}
        message: Message = await bus.database.write(
            lambda connection: bus.send(connection, "mes", ORDER_REQUOTE, order, data)
        )
        return message

    def request_of(self, order: str = ORDER) -> str:
        """Return the last request for an order's price that came to the workers."""
        return [message.id for _, message in self.asked if message.subject == order][-1]

    def answer(self, kind: str, order: str = ORDER, **said: Any) -> Message:
        """Return an answer of the workers to their last request about an order: begun and done now, if not said."""
        now = self.clock()
        facts = {"request": self.request_of(order) if self.asked else "none", "begun_at": now, "done_at": now, **said}
        if kind == PRICE_CALCULATED:
            usual = {"amount": "412.50", "currency": "EUR", "valid_until": now + timedelta(days=14)}
            facts = {**usual, "production_s": 86_400, "castable": True, "materials": "0123456789ab", **facts}
        document = ANSWERS[kind].model_validate(facts).document()
        return Message(f"answer-{next(self.numbers)}", PRICING, kind, order, now, document)

    async def work(self, *answers: Message) -> None:
        """Let the workers' answers arrive, and everything happen that is due then."""
        received = await self.service.bus.receive([message.to_json() for message in answers])
        assert (received.failed, received.died, received.unreadable) == (0, 0, 0)
        await self.turn()

    async def deliver(self) -> None:
        """Carry all messages to where they go."""
        await settle(self.service.bus, *self.houses.values())

    async def turn(self) -> None:
        """Let everything happen that is due now."""
        busy = True
        while busy:
            await self.deliver()
            await self.service.asking.step()
            called = await self.service.caller.step()
            calculated = await self.service.calculation.step()
            with contextlib.suppress(Exception):
                await self.service.follower.step()
            await self.deliver()
            busy = called or calculated

    async def priced(self, order: str = ORDER, **facts: Any) -> None:
        """Bring an order to where it has a price."""
        await self.say(SHOP, Status.SUBMITTED, order, **facts)
        await self.turn()
        self.clock.advance(minutes=10)
        await self.turn()

    async def released(self, order: str = ORDER, **facts: Any) -> None:
        """Bring an order into the workshop."""
        await self.priced(order, **facts)
        await self.say(CRM, Status.MANUFACTURING_APPROVED, order, **facts)
        await self.turn()

    def said(self, order: str = ORDER) -> list[str]:
        """Return the statuses that this system has told the others about an order."""
        return [message.data["status"] for message in self.heard if message.subject == order]


def settings(folder: Path, **changed: Any) -> Settings:
    """Return settings of a service that keeps its files in a folder, and does nothing by itself."""
    return Settings(
        **{
            "database": f"sqlite+aiosqlite:///{folder / 'mes.db'}",
            "vendor_key": KEY,
            "vendor_latency": 0,
            "vendor_url": "http://vendor",
            "tasks": False,
            "relay": False,
            "pricing": "vendor",
            **changed,
        }
    )


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    clock: Clock | Callable[[], datetime] | None = None,
    *,
    network: bool = False,
    auth: AuthSettings | None = None,
    **changed: Any,
) -> AsyncIterator[Room]:
    """Run the service, with a shop and a CRM that only talk and listen.

    ``network``: the adapter reaches the vendor through it, and the caller serves the app there. ``auth``: the issuer
    that people sign in at; one without a network if left out.
    """
    clock, wire, transport = clock or Clock(), Wire(), EmbeddedTransport()
    configured = settings(folder, **changed)
    way = None if network else wire
    service = create_service(configured, transport, clock, auth=auth, vendor_transport=way, chance=lambda: 0.5)
    issuer = DemoIssuer(clock=clock)
    if auth is None:
        service.access = Access(StaffVerifier(issuer.url, issuer.audience, FixedKeys(issuer.jwks), clock))
    wire.app = app = create_app(configured, service)
    houses: dict[str, Bus] = {}
    room = Room(service, app, httpx.AsyncClient(), clock, wire, issuer, houses)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(stamina.set_testing(True, attempts=1))
        for price_class in PriceClass:
            transport.work({price_class.queue: 1}, partial(_ask, room, price_class.queue), "pricing")
        for source in (SHOP, CRM):
            database = Database(f"sqlite+aiosqlite:///{folder / source.strip('/')}.db", BUS_MIGRATIONS)
            listens = {STATUS_CHANGED: partial(_hear, room)} if source == CRM else None
            houses[source] = Bus(database, transport, source=source, handlers=listens, clock=clock)
            stack.push_async_callback(database.close)
            await database.start()
        await stack.enter_async_context(app.router.lifespan_context(app))
        await room.client.aclose()
        own = httpx.ASGITransport(app, raise_app_exceptions=False)
        room.client = await stack.enter_async_context(httpx.AsyncClient(transport=own, base_url="http://mes"))
        yield room


async def _ask(room: Room, queue: str, bodies: Sequence[bytes]) -> None:
    room.asked += [(queue, read(body)) for body in bodies]


async def _hear(room: Room, _connection: AsyncConnection, message: Message) -> None:
    if message.source == "/mes":
        room.heard.append(message)
