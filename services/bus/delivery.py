"""Batches from broker queues to a receiver: acknowledged when stored, in proportion to weights."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

    from services.bus.transport import Receive

LOG: Final = logging.getLogger("touchstone.bus")
BATCH: Final = 100
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 10.0


class Deliveries:
    """What came over one channel and is not acknowledged, in the order of delivery."""

    def __init__(self, channel: AbstractChannel) -> None:
        self.channel = channel
        self.waiting: deque[AbstractIncomingMessage] = deque()
        self.arrived = asyncio.Event()

    async def take(self, queue: str) -> None:
        """Begin to take from a queue."""
        source = await self.channel.get_queue(queue, ensure=False)
        await source.consume(self._came)

    async def _came(self, message: AbstractIncomingMessage) -> None:
        self.waiting.append(message)
        self.arrived.set()

    def first(self, number: int) -> list[AbstractIncomingMessage]:
        """Take out the oldest ones."""
        return [self.waiting.popleft() for _ in range(min(number, len(self.waiting)))]

    async def acknowledge(self, batch: list[AbstractIncomingMessage]) -> None:
        """Let the broker forget a batch, and so all that came before its last message: the oldest are taken first."""
        if batch:
            await batch[-1].ack(multiple=True)


async def deliver(shares: Mapping[Deliveries, int], receive: Receive) -> None:
    """Hand over batches, for ever. Each batch takes from every channel in proportion to its weight, so none starves."""
    total = sum(shares.values())
    arrived = asyncio.Event()
    for deliveries in shares:
        deliveries.arrived = arrived
    while True:
        arrived.clear()  # before looking: what came before this began has woken nobody
        while any(deliveries.waiting for deliveries in shares):
            batch = {one: one.first(max(1, BATCH * weight // total)) for one, weight in shares.items()}
            bodies = [message.body for messages in batch.values() for message in messages]
            await stored(partial(receive, bodies))
            for deliveries, messages in batch.items():
                await deliveries.acknowledge(messages)
        await arrived.wait()


async def stored(store: Callable[[], Awaitable[object]]) -> None:
    """Store a batch, however often it takes: given back to the broker it would only come again at once."""
    pause = FIRST_PAUSE_S
    while True:
        try:
            await store()
        except Exception as error:  # noqa: BLE001 - whatever it is, the messages stay with the broker
            LOG.warning("messages cannot be stored now: %s: %s", type(error).__name__, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        else:
            return
