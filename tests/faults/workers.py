"""The processes of a service that does it right: writers with an outbox, relays, consumers with an inbox."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from services.bus import Bus, Database, RabbitTransport
from tests.faults import stores
from tests.faults.board import FAILURES
from tests.faults.jobs import CONSUMER, CRM, EACH, FINISHED, SHOP, STEPPED
from tests.faults.tampering import Tampering

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Message
    from tests.faults.jobs import Worker

    Step = Callable[[str], Awaitable[object]]

AT_ONCE: Final = 4
IN_WORK: Final = 12
LONGEST_RUN: Final = 4
ROUND: Final = 24
WATCH_S: Final = 0.1
# One handler call in so many fails, as if something that it needs were away for a moment.
FAILS_ONCE_IN: Final = 200


class Hiccup(Exception):
    """A handler failed, and may succeed the next time."""


async def write(worker: Worker) -> None:
    """Take orders through their steps, each a transaction of its own with the event that tells of it."""
    job = worker.job
    shop = await stores.opened(job.shop)
    bus = Bus(shop, RabbitTransport(job.broker), source=SHOP)

    async def stepped(order: str, connection: AsyncConnection) -> None:
        step = await stores.advance(connection, order, job.events)
        if step is None:
            return
        await bus.publish(connection, STEPPED, order, {"step": step})
        if step == job.events:
            await bus.send(connection, CONSUMER, FINISHED, order, {"steps": step})

    await walk(worker, shop, lambda order: shop.write(partial(stepped, order)))


async def walk(worker: Worker, shop: Database, step: Step) -> None:
    """Take a step of some order again and again, as far as is allowed by now. Progress is read from the database."""
    job, chance = worker.job, worker.chance()
    while True:
        async with shop.reading() as connection:
            # Both writers take from the same few orders, so that they contend for rows.
            done, left = await stores.progress(connection, job.events, IN_WORK)
        # Few a round, so that not most of them find their order finished.
        wanted = min(-(-(worker.board.allowed - done) // EACH), ROUND)
        runs: list[str] = []
        while left and len(runs) < wanted:
            runs += [chance.choice(left)] * chance.randint(1, LONGEST_RUN)
        await _in_parallel(runs, step)
        if not runs:
            await asyncio.sleep(WATCH_S)


async def _in_parallel(orders: list[str], step: Step) -> None:
    remaining = iter(orders)

    async def some() -> None:
        for order in remaining:
            await step(order)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def relay(worker: Worker) -> None:
    """Send the outbox through a transport that tampers with it."""
    job, place = worker.job, worker.place
    transport = RabbitTransport(job.broker, {CONSUMER: job.queues})
    tampering = Tampering(transport, worker.chance(), partial(worker.board.add, place.slot))
    bus = Bus(await stores.opened(job.shop), tampering, source=SHOP)
    await bus.start()
    await asyncio.Event().wait()


async def consume(worker: Worker) -> None:
    """Handle events and commands by way of the inbox."""
    job, chance = worker.job, worker.chance()
    crm = await stores.opened(job.crm)

    def stumble() -> None:
        if not chance.randrange(FAILS_ONCE_IN):
            worker.board.add(worker.place.slot, FAILURES)
            raise Hiccup("something was away for a moment")

    async def stepped(connection: AsyncConnection, message: Message) -> None:
        await apply(connection, message)
        stumble()

    async def finished(connection: AsyncConnection, message: Message) -> None:
        await stores.leave_answer(connection, message.subject)
        stumble()

    transport = RabbitTransport(job.broker)
    handlers, commands = {STEPPED: stepped}, {CONSUMER: {FINISHED: finished}}
    bus = Bus(crm, transport, source=CRM, consumer=CONSUMER, handlers=handlers, commands=commands, queues=job.queues)
    await bus.start(relay=False)
    try:
        await asyncio.Event().wait()
    finally:
        await transport.close()
        await bus.stop()


async def apply(connection: AsyncConnection, message: Message) -> None:
    """Do what a step means to the CRM."""
    await stores.leave_effect(connection, message.subject, int(message.data["step"]), message.sequence)
