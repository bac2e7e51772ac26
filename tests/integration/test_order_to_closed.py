"""One order, placed over HTTP with a real model, on its whole way: on embedded parts and on real servers."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from collectors.live import app as collector_app
from collectors.live.settings import Settings as CollectorSettings
from services.bus import Message
from services.contract import Status
from services.demo.house import HOST, House, Pace
from services.demo.rings import Ring
from services.resilience.serving import running
from tests.contract import asyncapi
from tests.parts import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from services.bus import Transport

PATIENCE_S: Final = 60
# What becomes of the order below, as its customer would tell it.
WAY: Final = [
    "INITIATED",
    "SUBMITTED",
    "PRICE_CALCULATING",
    "PRICE_CALCULATED",
    "AWAITING_CUSTOMER",
    "PRICE_CALCULATING",
    "PRICE_CALCULATED",
    "MANUFACTURING_APPROVED",
    "MANUFACTURING_STARTED",
    "MANUFACTURING_COMPLETED",
    "PACKAGING",
    "SHIPPED",
    "CLOSED",
]
OPERATORS: Final = ("mara", "jonas", "ines", "pavel")


@dataclass
class Running:
    """A house with its collector, and a client."""

    house: House
    collector: str
    client: httpx.AsyncClient

    async def ask(self, who: str, where: str, path: str, body: Any = None, **headers: str) -> Any:
        """Ask a service as somebody; return the answer's JSON. A body makes it a POST."""
        given = {"Authorization": f"Bearer {who}", **headers}
        address = self.house.address(where) + path
        if body is None:
            answer = await self.client.get(address, headers=given)
        elif isinstance(body, bytes):
            answer = await self.client.post(address, headers=given, content=body)
        else:
            answer = await self.client.post(address, headers=given, json=body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


@contextlib.asynccontextmanager
async def opened(
    folder: Path, databases: Mapping[str, str] | None, broker: str | None, transport: Transport | None = None
) -> AsyncIterator[Running]:
    """Serve the house and a collector for as long as the block lasts."""
    ports = {name: free_port() for name in ("shop", "crm", "mes", "issuer", "pricing", "collector")}
    pace = Pace(pricing_seconds=0.2, vendor_latency=0.0, poll_seconds=0.05, sweep_seconds=0.2)
    house = House(folder, ports, databases, broker, pace, transport)
    kept = f"sqlite+aiosqlite:///{folder}/collector.db" if databases is None else databases["collector"]
    settings = CollectorSettings(port=ports["collector"], database=kept, bus=broker, picture_seconds=0)
    collector = collector_app.create_service(settings, transport=house.transport)
    app = collector_app.create_app(settings, collector)
    async with house.open(), running(app, HOST, ports["collector"]), httpx.AsyncClient(timeout=30) as client:
        yield Running(house, f"http://{HOST}:{ports['collector']}", client)


@pytest.fixture(params=["embedded", "real"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    if request.param == "embedded":
        async with opened(tmp_path, None, None) as found:
            yield found
        return
    server = request.getfixturevalue("postgres")
    broker = request.getfixturevalue("rabbitmq").address
    run = uuid.uuid4().hex[:8]
    names = {name: f"{name}_{run}" for name in ("shop", "crm", "mes", "pricing", "collector")}
    engine = create_async_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for name in names.values():
            await connection.execute(text(f'CREATE DATABASE "{name}"'))
    await engine.dispose()
    async with opened(tmp_path, {key: f"{server}/{name}" for key, name in names.items()}, broker) as found:
        yield found


async def eventually(asked: Callable[[], Awaitable[Any]]) -> Any:
    """Ask until the answer is something, and return it."""
    until = asyncio.get_running_loop().time() + PATIENCE_S
    while not (found := await asked()):
        assert asyncio.get_running_loop().time() < until, "it did not come true in time"
        await asyncio.sleep(0.05)
    return found


async def customer(place: Running) -> str:
    """Open an account and sign in; return the token."""
    login = {"email": f"{uuid.uuid4().hex}@example.org", "password": "a long enough password"}
    account = await place.client.post(place.house.address("shop") + "/accounts", json={**login, "name": "Ada Example"})
    assert account.is_success, account.text
    session = await place.client.post(place.house.address("shop") + "/sessions", json=login)
    token: str = session.json()["token"]
    return token


async def walked(place: Running) -> tuple[str, str]:
    """Walk an order from the upload to CLOSED as people would; return its id and the customer's token."""
    ada, sofia = await customer(place), place.house.token("sofia")
    model = (await place.ask(ada, "shop", "/models", Ring(waves=12, wave_height_mm=0.3).stl()))["model"]
    wish = {"model": model, "product": "ring"}
    order = (await place.ask(ada, "shop", "/orders", wish, **{"Idempotency-Key": "one"}))["order"]
    assert (await place.ask(ada, "shop", "/orders", wish, **{"Idempotency-Key": "one"}))["order"] == order
    await place.ask(ada, "shop", f"/orders/{order}/submission", {})

    async def on_desk() -> bool:
        return order in {one["order"] for one in (await place.ask(sofia, "crm", "/desk"))["orders"]}

    await eventually(on_desk)
    await place.ask(sofia, "crm", f"/orders/{order}/question", {"question": "May the band be 0.2 mm thicker?"})

    async def asked() -> bool:
        return bool((await place.ask(ada, "shop", f"/orders/{order}"))["status"] == "AWAITING_CUSTOMER")

    await eventually(asked)
    await place.ask(ada, "shop", f"/orders/{order}/answer", {"answer": "Yes, please."})
    await eventually(on_desk)
    await place.ask(sofia, "crm", f"/orders/{order}/approval", {"reason": "a fine ring"})

    async def whose() -> str | None:
        for name in OPERATORS:
            work = (await place.ask(place.house.token(name), "mes", "/work"))["work"]
            if order in {piece["order"] for piece in work}:
                return name
        return None

    operator = place.house.token(await eventually(whose))
    for step in ("start", "complete", "pack", "ship"):
        await place.ask(operator, "mes", f"/work/{order}/{step}", {})

    async def closed() -> bool:
        return bool((await place.ask(ada, "shop", f"/orders/{order}"))["status"] == "CLOSED")

    await eventually(closed)
    return order, ada


async def test_shop_crm_mes_and_collector_agree_on_every_status_and_time(place: Running) -> None:
    """An order walks to CLOSED, and everybody tells the same story of it, in messages that keep the contract."""
    order, ada = await walked(place)
    machine = place.house.issuer.admit_machine("touchstone", place.house.secret)[0]

    async def statuses(name: str) -> dict[str, Any]:
        found = (await place.ask(machine, name, "/statuses"))["orders"]
        return {one["order"]: one for one in found}

    async def heard() -> bool:
        everywhere = [(await statuses(name)).get(order, {}).get("status") for name in ("shop", "crm", "mes")]
        journey = await place.client.get(f"{place.collector}/orders/{order}")
        return everywhere == ["CLOSED"] * 3 and journey.is_success and len(journey.json()["events"]) == len(WAY)

    await eventually(heard)
    shop = (await place.ask(ada, "shop", f"/orders/{order}"))["events"]
    crm = (await place.ask(place.house.token("sofia"), "crm", f"/orders/{order}"))["history"]
    collector = (await place.client.get(f"{place.collector}/orders/{order}")).json()["events"]
    told = await said(place.house, order)
    assert [status for _, status in told] == WAY
    for story in (shop, crm, collector):
        assert sorted(((moment(one["time"]), one["status"]) for one in story), key=in_turn) == told
    assert {(await statuses(name))[order]["since"][:23] for name in ("shop", "crm", "mes")} == {told[-1][0][:23]}


def moment(written: str) -> str:
    """Return a moment in the one form that can be compared: UTC, microseconds."""
    return datetime.fromisoformat(written).astimezone(UTC).isoformat(timespec="microseconds")


def in_turn(told: tuple[str, str]) -> tuple[str, float]:
    """Order by time, then by rank: a model that was measured before is priced in the moment that it is asked for."""
    return told[0], Status(told[1]).rank


async def said(house: House, order: str) -> list[tuple[str, str]]:
    """Return (time, status) of every event in the services' outboxes, all of which keep the contract."""
    found = []
    for service in (house.shop, house.crm, house.mes):
        async with service.database.reading() as connection:
            query = text("SELECT id, source, type, subject, time, sequence, traceparent, data FROM bus_outbox")
            rows = (await connection.execute(query)).mappings().all()
        for row in rows:
            fields = {**row, "time": datetime.fromisoformat(row["time"]), "data": orjson.loads(row["data"])}
            document = orjson.loads(Message(**fields).to_json())
            assert asyncapi.complaints(document) == []
            if row["subject"] == order and row["sequence"] is not None:
                found.append((moment(row["time"]), document["data"]["status"]))
    return sorted(found, key=in_turn)
