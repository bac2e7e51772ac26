"""The collector hears the bus: every event counts once, and nothing is confirmed before it is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import sqlalchemy

from collectors.live.app import create_service
from collectors.live.tables import events
from instrumentation.errors import BadInput
from services.bus import BUS_MIGRATIONS, Bus, Database, EmbeddedTransport, settle
from tests import live
from tests.live import START, event, running, whole_order

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

LATER = START + timedelta(days=30)


def bodies(*messages: Any) -> list[bytes]:
    """Return messages as the bus carries them."""
    return [orjson.dumps(message) for message in messages]


async def test_what_a_service_publishes_is_what_the_collector_tells(tmp_path: Path) -> None:
    transport = EmbeddedTransport()
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}", BUS_MIGRATIONS)
    await database.start()
    shop = Bus(database, transport, source="/shop")
    clock = live.Clock(START + timedelta(hours=5))

    async def say(connection: AsyncConnection) -> None:
        for place, status in enumerate(("NEW", "PAID", "MADE")):
            data = {"status": status, "order": {"channel": "web"}}
            await shop.publish(connection, "order.status.changed.v1", "a", data, START + timedelta(hours=place))
        await shop.publish(connection, "catalogue.changed.v1", "catalogue", {"revision": 2})

    async with running(live.settings(tmp_path), clock, transport) as collector:
        await shop.start(relay=False)
        await database.write(say)
        await settle(shop)
        order = await collector.get("/orders/a")
        assert [(e["status"], e["time"][11:16], e["sequence"]) for e in order["events"]] == [
            ("NEW", "08:00", 1),
            ("PAID", "09:00", 2),
            ("MADE", "10:00", 3),
        ]
        assert order["attributes"] == {"channel": "web"}
        gauges = await collector.metrics()
        assert gauges["touchstone_bus_skipped_messages_total"] == 1
        assert gauges["touchstone_quarantined_events"] == 0
        # A replay of all of it changes nothing.
        before = await collector.stages(LATER)
        await database.write(lambda connection: shop.replay(connection, "collector"))
        await settle(shop)
        assert {**await collector.stages(LATER), "duplicates": 0} == before
    await shop.stop()
    await database.close()


async def test_any_order_and_any_repetition_give_the_timeline_of_the_clean_sequence(tmp_path: Path) -> None:
    messages = [m for n in range(20) for m in whole_order(f"o{n}", step=n % 3 + 1)]
    shuffled = [*messages, *messages[::3]]
    live.mixer(5).shuffle(shuffled)
    folders = [tmp_path / "posted", tmp_path / "heard"]
    for folder in folders:
        folder.mkdir()
    async with running(live.settings(folders[0])) as collector:
        await collector.send(*messages)
        expected = await collector.stages(LATER)
    async with running(live.settings(folders[1]), transport=EmbeddedTransport()) as collector:
        assert collector.service.bus is not None
        for start in range(0, len(shuffled), 7):
            await collector.service.bus.receive(bodies(*shuffled[start : start + 7]))
        assert {**await collector.stages(LATER), "duplicates": 0} == expected


async def test_what_nobody_can_read_is_quarantined_once_and_confirmed(tmp_path: Path) -> None:
    bad = [b"{", b"\xff", b"17", *bodies({"type": "order.status.changed.v1"}, {**event("a", "NEW", 0), "time": "soon"})]
    async with running(live.settings(tmp_path), transport=EmbeddedTransport()) as collector:
        assert collector.service.bus is not None
        for _ in range(2):
            await collector.service.bus.receive([*bad, *bodies(event("a", "PAID", 1))])
        document = await collector.stages(LATER)
        assert (document["quarantined"], document["events"]) == (5, 1)


async def test_a_good_event_that_the_broker_gave_up_on_counts(tmp_path: Path) -> None:
    async with running(live.settings(tmp_path), transport=EmbeddedTransport()) as collector:
        assert collector.service.bus is not None
        await collector.service.bus.receive_buried(bodies(event("a", "NEW", 1))[0], "delivery_limit")
        assert (await collector.stages(LATER))["events"] == 1


async def test_what_cannot_be_stored_is_not_confirmed_and_comes_again(tmp_path: Path) -> None:
    """The table is away for a while; the sender keeps the event until it is back."""
    transport = EmbeddedTransport()
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}", BUS_MIGRATIONS)
    await database.start()
    shop = Bus(database, transport, source="/shop")
    async with running(live.settings(tmp_path), transport=transport) as collector:
        write = collector.service.database.write
        await write(lambda connection: connection.execute(sqlalchemy.text("ALTER TABLE events RENAME TO away")))
        data = {"status": "NEW", "order": {}}
        await database.write(lambda c: shop.publish(c, "order.status.changed.v1", "a", data, datetime.now(UTC)))
        with pytest.raises(TimeoutError):
            await settle(shop, patience_s=0.1)
        await write(lambda connection: connection.execute(sqlalchemy.text("ALTER TABLE away RENAME TO events")))
        await settle(shop)
        async with collector.service.database.reading() as connection:
            assert await connection.scalar(sqlalchemy.select(sqlalchemy.func.count()).select_from(events)) == 1
    await database.close()


async def test_before_its_start_and_after_its_stop_the_collector_confirms_nothing(tmp_path: Path) -> None:
    service = create_service(live.settings(tmp_path), live.Clock(), EmbeddedTransport())
    assert service.bus is not None
    with pytest.raises(ConnectionError):
        await service.bus.receive(bodies(event("a", "NEW", 0)))
    await service.start()
    await service.bus.receive(bodies(event("a", "NEW", 0)))
    await service.stop()
    with pytest.raises(ConnectionError):
        await service.bus.receive(bodies(event("a", "NEW", 0)))


def test_a_bus_address_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="bus address"):
        create_service(live.settings(tmp_path, bus="http://nowhere"))
