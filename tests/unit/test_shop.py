"""The shop as a whole: an order from its model to its end; what it publishes about itself; who is let in."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from services.auth.guard import undeclared
from services.auth.issuer import DemoIssuer
from services.auth.issuer_app import create_issuer_app
from services.auth.people import Person, Role
from services.auth.settings import AuthSettings
from services.bus import BUS_MIGRATIONS, Bus, Database, EmbeddedTransport, Message, settle
from services.contract import (
    CRM,
    MES,
    ORDER_ANSWERED,
    ORDER_CANCEL,
    STATUS_CHANGED,
    Money,
    OrderFacts,
    Status,
    StatusChanged,
)
from services.shop import app as shop_app
from services.shop.app import HEADERS, Service, create_app, create_service
from services.shop.model import Customer, Product
from services.shop.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import FastAPI
    from sqlalchemy.ext.asyncio import AsyncConnection

OPENAPI: Final = Path(shop_app.__file__).parent / "openapi.json"
START: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
MODEL: Final = b"solid ring\nfacet normal 0 0 1\nendfacet\nendsolid ring\n"
PRICE: Final = Money(amount=Decimal("412.50"), currency="EUR")
ISSUER: Final = "http://127.0.0.1:8404"


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Return the present moment."""
        return self.now

    def tick(self, **by: float) -> datetime:
        """Move on, an hour unless told otherwise."""
        self.now += timedelta(**by or {"hours": 1})
        return self.now


@dataclass
class Shop:
    """A running shop, a desk that notes the commands it gets, and clients."""

    service: Service
    app: FastAPI
    client: httpx.AsyncClient
    clock: Clock
    issuer: DemoIssuer
    desk: list[Message] = field(default_factory=list)
    _sequences: dict[tuple[str, str], int] = field(default_factory=dict)

    async def customer(self, name: str = "Ada") -> tuple[Customer, dict[str, str]]:
        """Open an account and sign in; return who it is, and the headers that say so."""
        person = await self.service.customers.register(f"{name.lower()}@example.com", name, "correct horse battery")
        token = await self.service.customers.open(person)
        return Customer(person.subject, person.name), {"authorization": f"Bearer {token}"}

    def staff(self, role: Role) -> dict[str, str]:
        """Return the headers of staff."""
        return {"authorization": f"Bearer {self.issuer.issue(Person('p', 'P', frozenset({role})))}"}

    async def upload(self, headers: dict[str, str], content: bytes = MODEL) -> str:
        """Upload a model; return its name."""
        answer = await self.client.post("/models", content=content, headers=headers)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        model: str = answer.json()["model"]
        return model

    async def order(self, headers: dict[str, str], key: str = "k1", **changed: Any) -> httpx.Response:
        """Order a plain band, unless told otherwise."""
        wish = {"item": "plain-band", "product": "ring", **changed}
        given = {name: value for name, value in wish.items() if value is not None}
        headers = {**headers, "content-type": "application/json", "Idempotency-Key": key}
        return await self.client.post("/orders", content=json.dumps(given), headers=headers)

    async def submitted(self, headers: dict[str, str], key: str = "k1") -> str:
        """Place and submit an order; return its id."""
        order: str = (await self.order(headers, key)).json()["order"]
        self.clock.tick()
        assert (await self.client.post(f"/orders/{order}/submission", headers=headers)).status_code == httpx.codes.OK
        return order

    def says(self, source: str, order: str, status: Status, **more: Any) -> Message:
        """Return what another system says of an order, in its sequence, an hour after what was said before."""
        key = (order, source)
        sequence = self._sequences[key] = self._sequences.get(key, 0) + 1
        at = more.pop("at", None) or self.clock.tick()
        facts = OrderFacts(channel="online", product="ring")
        said = StatusChanged(status=status, order=facts, **more)
        name = f"{source}-{order}-{sequence}"
        return Message(name, source, STATUS_CHANGED, order, at, said.document(), sequence)

    async def hear(self, *messages: Message) -> None:
        """Deliver messages."""
        received = await self.service.bus.receive([message.to_json() for message in messages])
        assert (received.failed, received.died, received.unreadable) == (0, 0, 0)

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Any:
        """Return the JSON at a path."""
        answer = await self.client.get(path, headers=headers)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()


@contextlib.asynccontextmanager
async def running(
    folder: Path, new_order: Callable[[], str] | None = None, seconds: Callable[[], float] | None = None, **changed: Any
) -> AsyncIterator[Shop]:
    """Run a shop on SQLite and the embedded bus."""
    clock, transport, desk = Clock(), EmbeddedTransport(), list[Message]()
    issuer = DemoIssuer(ISSUER, clock=clock)

    async def note(_connection: AsyncConnection, command: Message) -> None:
        desk.append(command)

    of_desk = Database(f"sqlite+aiosqlite:///{folder / 'desk.db'}", BUS_MIGRATIONS)
    noting = {"crm": {ORDER_ANSWERED: note, ORDER_CANCEL: note}}
    Bus(of_desk, transport, source=CRM, consumer="crm", commands=noting, clock=clock)
    await of_desk.start()
    issuer_client = httpx.AsyncClient(transport=httpx.ASGITransport(create_issuer_app(issuer)))
    injected = {"new_order": new_order, "seconds": seconds}
    service = create_service(
        settings(folder, **changed),
        transport,
        clock,
        auth=AuthSettings(issuer=ISSUER),
        client=issuer_client,
        **{name: value for name, value in injected.items() if value},  # type: ignore[arg-type] # by name
    )
    app = create_app(service.settings, service)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        yield Shop(service, app, client, clock, issuer, desk)
    await transport.close()
    await of_desk.close()


def settings(folder: Path, **changed: Any) -> Settings:
    """Return settings of a shop that keeps everything in a folder, and whose messages leave when a test says so."""
    kept = {"relay": False, "database": f"sqlite+aiosqlite:///{folder / 'shop.db'}", "models": folder / "models"}
    return Settings(**{**kept, **changed})


def detail_of(answer: httpx.Response, status: int) -> str:
    """Return what a problem says."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    return detail


def test_the_published_openapi_document_is_the_one_that_the_app_gives(tmp_path: Path) -> None:
    document = create_app(settings(tmp_path)).openapi()
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("TOUCHSTONE_REGENERATE"):
        OPENAPI.write_text(text, encoding="utf-8")
    assert OPENAPI.read_text(encoding="utf-8") == text, "run this test once with TOUCHSTONE_REGENERATE=1"


def test_every_route_declares_who_may_call_it_and_describes_its_answers(tmp_path: Path) -> None:
    app = create_app(settings(tmp_path))
    assert undeclared(app) == []
    for path, methods in app.openapi()["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            # The bus's own routes are described where they are made.
            assert operation.get("description") or operation["tags"] == ["bus"], path


async def test_an_order_from_an_own_model_walks_to_its_end_and_the_customer_sees_each_step(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        customer, headers = await shop.customer()
        model = await shop.upload(headers)
        placed = await shop.order(headers, item=None, model=model)
        assert placed.status_code == httpx.codes.CREATED
        order, path = placed.json()["order"], f"/orders/{placed.json()['order']}"
        assert placed.json()["status"] == "INITIATED"
        submitted = (await shop.client.post(f"{path}/submission", headers=headers)).json()
        assert submitted["status"] == "SUBMITTED"
        assert submitted["promised_at"] == "2026-03-23T08:00:00Z"
        await settle(shop.service.bus)
        await shop.hear(
            shop.says(MES, order, Status.PRICE_CALCULATING),
            shop.says(MES, order, Status.PRICE_CALCULATING, progress=0.5),
            shop.says(MES, order, Status.PRICE_CALCULATED, price=PRICE, valid_until=START + timedelta(days=14)),
            shop.says(CRM, order, Status.MANUFACTURING_APPROVED),
            *(shop.says(MES, order, status) for status in list(Status)[9:13]),
            shop.says(CRM, order, Status.CLOSED),
        )
        found = await shop.get(path, headers)
        assert [event["status"] for event in found["events"]] == [
            "INITIATED", "SUBMITTED", "PRICE_CALCULATING", "PRICE_CALCULATING", "PRICE_CALCULATED",
            "MANUFACTURING_APPROVED", "MANUFACTURING_STARTED", "MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED",
            "CLOSED",
        ]  # fmt: skip
        assert (found["status"], found["settled"], found["price"]["amount"]) == ("CLOSED", True, "412.50")
        assert found["promised_at"] == "2026-03-23T08:00:00Z"
        believed = await shop.get("/statuses", shop.staff(Role.SRE))
        assert believed == {
            "orders": [
                {"order": order, "status": "CLOSED", "since": "2026-03-02T17:00:00Z", "source": CRM, "sequence": 2}
            ],
            "next": None,
        }
        assert customer.name == "Ada"


async def test_what_the_shop_says_carries_the_facts_of_the_order(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        customer, headers = await shop.customer()
        heard: list[Message] = []
        shop.service.bus.on_broadcast(STATUS_CHANGED, heard.append)
        order = await shop.submitted(headers)
        await settle(shop.service.bus)
        assert [(m.subject, m.source, m.sequence, m.data["status"]) for m in heard] == [
            (order, "/shop", 1, "INITIATED"),
            (order, "/shop", 2, "SUBMITTED"),
        ]
        facts = {
            "channel": "online",
            "product": "ring",
            "customer": customer.id,
            "customer_name": "Ada",
            "item": "plain-band",
        }
        assert heard[0].data["order"] == facts
        assert heard[1].data["order"] == facts | {"promised_at": "2026-03-23T09:00:00Z"}
        assert heard[1].data["previous"] == "INITIATED"


async def test_the_question_is_answered_by_a_command_to_the_desk_once(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        order = await shop.submitted(headers)
        path = f"/orders/{order}/answer"
        assert "nobody waits" in detail_of(await shop.client.post(path, json={"answer": "?"}, headers=headers), 409)
        await shop.hear(shop.says(CRM, order, Status.AWAITING_CUSTOMER, reason="Which finger?"))
        assert (await shop.get(f"/orders/{order}", headers))["asked"]
        better = await shop.upload(headers)
        said = {"answer": "The fourth.", "model": better}
        for _ in range(2):
            answer = await shop.client.post(path, json=said, headers=headers)
            assert (answer.json()["asked"], answer.json()["model"]) == (False, better)
        again = await shop.client.post(path, json={"answer": "No, the fifth."}, headers=headers)
        assert "answered already" in detail_of(again, 409)
        another = {**said, "model": await shop.upload(headers, MODEL.replace(b"0 0 1", b"0 1 0"))}
        assert "answered already" in detail_of(await shop.client.post(path, json=another, headers=headers), 409)
        await settle(shop.service.bus)
        sent = [(command.type, command.subject, command.data["answer"], command.data["model"]) for command in shop.desk]
        assert sent == [(ORDER_ANSWERED, order, "The fourth.", better)]
        await shop.hear(shop.says(CRM, order, Status.AWAITING_CUSTOMER, reason="Left or right?"))
        assert (await shop.get(f"/orders/{order}", headers))["asked"], "a new question waits for a new answer"


async def test_an_order_is_cancelled_through_the_desk_until_its_piece_is_being_made(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        first, second = await shop.submitted(headers, "k1"), await shop.submitted(headers, "k2")
        for _ in range(2):
            answer = await shop.client.post(f"/orders/{first}/cancellation", json={"reason": "no"}, headers=headers)
            assert answer.json()["cancelling"]
        await settle(shop.service.bus)
        assert [(c.type, c.subject, c.data["reason"]) for c in shop.desk] == [(ORDER_CANCEL, first, "no")]
        await shop.hear(shop.says(CRM, first, Status.CANCELLED, reason="no"))
        assert (await shop.get(f"/orders/{first}", headers))["cancelling"] is False
        await shop.hear(shop.says(MES, second, Status.MANUFACTURING_STARTED))
        late = await shop.client.post(f"/orders/{second}/cancellation", json={}, headers=headers)
        assert "being made already" in detail_of(late, 409)
        await settle(shop.service.bus)
        assert len(shop.desk) == 1


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("PUT", "/catalogue/x", Role.SALES),
        ("DELETE", "/catalogue/x", Role.SALES),
        ("GET", "/statuses", Role.SRE),
        ("GET", "/bus", Role.SRE),
        ("POST", "/replay", Role.SERVICE),
        ("GET", "/statuses", Role.SERVICE),
        ("GET", f"/models/{'0' * 64}", Role.SERVICE),
    ],
)
async def test_staff_routes_let_in_their_role_only(tmp_path: Path, method: str, path: str, role: Role) -> None:
    async with running(tmp_path) as shop:
        _, customer = await shop.customer()
        assert (await shop.client.request(method, path)).status_code == 401
        assert (await shop.client.request(method, path, headers=customer)).status_code == 403
        operator = await shop.client.request(method, path, headers=shop.staff(Role.OPERATOR))
        assert operator.status_code == 403
        right = await shop.client.request(method, path, headers=shop.staff(role))
        assert right.status_code not in {401, 403}


async def test_customers_routes_are_closed_to_strangers_and_to_staff(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        for method, path in (
            ("GET", "/orders"),
            ("POST", "/orders"),
            ("GET", "/orders/A"),
            ("POST", "/orders/A/answer"),
        ):
            assert (await shop.client.request(method, path)).status_code == 401
            assert (await shop.client.request(method, path, headers=shop.staff(Role.SRE))).status_code == 403


async def test_what_is_believed_is_told_page_by_page(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        placed = sorted([(await shop.order(headers, f"k{n}")).json()["order"] for n in range(5)])
        found, after = [], ""
        while after is not None:
            answer = await shop.get(f"/statuses?limit=2&after={after}", shop.staff(Role.SERVICE))
            found += [order["order"] for order in answer["orders"]]
            after = answer["next"]
        assert found == placed


async def test_programs_sign_in_and_out(tmp_path: Path) -> None:
    known = {"email": "ada@example.com", "password": "correct horse battery"}
    async with running(tmp_path) as shop:
        assert (await shop.client.post("/accounts", json={**known, "name": "Ada"})).status_code == 201
        assert "has an account" in detail_of(await shop.client.post("/accounts", json={**known, "name": "A"}), 409)
        wrong = await shop.client.post("/sessions", json={**known, "password": "wrong wrong wrong"})
        assert "check both" in detail_of(wrong, 401)
        token = (await shop.client.post("/sessions", json=known)).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        assert (await shop.get("/orders", headers)) == {"orders": [], "next": None}
        assert (await shop.client.delete("/sessions", headers=headers)).status_code == 204
        assert (await shop.client.get("/orders", headers=headers)).status_code == 401


async def test_every_answer_carries_safe_headers(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        for path in ("/", "/catalogue", "/static/shop.css", "/nowhere", "/orders"):
            answer = await shop.client.get(path)
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS, path


async def test_it_says_whether_it_is_ready(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        assert (await shop.get("/readyz"))["status"] == "ok"


async def test_products_have_pictures(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        for product in Product:
            assert (await shop.client.get(f"/static/{product}.svg")).status_code == 200
