"""``python -m tests.bench.carrying ROLE DATABASE BROKER RUN COUNT``: one end of the bus, for the benchmark.

``commit`` fills an outbox. ``relay`` sends it. ``count`` handles what comes, ``store`` with a statement for each event.
``raw`` makes the same statements in the same batches by hand, without inbox logic: what the worker is compared with.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aio_pika
import orjson
from sqlalchemy import text

from services.bus import BUS_MIGRATIONS, Bus, Database, Message, RabbitTransport, held, topology
from services.bus.message import Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

SUBJECTS: Final = 1_000
AT_ONCE: Final = 100
QUEUES: Final = 4
PREFETCH: Final = 200
TYPE: Final = "order.status.changed.v1"
DATA: Final = {"status": "PRICE_CALCULATED", "order": {"channel": "online", "product": "ring", "customer": "c-4711"}}
TABLE: Final = "CREATE TABLE states (subject text PRIMARY KEY, status text NOT NULL, sequence bigint NOT NULL)"
STORE: Final = text(
    "INSERT INTO states (subject, status, sequence) VALUES (:subject, :status, :sequence) "
    "ON CONFLICT (subject) DO UPDATE SET status = excluded.status, sequence = excluded.sequence"
)


def say(document: dict[str, Any]) -> None:
    """Tell the benchmark."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def used() -> float:
    """Return this process's processor seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Tally:
    """Counts what is handled, and tells when all is."""

    def __init__(self, count: int) -> None:
        self.count, self.events, self.begun = count, 0, used()
        self.done = asyncio.Event()

    def add(self, events: int = 1) -> None:
        """Count."""
        self.events += events
        if self.events >= self.count:
            self.done.set()

    async def finish(self) -> None:
        """Wait for all, and say what it took."""
        await self.done.wait()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        say({"events": self.events, "ended": time.time(), "cpu_s": used() - self.begun, "peak_mib": peak})


async def commit(database: Database, broker: str, run: str, count: int) -> None:
    """Fill the outbox."""
    bus = Bus(database, RabbitTransport(broker), source=f"/{run}")

    async def some(first: int, connection: AsyncConnection) -> None:
        for number in range(first, min(first + AT_ONCE, count)):
            await bus.publish(connection, TYPE, f"{run}-{number % SUBJECTS}", DATA)

    for first in range(0, count, AT_ONCE):
        await database.write(partial(some, first))


async def relay(database: Database, broker: str, run: str, _count: int) -> None:
    """Send the outbox."""
    transport = RabbitTransport(broker, {run: QUEUES})
    bus = Bus(database, transport, source=f"/{run}")
    await bus.start(relay=False)
    await transport.connected()
    sys.stdout.write("ready\n")
    say({"begun": time.time()})
    await bus.relay.run()


async def handle(database: Database, broker: str, run: str, count: int, *, store: bool) -> None:
    """Handle what comes."""
    tally = Tally(count)

    async def handler(connection: AsyncConnection, message: Message) -> None:
        if store:
            values = {"subject": message.subject, "status": message.data["status"], "sequence": message.sequence}
            await connection.execute(STORE, values)
        tally.add()

    transport = RabbitTransport(broker)
    bus = Bus(database, transport, source="/receiver", consumer=run, handlers={TYPE: handler}, queues=QUEUES)
    await database.write(lambda connection: connection.execute(text(TABLE)))
    await bus.start(relay=False)
    await transport.connected()
    tally.begun = used()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await tally.finish()


async def raw(database: Database, broker: str, run: str, count: int) -> None:
    """Do by hand what a consumer must: the same statements, in batches, one transaction each."""
    tally = Tally(count)
    connection = await aio_pika.connect(broker)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=PREFETCH)
    await topology.declare_exchanges(channel)
    arrived: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
    await topology.declare_consumer(channel, run, QUEUES, topology.DELIVERY_LIMIT)
    for number in range(QUEUES):
        await (await channel.get_queue(topology.events_queue(run, number))).consume(arrived.put)
    await database.write(lambda found: found.execute(text(TABLE)))
    tally.begun = used()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    finished = asyncio.create_task(tally.finish())
    while not finished.done():
        batch = [await arrived.get()]
        while len(batch) < AT_ONCE and not arrived.empty():
            batch.append(arrived.get_nowait())
        await database.write(partial(_by_hand, run, [orjson.loads(message.body) for message in batch]))
        await batch[-1].ack(multiple=True)
        tally.add(len(batch))
        await asyncio.sleep(0)
    await finished


async def _by_hand(consumer: str, documents: list[dict[str, Any]], connection: AsyncConnection) -> None:
    streams = sorted({Stream(document["subject"], document["source"]) for document in documents})
    await held.lock(connection, consumer, streams)
    await held.of_streams(connection, consumer, streams)
    applied: dict[Stream, int] = {}
    for document in documents:
        sequence = int(document["sequence"])
        values = {"subject": document["subject"], "status": document["data"]["status"], "sequence": sequence}
        await connection.execute(STORE, values)
        applied[Stream(document["subject"], document["source"])] = sequence
    await held.move(connection, consumer, applied)


ROLES: Final[dict[str, Callable[[Database, str, str, int], Awaitable[None]]]] = {
    "commit": commit,
    "relay": relay,
    "count": partial(handle, store=False),
    "store": partial(handle, store=True),
    "raw": raw,
}


async def main() -> None:
    """Play a role."""
    role, address, broker, run, count = sys.argv[1:6]
    database = Database(address, BUS_MIGRATIONS)
    await database.start()
    await ROLES[role](database, broker, run, int(count))
    await database.close()


if __name__ == "__main__":
    asyncio.run(main())
