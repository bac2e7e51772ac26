"""The processes of services that do it wrong, as they are often found. The run must catch them at it."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import aio_pika

from services.bus import Message, Outgoing, RabbitTransport, read, topology
from services.bus.outbox import EVENTS
from tests.faults import stores
from tests.faults.jobs import CONSUMER, SHOP, STEPPED
from tests.faults.workers import apply, walk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aio_pika.abc import AbstractIncomingMessage
    from sqlalchemy.ext.asyncio import AsyncConnection

    from tests.faults.jobs import Worker

LOG: Final = logging.getLogger("touchstone.faults")
CONNECT_S: Final = 10.0


async def consume_without_inbox(worker: Worker) -> None:
    """Apply whatever is delivered, in one transaction a batch, and acknowledge it then."""
    crm = await stores.opened(worker.job.crm)

    async def work(messages: Sequence[Message], connection: AsyncConnection) -> None:
        for message in messages:
            if message.type == STEPPED:
                await apply(connection, message)
            else:
                await stores.leave_answer(connection, message.subject)

    async def receive(bodies: Sequence[bytes]) -> None:
        await crm.write(partial(work, [read(body) for body in bodies]))

    transport = RabbitTransport(worker.job.broker)
    transport.consume(CONSUMER, receive, worker.job.queues)
    transport.work({CONSUMER: 1}, receive, CONSUMER)
    await transport.start()
    await asyncio.Event().wait()


async def write_twice(worker: Worker) -> None:
    """Commit first, then tell the broker: two writes, of which the second may fail or never come."""
    job = worker.job
    shop = await stores.opened(job.shop)
    transport = RabbitTransport(job.broker, {CONSUMER: job.queues})
    await transport.start()

    async def step(order: str) -> None:
        reached = await shop.write(lambda connection: stores.advance(connection, order, job.events))
        if reached is None:
            return
        data = {"step": reached}
        message = Message(str(uuid.uuid4()), SHOP, STEPPED, order, datetime.now(UTC), data, sequence=reached)
        try:
            await transport.publish([Outgoing(EVENTS, message)])
        except ConnectionError as error:
            LOG.warning("an event could not be sent: %s", error)

    await walk(worker, shop, step)


async def consume_unacknowledged(worker: Worker) -> None:
    """Let the broker forget a message once it is sent here (auto-ack), then apply it."""
    crm = await stores.opened(worker.job.crm)
    came: asyncio.Queue[bytes] = asyncio.Queue()

    async def keep(message: AbstractIncomingMessage) -> None:
        came.put_nowait(message.body)

    async def work() -> None:
        while True:
            await crm.write(partial(_applied, read(await came.get())))

    async with asyncio.TaskGroup() as group:
        group.create_task(_listen(worker, keep))
        group.create_task(work())


async def _applied(message: Message, connection: AsyncConnection) -> None:
    await apply(connection, message)


async def _listen(worker: Worker, keep: Callable[[AbstractIncomingMessage], Awaitable[None]]) -> None:
    """Take from every queue until the connection is lost. Then this process ends, and is started again."""
    connection = await aio_pika.connect(worker.job.broker, timeout=CONNECT_S)
    channel = await connection.channel()
    await topology.declare_exchanges(channel)
    await topology.declare_consumer(channel, CONSUMER, worker.job.queues, topology.DELIVERY_LIMIT)
    for number in range(worker.job.queues):
        queue = await channel.get_queue(topology.events_queue(CONSUMER, number), ensure=False)
        await queue.consume(keep, no_ack=True)
    await channel.closed()
    raise ConnectionError("the connection to the broker was lost")
