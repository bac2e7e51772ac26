"""Planted trouble among 5,000 orders in real shop, CRM and MES databases: all of it found, none invented, repaired."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import orjson

from collectors.live import app as collector_app
from collectors.live.settings import Settings
from collectors.reconciliation import run_reconcile
from services.bus import Message
from services.contract import OWNER, STATUS_CHANGED, Money, OrderFacts, Status, StatusChanged
from services.demo.house import CLIENT, HOST, House, Pace
from services.demo.loading import fill_crm, fill_mes, fill_shop
from services.demo.past import Past
from services.resilience.serving import running
from tests.parts import free_port
from tests.systems import systems_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pytest

ORDERS: Final = 5_000
IN_FLIGHT: Final = 1_000
MISMATCHES, LOST, STUCK = 50, 20, 20
SEED: Final = 11
# Hours between a status and the next one.
WAY: Final = {
    Status.INITIATED: 1,
    Status.SUBMITTED: 1,
    Status.PRICE_CALCULATING: 1,
    Status.PRICE_CALCULATED: 30,
    Status.MANUFACTURING_APPROVED: 30,
    Status.MANUFACTURING_STARTED: 60,
    Status.MANUFACTURING_COMPLETED: 30,
    Status.PACKAGING: 20,
    Status.SHIPPED: 20,
    Status.CLOSED: 0,
}
# Where an order may lie while nobody works.
WAITING: Final = (
    Status.PRICE_CALCULATED,
    Status.MANUFACTURING_APPROVED,
    Status.MANUFACTURING_STARTED,
    Status.MANUFACTURING_COMPLETED,
    Status.PACKAGING,
)
SYSTEMS: Final = """
touchstone: 1
tolerance: 15m
lost_after: 30m
collector: {collector}
sign_in: {{issuer: {issuer}, client_id: {client}, secret_env: MACHINE_SECRET}}
flow:
  - {{status: SUBMITTED, from: shop, to: [crm, mes]}}
systems:
  - {{name: shop, source: /shop, address: {shop}, owns: [INITIATED, SUBMITTED]}}
  - {{name: crm, source: /crm, address: {crm}, owns: [MANUFACTURING_APPROVED, CLOSED]}}
  - {{name: mes, source: /mes, address: {mes}, owns: [PRICE_CALCULATING, PRICE_CALCULATED, MANUFACTURING_STARTED,
     MANUFACTURING_COMPLETED, PACKAGING, SHIPPED]}}
"""


class Teller:
    """Tells orders: finished ones at the usual pace, and ones that lie where they lie for a known share of that."""

    def __init__(self, rng: random.Random, now: datetime) -> None:
        self.rng, self.now = rng, now

    def order(self, name: str, last: Status, age: timedelta) -> list[Message]:
        """Return everything said of an order that reached its last status ``age`` ago."""
        statuses = list(WAY)[: list(WAY).index(last) + 1]
        waits = [timedelta(hours=WAY[status] * self.rng.uniform(0.8, 1.2)) for status in statuses[:-1]]
        at = self.now - age - sum(waits, timedelta())
        facts = OrderFacts(channel="online", product="ring", item="plain-band", promised_at=at + timedelta(days=21))
        said, sequences = [], dict.fromkeys(OWNER.values(), 0)
        for place, status in enumerate(statuses):
            source = OWNER[status]
            sequences[source] += 1
            priced = status is Status.PRICE_CALCULATED
            data = StatusChanged(
                status=status,
                previous=statuses[place - 1] if place else None,
                order=facts,
                price=Money(amount=Decimal(180), currency="EUR") if priced else None,
                valid_until=at + timedelta(days=400) if priced else None,
            )
            key = f"{name}{source}/{sequences[source]}"
            said.append(Message(key, source, STATUS_CHANGED, name, at, data.document(), sequences[source]))
            at += waits[place] if place < len(waits) else timedelta()
        return said


def told(rng: random.Random, now: datetime) -> tuple[dict[str, list[Message]], dict[str, set[str]]]:
    """Return what was said of each order, and which orders are to be in what trouble."""
    teller, orders = Teller(rng, now), {}
    for number in range(ORDERS - IN_FLIGHT):
        orders[f"A{number:05}"] = teller.order(f"A{number:05}", Status.CLOSED, timedelta(hours=rng.uniform(1, 500)))
    flying = [f"B{number:05}" for number in range(IN_FLIGHT)]
    for number, name in enumerate(flying):
        last = WAITING[number % len(WAITING)]
        share = 8 if number < STUCK else rng.uniform(0.1, 0.6)
        orders[name] = teller.order(name, last, timedelta(hours=WAY[last] * share))
    rest = flying[STUCK:]
    lost = [name for name in rest if orders[name][-1].data["status"] == Status.PRICE_CALCULATED][:LOST]
    mismatched = [name for name in rest if name not in lost][:MISMATCHES]
    return orders, {"stuck": set(flying[:STUCK]), "lost": set(lost), "mismatched": set(mismatched)}


def heard(orders: dict[str, list[Message]], without: set[str], last_of: set[str]) -> list[Message]:
    """Return what reached a service that missed some orders, and the last word on some."""
    kept = [said[:-1] if name in last_of else said for name, said in orders.items() if name not in without]
    return sorted((message for said in kept for message in said), key=lambda message: (message.time, message.sequence))


def bodies(messages: Iterable[Message]) -> Iterator[list[dict[str, Any]]]:
    """Yield what a collector takes in, some thousands at once."""
    documents = [orjson.loads(message.to_json()) for message in messages]
    for first in range(0, len(documents), 5_000):
        yield documents[first : first + 5_000]


async def test_reconcile_finds_what_was_planted_and_nothing_else_and_repairs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 mismatches, 20 lost, 20 stuck among 5,000: found exactly; a replay mends the 70 that messages can mend."""
    now = datetime.now(UTC)
    orders, planted = told(random.Random(SEED), now)  # noqa: S311 - made-up orders
    house = House(
        tmp_path,
        {name: free_port() for name in ("shop", "crm", "mes", "issuer", "pricing")},
        pace=Pace(close_after=timedelta(days=1_000), sweep_seconds=3_600),
    )
    past = Past(heard(orders, set(), set()), [], [], now)
    # Messages that got lost: the last word on an order on its way to the shop, and all of some on the way to the desk.
    await fill_shop(house, replace(past, messages=heard(orders, set(), planted["mismatched"])))
    await fill_crm(house, replace(past, messages=heard(orders, planted["lost"], set())))
    await fill_mes(house, past)
    collector = await _collector(tmp_path, past)
    monkeypatch.setenv("MACHINE_SECRET", house.secret)
    port = free_port()
    addresses = {name: house.address(name) for name in ("shop", "crm", "mes", "issuer", "pricing")}
    written = SYSTEMS.format(collector=f"http://{HOST}:{port}", client=CLIENT, **addresses)
    file = systems_file(tmp_path, written)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(house.open())
        await stack.enter_async_context(running(collector_app.create_app(collector.settings, collector), HOST, port))
        report = await asyncio.to_thread(run_reconcile, file)
        assert report.silent == {}
        assert report.notes == ()
        assert found(report) == planted
        report = await asyncio.to_thread(lambda: run_reconcile(file, repair=True))
        assert found(report) == planted
        assert report.repair is not None
        assert report.repair.repaired == MISMATCHES + LOST
        assert {one.order for one in report.repair.left} == planted["stuck"]
        report = await asyncio.to_thread(run_reconcile, file)
        assert found(report) == {"stuck": planted["stuck"], "lost": set(), "mismatched": set()}


async def _collector(folder: Path, past: Past) -> collector_app.Service:
    """Return a collector that has heard everything."""
    settings = Settings(database=f"sqlite+aiosqlite:///{folder}/collector.db", picture_seconds=0)
    service = collector_app.create_service(settings)
    await service.start()
    for documents in bodies(past.messages):
        await service.collector.take_in(service.collector.reader.read_all(documents))
    return service


def found(report: Any) -> dict[str, set[str]]:
    """Return the orders that a report names, by their trouble."""
    findings = report.findings
    return {
        "stuck": {one.order for one in findings.stuck},
        "lost": {one.order for one in findings.lost},
        "mismatched": {one.order for one in findings.mismatches},
    }
