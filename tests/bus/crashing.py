"""A process of two services on embedded parts that says and hears until it is killed; run by test_bus_embedded."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import text

from services.bus import BUS_MIGRATIONS, Bus, Database, EmbeddedTransport, settle

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Message

ORDERS = 8
_TABLE = "CREATE TABLE IF NOT EXISTS seen (number INTEGER PRIMARY KEY, subject TEXT, sequence INTEGER)"
_ADD = text("INSERT INTO seen (subject, sequence) VALUES (:subject, :sequence)")


async def record(connection: AsyncConnection, message: Message) -> None:
    """Write down a message, said or heard."""
    await connection.execute(_ADD, {"subject": message.subject, "sequence": message.sequence})


async def say(bus: Bus, number: int, connection: AsyncConnection) -> None:
    """Publish an event together with a row that says so."""
    await record(connection, await bus.publish(connection, "happened.v1", f"o{number % ORDERS}", {}))


async def main(folder: str, task: str) -> None:
    """Say and hear for ever (``run``), or until nothing is on its way (``finish``)."""
    transport = EmbeddedTransport()
    databases = [Database(f"sqlite+aiosqlite:///{folder}/{name}.db", BUS_MIGRATIONS) for name in ("shop", "crm")]
    for database in databases:
        await database.start()
        await database.write(lambda connection: connection.execute(text(_TABLE)))
    shop = Bus(databases[0], transport, source="/shop")
    crm = Bus(databases[1], transport, source="/crm", handlers={"happened.v1": record})
    if task == "run":
        await shop.start()
        await crm.start()
        print("ready", flush=True)  # noqa: T201 - tells the test that it runs
        number = 0
        while True:
            await databases[0].write(partial(say, shop, number))
            number += 1
    await settle(shop, crm)
    for database in databases:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
