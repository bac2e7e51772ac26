"""What fault runs have found, each held by a test of its own."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from services.bus import Bus, EmbeddedTransport, Message, Outgoing, RabbitTransport, partitions
from services.bus.outbox import EVENTS
from tests.faults import stores
from tests.faults.broker import VirtualHost

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from deploy.servers import RabbitServer

NOW = datetime(2026, 3, 14, tzinfo=UTC)
CONNECTED_S = 30


async def test_writers_go_on_while_the_present_months_partition_is_made(postgres: str) -> None:
    shop = await stores.opened(await stores.made_shop(postgres, f"faults_{uuid.uuid4().hex[:8]}", 1))
    bus = Bus(shop, EmbeddedTransport(), source="/shop", clock=lambda: NOW)
    made = asyncio.Event()

    async def write(order: str) -> int:
        async def say(connection: AsyncConnection) -> None:
            await bus.publish(connection, "t", order, {})

        said = 0
        while not made.is_set():
            await shop.write(say)
            said += 1
        return said

    writers = [asyncio.create_task(write(f"order-{number}")) for number in range(8)]
    await asyncio.sleep(0.3)
    await shop.write(lambda connection: partitions.ensure(connection, NOW))
    made.set()
    said = await asyncio.gather(*writers)
    async with shop.reading() as connection:
        recorded = await connection.scalar(text("SELECT count(*) FROM bus_outbox"))
        late = await connection.scalar(text("SELECT count(*) FROM bus_outbox_rest"))
    await shop.close()
    assert (recorded, late) == (sum(said), 0)


async def test_a_message_twice_in_a_window_that_comes_back_twice_is_not_sent(rabbitmq: RabbitServer) -> None:
    virtual = VirtualHost(rabbitmq, f"127.0.0.1:{rabbitmq.port}", f"faults-{uuid.uuid4().hex[:8]}")
    transport = RabbitTransport(virtual.address)
    await transport.start()
    try:
        await asyncio.wait_for(transport.connected(), CONNECTED_S)
        message = Message("one", "/shop", "t", "order", NOW, {}, sequence=1)
        assert await transport.publish([Outgoing(EVENTS, message)] * 2) == set()
    finally:
        await transport.close()
        virtual.close()
