"""A desk under test: its app without a network, a clock that stands still, and what shop and workshop say to it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import httpx
from sqlalchemy import text

from services.auth import AuthSettings, DemoIssuer, Person, Role
from services.bus import EmbeddedTransport, Handler, Message, read, settle
from services.contract import OWNER, SHOP, STATUS_CHANGED, Money, OrderFacts, Status, StatusChanged
from services.crm.app import Service, create_app, create_service
from services.crm.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from fastapi import FastAPI

START: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
SOFIA: Final = Person("sofia", "Sofia Marin", frozenset({Role.SALES}))
TOMAS: Final = Person("tomas", "Tomas Berg", frozenset({Role.SALES}))
RIKU: Final = Person("riku", "Riku Aalto", frozenset({Role.SRE}))
MARA: Final = Person("mara", "Mara Lindt", frozenset({Role.OPERATOR}))
MACHINE: Final = Person("collector", "collector", frozenset({Role.SERVICE}), "service")
FACTS: Final = OrderFacts(
    channel="web",
    product="ring",
    customer="c-1",
    customer_name="Ada Byron",
    item="band-4",
    promised_at=START + timedelta(days=21),
)


class Clock:
    """A clock that moves only when told."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the present moment."""
        return self.now

    def pass_by(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)


@dataclass
class Desk:
    """A running desk, a client of it, and the messages that others would send."""

    app: FastAPI
    service: Service
    client: httpx.AsyncClient
    clock: Clock
    issuer: DemoIssuer
    sent: list[Message]
    sequences: dict[tuple[str, str], int] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: count(1))

    def event(
        self, order: str, status: Status, *, facts: OrderFacts = FACTS, at: datetime | None = None, **said: Any
    ) -> Message:
        """Return the next event of the status's owner about an order; now, unless ``at`` says when."""
        source = OWNER[status]
        sequence = self.sequences[order, source] = self.sequences.get((order, source), 0) + 1
        data = StatusChanged(status=status, order=facts, **said).document()
        return Message(f"{order}{source}/{sequence}", source, STATUS_CHANGED, order, at or self.clock(), data, sequence)

    def command(self, message_type: str, order: str, data: Mapping[str, Any]) -> Message:
        """Return a command of the shop."""
        return Message(f"command-{next(self._numbers)}", SHOP, message_type, order, self.clock(), dict(data))

    async def hear(self, *messages: Message) -> None:
        """Let the desk's inbox take in messages, and what it says of them go out."""
        await self.service.bus.receive([message.to_json() for message in messages])
        await settle(self.service.bus)

    async def priced(
        self, order: str, amount: str = "412.50", currency: str = "EUR", *, facts: OrderFacts = FACTS, days: float = 14
    ) -> None:
        """Have an order submitted and priced; the quote is valid for some days."""
        price = Money.model_validate({"amount": amount, "currency": currency})
        valid_until = self.clock() + timedelta(days=days)
        if (order, SHOP) not in self.sequences:
            await self.hear(self.event(order, Status.INITIATED, facts=facts))
            await self.hear(self.event(order, Status.SUBMITTED, facts=facts))
        event = self.event(order, Status.PRICE_CALCULATED, facts=facts, price=price, valid_until=valid_until)
        await self.hear(event)

    async def walk(self, order: str, *statuses: Status) -> None:
        """Have the owners of some statuses say them, an hour apart."""
        for status in statuses:
            self.clock.pass_by(hours=1)
            await self.hear(self.event(order, status))

    def token(self, person: Person = SOFIA) -> dict[str, str]:
        """Return the headers of somebody who has signed in."""
        return {"Authorization": f"Bearer {self.issuer.issue(person)}"}

    async def get(self, path: str, person: Person = SOFIA, **query: Any) -> Any:
        """Return the JSON at a path."""
        answer = await self.client.get(path, params=query, headers=self.token(person))
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    async def post(self, path: str, person: Person = SOFIA, /, **body: str) -> httpx.Response:
        """Send a decision."""
        return await self.client.post(path, json=body, headers=self.token(person))

    async def order(self, order: str) -> Any:
        """Return an order's file."""
        return await self.get(f"/orders/{order}")

    async def good(self, customer: str = "c-1", standing: str = "good") -> None:
        """Put a customer in good (or another) standing."""
        body = {"standing": standing, "reason": "as the test wants it"}
        answer = await self.client.put(f"/customers/{customer}/standing", json=body, headers=self.token())
        assert answer.status_code == httpx.codes.OK, answer.text

    async def handle(self, handler: Handler, message: Message) -> None:
        """Run a handler in a transaction of its own, past the inbox."""
        await self.service.database.write(lambda connection: handler(connection, message))

    async def execute(self, statement: str) -> None:
        """Run a statement on the desk's database."""
        await self.service.database.write(lambda connection: connection.execute(text(statement)))

    def said(self, order: str) -> list[str]:
        """Return the statuses that the desk has told the world of an order."""
        return [m.data["status"] for m in self.sent if m.subject == order and m.type == STATUS_CHANGED]


def settings(folder: Path, **changed: Any) -> Settings:
    """Return settings of a desk that keeps its files in a folder, and sweeps when told."""
    address = f"sqlite+aiosqlite:///{folder / 'crm.db'}"
    return Settings(**{"database": address, "relay": False, "sweep_seconds": 3_600, **changed})


@contextlib.asynccontextmanager
async def running(configured: Settings, clock: Clock | None = None) -> AsyncIterator[Desk]:
    """Run a desk whose issuer of tokens is at hand, and which says what it says to a list."""
    clock = clock or Clock()
    issuer = DemoIssuer(clock=clock)
    auth = AuthSettings(issuer=issuer.url, jwks_url=f"{issuer.url}/jwks.json")
    keys = httpx.MockTransport(lambda _: httpx.Response(httpx.codes.OK, json=issuer.jwks))
    transport = EmbeddedTransport()
    sent: list[Message] = []

    async def collect(bodies: Any) -> None:
        sent.extend(read(body) for body in bodies)

    transport.consume("world", collect)
    transport.work({"mes": 1}, collect, "mes")
    ids = (f"crm-{number}" for number in count(1))
    service = create_service(configured, transport, clock, lambda: next(ids), auth, httpx.AsyncClient(transport=keys))
    app = create_app(configured, service)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://crm") as client,
    ):
        yield Desk(app, service, client, clock, issuer, sent)
