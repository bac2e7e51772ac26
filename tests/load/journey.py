"""From an upload in the shop to its price, through the house as `make up` runs it: how long, and one price's trace."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np

from deploy.house import DATABASES, HOST, PORTS, House
from deploy.supervisor import Supervisor
from deploy.up import require_free
from pricing.messages import PARTNER, PriceClass
from services.bus import RabbitTransport
from services.contract import STATUS_CHANGED, Status
from services.demo.rings import Ring, design
from tests.load.rings import HEAVY
from tests.otlp import receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from services.bus import Message
    from tests.load.workers import Ground

LOOK_S: Final = 0.1
PATIENCE_S: Final = 120.0
ACCOUNTS: Final = 8
PASSWORD: Final = "a long enough password"  # noqa: S105 - of made-up people on loopback
# Spans leave in batches, every few seconds.
LAST_SPANS_S: Final = 8.0
SHOP: Final = f"http://{HOST}:{PORTS['shop']}"


@dataclass(frozen=True)
class Traffic:
    """How many orders of each class, and the mean seconds between two of them: people come at random."""

    shop: int = 200
    partner: int = 200
    heavy: int = 20
    shop_every_s: float = 2.5
    partner_every_s: float = 2.5
    heavy_every_s: float = 25.0


async def journey(ground: Ground, traffic: Traffic, say: Callable[[str], None]) -> dict[str, Any]:
    """Return, by class, the seconds from upload to price as the customer sees it, and the trace of one order."""
    for name in DATABASES:
        await ground.database(name)
    with receiving() as backend, _house(ground, backend.address):
        say("the house is up; customers come")
        async with httpx.AsyncClient(base_url=SHOP, timeout=60, trust_env=False) as client:
            people = [await _account(client) for _ in range(ACCOUNTS)]
            rng = np.random.default_rng(11)
            hearing = await Hearing.begun(ground.broker)
            visit = Visit(client, hearing, people)
            await _priced(visit, 0, "online", design(rng).stl())  # so that no start is counted
            classes = {
                PriceClass.SHOP: (traffic.shop, traffic.shop_every_s),
                PriceClass.PARTNER: (traffic.partner, traffic.partner_every_s),
                PriceClass.HEAVY: (traffic.heavy, traffic.heavy_every_s),
            }
            runs = [_coming(visit, one, *much, rng) for one, much in classes.items()]
            found = dict(zip(map(str, classes), await asyncio.gather(*runs), strict=True))
            await hearing.stop()
        await asyncio.sleep(LAST_SPANS_S)
        order = next(order for order, seconds in reversed(found["shop"]) if seconds is not None)
        told = {name: _figures([seconds for _, seconds in rows]) for name, rows in found.items()}
        return told | {"trace": trace(backend.spans(), order)}


@contextlib.contextmanager
def _house(ground: Ground, backend: str) -> Iterator[None]:
    require_free(PORTS)
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = backend
    house = House(ground.folder, ground.postgres, ground.broker)
    supervisor = Supervisor(house.parts(), ground.folder, ground.folder)
    try:
        supervisor.start()
        yield
    finally:
        supervisor.stop()
        del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]


async def _account(client: httpx.AsyncClient) -> dict[str, str]:
    login = {"email": f"{uuid.uuid4().hex}@example.org", "password": PASSWORD}
    (await client.post("/accounts", json={**login, "name": "Ada Example"})).raise_for_status()
    token = (await client.post("/sessions", json=login)).raise_for_status().json()["token"]
    return {"Authorization": f"Bearer {token}"}


async def _coming(
    visit: Visit,
    price_class: PriceClass,
    number: int,
    every_s: float,
    rng: np.random.Generator,
) -> list[tuple[str, float | None]]:
    """Have so many orders come at random; return (order, seconds to its price, None where none came) of each."""
    channel = PARTNER if price_class == PriceClass.PARTNER else "online"
    going = []
    for turn in range(number):
        await asyncio.sleep(rng.exponential(every_s))
        content = await asyncio.to_thread(_model, price_class, rng)
        going.append(asyncio.create_task(_priced(visit, turn, channel, content)))
    return list(await asyncio.gather(*going))


def _model(price_class: PriceClass, rng: np.random.Generator) -> bytes:
    if price_class == PriceClass.HEAVY:
        return Ring(inner_diameter_mm=float(rng.uniform(15, 20)), thickness_mm=2.0, **HEAVY).stl()
    return design(rng).stl()


async def _priced(visit: Visit, turn: int, channel: str, content: bytes) -> tuple[str, float | None]:
    client, who = visit.client, visit.people[turn % len(visit.people)]
    began = time.monotonic()
    answer = await client.post("/models", content=_parts(content), headers=who)
    wish = {"model": answer.raise_for_status().json()["model"], "product": "ring", "channel": channel}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    order: str = (await client.post("/orders", json=wish, headers=who | key)).raise_for_status().json()["order"]
    heard = visit.hearing.of(order)
    (await client.post(f"/orders/{order}/submission", headers=who)).raise_for_status()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await heard.wait()
            while (await client.get(f"/orders/{order}", headers=who)).raise_for_status().json()["price"] is None:  # noqa: ASYNC110 - looks
                await asyncio.sleep(LOOK_S)  # the shop hears it a moment later than we
    except TimeoutError:
        return order, None
    return order, time.monotonic() - began


@dataclass(frozen=True)
class Visit:
    """The shop's door, who hears of prices, and the headers of those who come."""

    client: httpx.AsyncClient
    hearing: Hearing
    people: list[dict[str, str]]


class Hearing:
    """Hears from the bus which orders have a price, so that asking the shop all the time does not load it."""

    def __init__(self, broker: str) -> None:
        self._transport = RabbitTransport(broker)
        self._priced: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._transport.listen(STATUS_CHANGED, self._heard)

    @classmethod
    async def begun(cls, broker: str) -> Hearing:
        """Return one that hears."""
        hearing = cls(broker)
        await hearing._transport.start()
        await hearing._transport.connected()
        return hearing

    def of(self, order: str) -> asyncio.Event:
        """Return what is set when the order has a price."""
        return self._priced[order]

    def _heard(self, message: Message) -> None:
        if message.data["status"] == Status.PRICE_CALCULATED:
            self._priced[message.subject].set()

    async def stop(self) -> None:
        """Hear no more."""
        await self._transport.close()


async def _parts(content: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), 1 << 18):
        yield content[begin : begin + (1 << 18)]


def _figures(waits: list[float | None]) -> dict[str, Any]:
    seconds = [one for one in waits if one is not None]
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99))
    return {
        "orders": len(waits),
        "without_price": len(waits) - len(seconds),
        "p50_s": round(float(p50), 3),
        "p95_s": round(float(p95), 3),
        "p99_s": round(float(p99), 3),
        "max_s": round(max(seconds), 3),
    }


def trace(spans: list[dict[str, Any]], order: str) -> list[dict[str, Any]]:
    """Return the spans of the trace in which an order was priced, in the order of time, in ms from the first."""
    priced = next(
        one["trace"] for one in spans if one["attributes"].get("order.id") == order and one["name"] == "price"
    )
    whole = sorted((one for one in spans if one["trace"] == priced), key=lambda one: one["begin_ns"])
    first = whole[0]["begin_ns"]
    return [
        {
            "service": one["service"],
            "name": one["name"],
            "span": one["span"],
            "parent": one["parent"],
            "begin_ms": round((one["begin_ns"] - first) / 1e6, 3),
            "took_ms": round((one["end_ns"] - one["begin_ns"]) / 1e6, 3),
            "attributes": {key: value for key, value in one["attributes"].items() if key.startswith("touchstone.")},
        }
        for one in whole
    ]
