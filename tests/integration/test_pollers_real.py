"""Pollers and the bus on real servers: transactions that overtake each other, a broker, and a database of before."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from collectors.live import app as live_app
from collectors.pollers.sql import SqlPoller
from collectors.pollers.systems import SqlPoll, System
from services.bus import BUS_MIGRATIONS, Bus, Database, RabbitTransport
from services.bus.tables import outbox
from tests import live
from tests.live import START, running, whole_order
from tests.unit.test_pollers import LATER, PROMISE, journeys, rows_of, simulated

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.servers import RabbitServer

PATIENCE_S = 60.0


async def new_database(server: str) -> str:
    """Make an empty database, and return its address."""
    name = f"polled_{uuid.uuid4().hex}"
    engine = create_async_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(sqlalchemy.text(f'CREATE DATABASE "{name}"'))
    await engine.dispose()
    return f"{server}/{name}"


async def test_transactions_that_overtake_each_other_lose_nothing(postgres: str, tmp_path: Path) -> None:
    """Twelve writers commit in another order than they wrote, some roll back, and the poller looks in between."""
    address = await new_database(postgres)
    service = Database(address, BUS_MIGRATIONS)
    await service.start()
    messages, chance = simulated(4, 8), live.mixer(4)
    engine = create_async_engine(address, pool_size=12)
    poll = SqlPoll(kind="sql", url=address, at_once=20)
    collected = await new_database(postgres)
    async with running(live.settings(tmp_path, promise=PROMISE)) as collector:
        await collector.send(*messages)
        expected = await journeys(collector, messages)
    async with running(live.settings(tmp_path, collected, PROMISE)) as collector:
        poller = SqlPoller(System(name="shop", source="/shop", poll=poll), poll, collector.service.collector)
        writing: list[AsyncConnection] = []
        rows = rows_of(messages)
        while rows or writing:
            if rows and len(writing) < 12:
                connection = await engine.connect()
                await connection.begin()
                row = {name: value for name, value in rows[0].items() if name != "position"}
                await connection.execute(outbox.insert(), row)
                if chance.random() < 0.1:
                    await connection.rollback()  # its number is gone, and the event is written again
                    await connection.close()
                    continue
                rows.pop(0)
                writing.append(connection)
            if len(writing) == 12 or not rows:
                connection = writing.pop(chance.randrange(len(writing)))
                await connection.commit()
                await connection.close()
            if chance.random() < 0.3:
                await poller.turn()
                assert poller.failure is None
        while await poller.step():
            pass
        assert await journeys(collector, messages) == expected
        assert (await collector.stages(LATER))["duplicates"] == 0
        await poller.close()
    await engine.dispose()
    await service.close()


async def test_the_poller_cannot_write(postgres: str, tmp_path: Path) -> None:
    address = await new_database(postgres)
    service = Database(address, BUS_MIGRATIONS)
    await service.start()
    names = "id, type, subject, source, sequence, time, data"
    nobody = "(SELECT) AS one LEFT JOIN bus_outbox ON true"
    writing = f"SELECT nextval('bus_outbox_position') AS position, {names} FROM {nobody}"
    async with running(live.settings(tmp_path)) as collector:
        poll = SqlPoll(kind="sql", url=address, select=writing)
        poller = SqlPoller(System(name="shop", source="/shop", poll=poll), poll, collector.service.collector)
        await poller.turn()
        assert "read-only transaction" in str(poller.failure)
        await poller.close()
    await service.close()


async def test_events_come_over_a_broker(rabbitmq: RabbitServer, tmp_path: Path) -> None:
    """What was said before the collector first came waits for it; what comes later is heard as it comes."""
    run = uuid.uuid4().hex[:8]
    transport = RabbitTransport(rabbitmq.address, {"collector": 2})
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}", BUS_MIGRATIONS)
    await database.start()
    shop = Bus(database, transport, source="/shop")
    orders = [f"{run}-{number}" for number in range(40)]

    async def say(some: list[str]) -> None:
        async def work(connection: AsyncConnection) -> None:
            for order in some:
                for place, status in enumerate(("NEW", "PAID", "MADE")):
                    data = {"status": status, "order": {}}
                    at = START + timedelta(hours=place)
                    await shop.publish(connection, "order.status.changed.v1", order, data, at)

        await database.write(work)

    await shop.start()
    await say(orders[:20])
    until = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        async with database.reading() as connection:
            if not (await shop.backlog(connection)).pending:
                break
        assert asyncio.get_running_loop().time() < until, "the broker did not confirm in time"
        await asyncio.sleep(0.05)
    clock = live.Clock(START + timedelta(hours=4))
    async with running(live.settings(tmp_path, bus=rabbitmq.address, queues=2), clock) as collector:
        await say(orders[20:])
        for order in orders:
            while await _heard(collector, order) < 3:
                assert asyncio.get_running_loop().time() < until, f"{order} was not heard in time"
                await asyncio.sleep(0.05)
            found = await collector.get(f"/orders/{order}")
            assert [e["status"] for e in found["events"]] == ["NEW", "PAID", "MADE"]
            assert all(e["moved"] for e in found["events"])
    await shop.stop()
    await transport.close()
    await database.close()


async def _heard(collector: live.Live, order: str) -> int:
    answer = await collector.client.get(f"/orders/{order}")
    return len(answer.json().get("events", []))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_database_of_before_is_brought_up_to_date(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    if kind == "sqlite":
        address = f"sqlite+aiosqlite:///{tmp_path / 'live.db'}"
    else:
        address = await new_database(request.getfixturevalue("postgres"))
    first = tmp_path / "versions"
    first.mkdir()
    shutil.copy(live_app.MIGRATIONS / "first.py", first)
    before = Database(address, first)
    await before.start()

    async def fill(connection: AsyncConnection) -> None:
        await connection.execute(sqlalchemy.text("INSERT INTO orders (name) VALUES ('a')"))
        insert = "INSERT INTO events (source, id, order_number, at, status) VALUES ('/shop', '1', 1, :at, 'NEW')"
        await connection.execute(sqlalchemy.text(insert), {"at": live.Clock()()})

    await before.write(fill)
    await before.close()
    clock = live.Clock(START + timedelta(hours=1))
    async with running(live.settings(tmp_path, address), clock) as collector:
        await collector.send(*whole_order("a", begin=0.5, step=0.1))
        found = await collector.get("/orders/a")
    told: list[Any] = [(e["status"], e["uncertainty_s"]) for e in found["events"][:2]]
    assert told == [("NEW", None), ("NEW", None)]
