"""Faults of the broker's queues: messages that come again and again, and a flood that is not worked off."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import aio_pika

from alerts.drills.model import NO_COLLECTOR, Drill, Named

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel

    from alerts.drills.run import Run

JOBS: Final = ("rabbitmq", "rabbitmq-queues")
QUORUM: Final[dict[str, Any]] = {"x-queue-type": "quorum"}
DETAILED: Final = "/metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count"
# How often the broker itself counts what its queues hold, in seconds of real time.
COUNTED_EVERY_S: Final = 6.0
FLOOD: Final = 1_200
MESSAGES: Final = 60
TIMES: Final = 20


async def _broker(run: Run) -> AbstractChannel:
    """Start a broker, scraped as the house's is, and return a channel to it."""
    server = await asyncio.to_thread(run.stack.enter_context, run.parts.rabbitmq(run.folder / "rabbitmq"))
    address = server.prometheus.removeprefix("http://").partition("/")[0]
    await run.watch("rabbitmq", address)
    await run.watch("rabbitmq-queues", address, DETAILED)
    connection = await run.stack.enter_async_context(await aio_pika.connect(server.address))
    return await connection.channel()


async def _publish(channel: AbstractChannel, queue: str, count: int) -> None:
    for number in range(count):
        message = aio_pika.Message(b"%d" % number, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key=queue)


async def _doubled(run: Run) -> None:
    channel = await _broker(run)
    queue = await channel.declare_queue("crm.events.0", durable=True, arguments={**QUORUM, "x-delivery-limit": 1_000})
    await _publish(channel, queue.name, MESSAGES)
    await run.steps(4)
    async with run.broken():
        for _ in range(TIMES):
            taken = [await queue.get() for _ in range(MESSAGES)]
            for message in taken:
                await message.nack(requeue=True)
            await run.steps(1)
        while (found := await queue.get(fail=False)) is not None:
            await found.ack()
    await run.steps(20)


async def _flooded(run: Run) -> None:
    channel = await _broker(run)
    queue = await channel.declare_queue("commands.pricing-partner", durable=True, arguments=QUORUM)
    await channel.set_qos(prefetch_count=1)
    busy = asyncio.Event()

    async def slowly(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        """Work at one request for as long as the flood lasts."""
        await busy.wait()
        await message.ack()

    await queue.consume(slowly)
    await run.steps(3)
    async with run.broken():
        await _publish(channel, queue.name, FLOOD)
        await asyncio.sleep(COUNTED_EVERY_S)
        await run.steps(18)
        busy.set()
        while (await channel.declare_queue(queue.name, passive=True)).declaration_result.message_count:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.2)
        await asyncio.sleep(COUNTED_EVERY_S)
    await run.steps(3)


DRILLS: Final = (
    Drill(
        "messages-doubled",
        "The CRM's consumer takes its messages and gives them back, again and again.",
        _doubled,
        (Named("MessagesRedelivered", {"job": "rabbitmq"}),),
        also=NO_COLLECTOR,
        jobs=JOBS,
        quick=False,
    ),
    Drill(
        "partner-flood",
        "A partner asks for more prices at once than the workers get done with.",
        _flooded,
        (Named("QueueBacklog", {"queue": "commands.pricing-partner"}),),
        also=NO_COLLECTOR,
        jobs=JOBS,
        quick=False,
    ),
)
