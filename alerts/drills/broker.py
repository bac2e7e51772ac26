"""Faults of the broker: killed under the services, messages that come again and again, a flood that is not worked off.

And a burst of orders, which goes through the broker at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any, Final

import aio_pika

from alerts.drills.flow import Watching
from alerts.drills.house import SERVICES, House
from alerts.drills.model import NO_COLLECTOR, Drill, Named
from alerts.drills.watching import counted, eventually, figures

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel

    from alerts.drills.parts import Broker
    from alerts.drills.run import Run

JOBS: Final = ("rabbitmq", "rabbitmq-queues")
QUORUM: Final[dict[str, Any]] = {"x-queue-type": "quorum"}
DETAILED: Final = "/metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count"
# How often the broker itself counts what its queues hold, in seconds of real time.
COUNTED_EVERY_S: Final = 6.0
FLOOD: Final = 1_200
MESSAGES: Final = 60
TIMES: Final = 20
BURST: Final = 100
AT_A_TIME: Final = 50
MODELS: Final = 8
# What the MES has taken in.
APPLIED: Final = 'touchstone_bus_received_messages_total{consumer="mes",outcome="applied"}'


async def _started(run: Run) -> Broker:
    """Start a broker, scraped as the house's is."""
    server = await asyncio.to_thread(run.stack.enter_context, run.parts.rabbitmq(run.folder / "rabbitmq"))
    address = server.prometheus.removeprefix("http://").partition("/")[0]
    await run.watch("rabbitmq", address)
    await run.watch("rabbitmq-queues", address, DETAILED)
    return server


async def _broker(run: Run) -> AbstractChannel:
    """Start a broker, and return a channel to it."""
    server = await _started(run)
    connection = await run.stack.enter_async_context(await aio_pika.connect(server.address))
    return await connection.channel()


async def _publish(channel: AbstractChannel, queue: str, count: int) -> None:
    for number in range(count):
        message = aio_pika.Message(b"%d" % number, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key=queue)


async def _house(run: Run, server: Broker) -> House:
    """Start the services and a collector, which talk by the broker."""
    await Watching.open(run, bus=server.address)
    house = await House.open(run, broker=server.address)
    await eventually(run, "rabbitmq-queues", counted("rabbitmq_detailed_queue_consumers"), "who reads its queues")
    return house


async def _sent(run: Run) -> None:
    """Wait until the shop has said all that it has to say, and the queues are empty."""
    pending = 'touchstone_bus_outbox_pending_messages{consumer="shop"} 0.0'
    await eventually(run, "shop", lambda shown: pending in shown, "an empty outbox")
    await asyncio.sleep(COUNTED_EVERY_S)
    await eventually(run, "rabbitmq-queues", _all_read, "empty queues that somebody reads")


def _all_read(exposition: str) -> bool:
    """Whether somebody reads the queues, and nothing is left in them."""
    left = counted("rabbitmq_detailed_queue_messages")
    return counted("rabbitmq_detailed_queue_consumers")(exposition) and not left(exposition)


async def _down(run: Run) -> None:
    server = await _started(run)
    house = await _house(run, server)
    await house.do("order", count=2)
    await run.steps(5)
    async with run.broken():
        if server.pid is not None:
            os.kill(server.pid, signal.SIGKILL)
        await house.do("order", count=3)
        await run.steps(12)
        await asyncio.to_thread(server.start)
        await _sent(run)
    await run.steps(5)


async def _burst(run: Run) -> None:
    """Let one customer order in a minute what is days of work; a minute is enough for the workers to price it."""
    house = await _house(run, await _started(run))
    await house.do("order", count=2)
    await run.steps(5)
    before = sum(figures(await house.shown("mes"), APPLIED))
    async with run.broken():
        for _ in range(BURST // AT_A_TIME):
            await house.do("order", count=AT_A_TIME)
        await house.do("order", count=MODELS, model="any")
        await run.steps(1)
        await house.do("settle")
        await _sent(run)
        await eventually(run, "mes", counted(APPLIED, before + BURST), "the burst")
        await run.steps(10)
    await run.steps(20)


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
        "broker-down",
        "RabbitMQ is killed, and started again: what services say meanwhile stays in their outboxes.",
        _down,
        (*(Named("ServiceDown", {"job": job}) for job in JOBS), Named("OutboxStuck", {"consumer": "shop"})),
        jobs=(*SERVICES, "collector", *JOBS),
        quick=False,
    ),
    Drill(
        "customer-burst",
        f"A customer places {BURST + MODELS} orders within a minute: the house bears it, and nobody is woken.",
        _burst,
        (),
        silent=("QueueBacklog", "QueueUnacknowledged", "OutboxStuck", "OutboxBacklog", "PriceWaits", "RequestsPiling"),
        calm=True,
        jobs=(*SERVICES, "collector", *JOBS),
        quick=False,
    ),
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
