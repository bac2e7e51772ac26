"""The drilled house as a process: `python -m services.demo.drilled_page`, and the page by which a drill plays with it.

Deeds happen to the house: customers order, the wire is cut, a release with a bug is rolled out. None touches a metric.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import secrets
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np
from fastapi import APIRouter, FastAPI
from prometheus_client import Counter
from sqlalchemy import select, update

from instrumentation import FASTAPI_TELEMETRY
from instrumentation.logs import log_as_json
from pricing.workers import store
from pricing.workers.tables import measurings
from services.contract import STATUS_CHANGED
from services.demo.drilled import DrilledHouse, Wire, clock_of
from services.demo.house import HOST, Pace
from services.demo.people import PASSWORD
from services.demo.rings import Ring, design
from services.mes.tables import orders as adapter_orders
from services.resilience.serving import running
from services.shop.seed import PIECES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Message

NAME: Final = "drilled-house"
SHUFFLED: Final = 5
CUSTOMER: Final = {"email": "drill@example.com", "name": "Dora Drill", "password": PASSWORD}
FINE: Final = Ring(around=720, across=96, waves=30, wave_height_mm=0.4)  # takes a worker some seconds


@dataclass
class Page:
    """What can be done to a house."""

    house: DrilledHouse
    wire: Wire
    designs: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    fine: Iterator[int] = field(default_factory=itertools.count)
    customer: httpx.AsyncClient | None = None
    bugs: dict[str, Any] = field(default_factory=dict)
    labels: Counter | None = None
    crowding: list[asyncio.Task[httpx.Response]] = field(default_factory=list)
    listening: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    def routes(self) -> APIRouter:
        """Return every deed: POST, with what it takes as query parameters."""
        api = APIRouter()
        for deed in (*self._looks(), *self._orders(), *self._faults()):
            api.add_api_route(f"/{deed.__name__}", deed, methods=["POST"])
        return api

    def _looks(self) -> tuple[Callable[..., Any], ...]:
        return (self.hurry, self.settle, self.computing, self.heard, self.lost, self.token)

    def _orders(self) -> tuple[Callable[..., Any], ...]:
        return (self.order, self.crowd, self.visit, self.upload)

    def _faults(self) -> tuple[Callable[..., Any], ...]:
        broken = (self.wire_up, self.bug, self.lie, self.workers, self.vendor, self.label_ids)
        return (*broken, self.replay, self.revive)

    async def hurry(self) -> None:
        """Let the loops of all services catch up with the clock."""
        await self.house.hurry()

    async def settle(self) -> None:
        """Wait until every price that was asked for is told."""
        tools = self.house.pricing.tools
        while True:
            await self.house.hurry()
            if not any(queue.waiting for queue in await tools.read(store.queues)):
                return
            await asyncio.sleep(0.1)

    async def computing(self) -> bool:
        """Whether a worker is at work on a model."""
        async with self.house.pricing.database.reading() as connection:
            taken = select(measurings.c.key).where(measurings.c.worker.is_not(None), measurings.c.closed_at.is_(None))
            return (await connection.execute(taken)).first() is not None

    async def heard(self) -> list[Any]:
        """Return the events for the collector since the last time."""
        said, self.wire.heard = self.wire.heard, []
        return [json.loads(body) for body in said]

    async def lost(self) -> set[str]:
        """Return the sources of whose words some were lost on the wire."""
        return self.wire.lost

    async def token(self) -> str:
        """Return a token of somebody who runs the house."""
        return self.house.token("riku")

    async def order(self, count: int = 1, model: str = "") -> list[str]:
        """Place and submit orders as a customer does: of the catalogue, or of own models (`any`, `fine`)."""
        client = await self._signed_in()
        found = []
        for _ in range(count):
            wish: dict[str, Any] = {"channel": "online", "product": "ring"}
            if model:
                ring = replace(FINE, inner_diameter_mm=17.0 + 0.01 * next(self.fine))
                ring = ring if model == "fine" else design(self.designs)
                content = await asyncio.to_thread(ring.stl)
                answer = await client.post("/models", content=content)
                wish["model"] = answer.raise_for_status().json()["model"]
            else:
                wish["item"] = next(piece.id for piece in PIECES if piece.product == "ring")
            answer = await client.post("/orders", json=wish, headers={"Idempotency-Key": secrets.token_hex(8)})
            order = answer.raise_for_status().json()["order"]
            (await client.post(f"/orders/{order}/submission")).raise_for_status()
            found.append(order)
        return found

    async def crowd(self, count: int) -> None:
        """Let so many customers place an order at the same moment; nobody waits for the answers."""
        client = await self._signed_in()
        item = next(piece.id for piece in PIECES if piece.product == "ring")
        wish = {"channel": "online", "product": "ring", "item": item}
        for number in range(count):
            key = {"Idempotency-Key": f"crowd-{number}"}
            self.crowding.append(asyncio.create_task(client.post("/orders", json=wish, headers=key)))

    async def visit(self, count: int) -> None:
        """Let people look at the catalogue."""
        client = await self._signed_in()
        for _ in range(count):
            (await client.get("/catalogue")).raise_for_status()

    async def upload(self, count: int) -> list[int]:
        """Let customers upload models; return what the shop answered."""
        client = await self._signed_in()
        content = Ring(around=24, across=8).stl()
        return [(await client.post("/models", content=content)).status_code for _ in range(count)]

    async def _signed_in(self) -> httpx.AsyncClient:
        if self.customer is None:
            self.customer = httpx.AsyncClient(base_url=self.house.address("shop"), timeout=60, trust_env=False)
            await self.customer.post("/accounts", json=CUSTOMER)  # refused where the house was started before
            sign_in = {name: CUSTOMER[name] for name in ("email", "password")}
            token = (await self.customer.post("/sessions", json=sign_in)).raise_for_status().json()["token"]
            self.customer.headers["authorization"] = f"Bearer {token}"
        return self.customer

    async def wire_up(self, *, cut: bool = False, loses: str = "", shuffles: bool = False) -> None:
        """Cut the wire, let it lose each source's first word on an order on its way to some, or shuffle."""
        self.wire.cut = cut
        self.wire.loses = frozenset(loses.split(",")) - {""}
        self.wire.shuffles = random.Random(SHUFFLED) if shuffles else None  # noqa: S311 - chance, not a secret

    async def bug(self, service: str, *, mended: bool = False) -> None:
        """Roll out a release of a service whose handler of statuses fails, or the one that mends it."""
        handlers: Any = self.house.buses[service].inbox.handlers
        if mended:
            handlers[STATUS_CHANGED] = self.bugs.pop(service)
            return

        async def fails(_connection: AsyncConnection, _message: Message) -> None:
            raise KeyError("product")

        self.bugs[service] = handlers[STATUS_CHANGED]
        handlers[STATUS_CHANGED] = fails

    async def replay(self, service: str, consumer: str) -> int:
        """Send all that a service ever said once more to one consumer."""
        bus = self.house.buses[service]
        return await bus.database.write(lambda connection: bus.replay(connection, consumer))

    async def revive(self, service: str) -> int:
        """Try the dead letters of a service again."""
        return await self.house.buses[service].revive()

    async def lie(self, order: str, status: str) -> str | None:
        """Let the MES believe that an order is in a status; return what it believed before."""
        row = adapter_orders.c.order_id == order

        async def work(connection: AsyncConnection) -> str | None:
            before: str | None = await connection.scalar(select(adapter_orders.c.status).where(row))
            await connection.execute(update(adapter_orders).where(row).values(status=status))
            return before

        return await self.house.mes.database.write(work)

    async def workers(self, *, on: bool) -> None:
        """Stop every pricing worker, or start them again; the service goes on hearing."""
        for worker in self.house.pricing.workers:
            if on:
                worker.start()
            else:
                await worker.stop()

    async def vendor(self, *, on: bool) -> None:
        """Serve the vendor's API at its own port, or leave off: connections are refused, and the adapter lives."""
        if on:
            server = running(self.house.vendor_app(), HOST, self.house.ports["vendor"])
            await self.listening.enter_async_context(server)
        else:
            await self.listening.aclose()

    async def label_ids(self, orders: int) -> None:
        """Serve so many orders with a release of the shop that has put the order into a label of a counter."""
        registry = self.house.shop.telemetry.registry
        self.labels = self.labels or Counter("shop_orders_seen", "Orders seen.", ["order"], registry=registry)
        if not orders:
            registry.unregister(self.labels)
            self.labels = None
            return
        for number in range(orders):
            self.labels.labels(f"R-{number}").inc()


async def serve(plan: dict[str, Any]) -> None:
    """Serve a house and its page until told to stop."""
    wire = Wire()
    clock = clock_of(Path(plan["clock"]))
    pace = Pace(pricing_seconds=1.0, vendor_latency=plan.get("vendor_latency", 0.0), poll_seconds=0.2)
    house = DrilledHouse(
        Path(plan["folder"]),
        plan["ports"],
        pace=pace,
        broker=plan.get("broker"),
        transport=None if plan.get("broker") else wire,
        secret=plan["secret"],
        bench=1_000,
        clock=clock,
        workers=plan.get("workers", 1),
        vendor_apart=plan.get("vendor_apart", False),
    )
    page = Page(house, wire)
    app = FastAPI(telemetry=FASTAPI_TELEMETRY)
    app.include_router(page.routes())
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with house.open(), page.listening, running(app, HOST, plan["ports"]["page"]):
        if house.vendor_apart:
            await page.vendor(on=True)
        await told.wait()
        await asyncio.gather(*page.crowding, return_exceptions=True)
        if page.customer is not None:
            await page.customer.aclose()


def main() -> None:
    """Read the plan, JSON, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan")
    log_as_json(NAME)
    asyncio.run(serve(json.loads(parser.parse_args().plan)))


if __name__ == "__main__":
    main()
