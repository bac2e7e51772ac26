"""The RabbitMQ transport: publishes with confirms in windows, consumes in batches, connects again after any loss."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aio_pika
from aio_pika.exceptions import AMQPError
from aiormq.exceptions import AMQPError as ProtocolError
from yarl import URL

from instrumentation.cancelling import ended
from instrumentation.errors import BadInput
from services.bus import topology
from services.bus.delivery import Deliveries, deliver, stored
from services.bus.message import MEDIA_TYPE, Unreadable, read
from services.bus.outbox import COMMANDS, CONSUMER, EVENTS
from services.bus.topology import DELIVERY_LIMIT
from services.bus.transport import tell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage

    from services.bus.transport import Listen, Outgoing, Receive

LOG: Final = logging.getLogger("touchstone.bus")
CONNECT_S: Final = 10.0
HEARTBEAT_S: Final = 15
CONFIRM_S: Final = 30.0
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
DISCOVER_S: Final = 15.0
PREFETCH: Final = 200
PREFETCH_BY_WEIGHT: Final = 10
LOST: Final = (AMQPError, ProtocolError, OSError, asyncio.TimeoutError)


@dataclass
class _Consumer:
    receive: Receive
    queues: int


@dataclass
class _Worker:
    queues: Mapping[str, int]
    receive: Receive
    owner: str


class RabbitTransport:
    """Carries messages through one RabbitMQ broker or cluster.

    ``topology``: consumers elsewhere and how many queues each has, so that what is said before they first start waits
    for them. ``delivery_limit``: how often the broker delivers a message before it gives it up. Raises BadInput where
    the address is none.
    """

    def __init__(
        self,
        address: str,
        topology: Mapping[str, int] | None = None,
        *,
        delivery_limit: int = DELIVERY_LIMIT,
    ) -> None:
        url = URL(address)
        if url.scheme not in {"amqp", "amqps"} or not url.host:
            raise BadInput("the bus address is none; write amqp://USER:PASSWORD@HOST:PORT/")
        # A connection that was cut without a word is noticed after two of these; the library's own are a minute long.
        self._url = url if "heartbeat" in url.query else url.update_query(heartbeat=HEARTBEAT_S)
        self._elsewhere, self._limit = dict(topology or {}), delivery_limit
        self._consumers: dict[str, _Consumer] = {}
        self._workers: list[_Worker] = []
        self._undertakers: dict[str, Callable[[bytes, str], Awaitable[None]]] = {}
        self._listeners: list[tuple[str, Listen]] = []
        self._exchanges: dict[str, AbstractExchange] = {}
        self._running: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()

    def consume(self, consumer: str, receive: Receive, queues: int) -> None:
        """Hear every event, from ``queues`` queues, and from those that a larger number has left."""
        self._consumers[consumer] = _Consumer(receive, queues)

    def bury(self, consumer: str, receive: Callable[[bytes, str], Awaitable[None]]) -> None:
        """Hear, with the reason, of messages to this consumer that the broker gave up by itself."""
        self._undertakers[consumer] = receive

    def work(self, queues: Mapping[str, int], receive: Receive, owner: str) -> None:
        """Take commands, from each queue in proportion to its weight."""
        self._workers.append(_Worker(dict(queues), receive, owner))

    def listen(self, message_type: str, callback: Listen) -> None:
        """Hear events of a type in this process, while it is connected."""
        self._listeners.append((message_type, callback))

    async def start(self) -> None:
        """Begin to connect. A broker that is down is waited for: what is said meanwhile stays in the outbox."""
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def connected(self) -> None:
        """Return once connected."""
        await self._connected.wait()

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Send a window of messages; a message that the broker does not confirm, or sends back, is not among the sent.

        Raises ConnectionError where there is no connection.
        """
        if not self._connected.is_set():
            raise ConnectionError("there is no connection to the broker")
        done = await asyncio.gather(*map(self._publish, messages), return_exceptions=True)
        for error in {type(outcome): outcome for outcome in done if isinstance(outcome, BaseException)}.values():
            LOG.warning("messages were not sent and stay in the outbox: %s: %s", type(error).__name__, error)
        return {place for place, outcome in enumerate(done) if not isinstance(outcome, BaseException)}

    async def _publish(self, outgoing: Outgoing) -> None:
        target, message = outgoing
        if target == EVENTS:
            exchange, key = self._exchanges[topology.EVENTS_EXCHANGE], message.type
        elif target.startswith(CONSUMER):
            exchange, key = self._exchanges[topology.REPLAY_EXCHANGE], target.removeprefix(CONSUMER)
        else:
            exchange, key = self._exchanges[topology.COMMANDS_EXCHANGE], target.removeprefix(COMMANDS)
        # Without `message_id`: the library gives each one of its own, and tells by it which message came back. With
        # ours, one that is sent twice in a window and comes back twice would count as sent.
        body = aio_pika.Message(
            message.to_json(),
            headers={topology.HASHED_BY: message.subject},
            content_type=MEDIA_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            type=message.type,
        )
        await exchange.publish(body, key, mandatory=True, timeout=CONFIRM_S)

    async def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while True:
            try:
                await self._session()
            except asyncio.CancelledError:
                # The libraries cancel what waits for a connection that is lost; only close() means it.
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                LOG.warning("the connection to the broker was lost, trying again")
            except Exception as error:  # noqa: BLE001 - whatever it is, this loop must go on, or nothing is heard again
                LOG.warning("no connection to the broker, trying again: %s: %s", type(error).__name__, error)
            pause = FIRST_PAUSE_S if self._connected.is_set() else min(2 * pause, LONGEST_PAUSE_S)
            self._connected.clear()
            await asyncio.sleep(pause)

    async def _session(self) -> None:
        """Connect, declare, deliver, until something of it ends."""
        connection = await aio_pika.connect(self._url, timeout=CONNECT_S)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(_closed, connection)
            publisher = await connection.channel(on_return_raises=True)
            await self._declare(publisher)
            tasks = [asyncio.create_task(_watch(publisher))]
            stack.push_async_callback(ended, tasks)
            tasks += map(asyncio.create_task, self._jobs(connection))
            self._connected.set()
            LOG.info("connected to the broker")
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def _declare(self, channel: AbstractChannel) -> None:
        await topology.declare_exchanges(channel)
        for consumer, queues in self._elsewhere.items():
            if consumer not in self._consumers:
                await topology.declare_consumer(channel, consumer, queues, self._limit)
        for name, one in self._consumers.items():
            await topology.declare_consumer(channel, name, one.queues, self._limit)
        for name in self._undertakers:
            await topology.declare_dead(channel, name)
        for worker in self._workers:
            for name in worker.queues:
                await topology.declare_commands(channel, name, worker.owner, self._limit)
        names = (topology.EVENTS_EXCHANGE, topology.REPLAY_EXCHANGE, topology.COMMANDS_EXCHANGE)
        self._exchanges = {name: await channel.get_exchange(name, ensure=False) for name in names}

    def _jobs(self, connection: AbstractConnection) -> list[Coroutine[Any, Any, None]]:
        jobs: list[Coroutine[Any, Any, None]] = []
        for name, one in self._consumers.items():
            jobs.append(self._consuming(connection, name, one))
        jobs += [self._burying(connection, name, bury) for name, bury in self._undertakers.items()]
        jobs += [self._working(connection, worker) for worker in self._workers]
        if self._listeners:
            jobs.append(self._listening(connection))
        return jobs

    async def _consuming(self, connection: AbstractConnection, name: str, one: _Consumer) -> None:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        deliveries = Deliveries(channel)
        own = [topology.events_queue(name, number) for number in range(one.queues)]
        taken: set[str] = set()

        async def discover() -> None:
            while True:
                extra = await topology.surplus(connection, name, one.queues)
                for queue in {*own, *extra} - taken:
                    await deliveries.take(queue)
                    taken.add(queue)
                await asyncio.sleep(DISCOVER_S)

        for queue in await topology.surplus(connection, name, one.queues):
            # Fewer queues than before: the surplus gets nothing new, and is emptied.
            bound = await channel.get_queue(queue, ensure=False)
            await bound.unbind(topology.events_exchange(name), "1")
        await _first(discover(), deliver({deliveries: 1}, one.receive), _watch(channel))

    async def _working(self, connection: AbstractConnection, worker: _Worker) -> None:
        shares: dict[Deliveries, int] = {}
        watches = []
        for name, weight in worker.queues.items():
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=PREFETCH_BY_WEIGHT * weight)
            deliveries = Deliveries(channel)
            await deliveries.take(topology.commands_queue(name))
            shares[deliveries] = weight
            watches.append(_watch(channel))
        await _first(deliver(shares, worker.receive), *watches)

    async def _burying(
        self, connection: AbstractConnection, name: str, bury: Callable[[bytes, str], Awaitable[None]]
    ) -> None:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH_BY_WEIGHT)
        queue = await channel.get_queue(topology.dead_queue(name), ensure=False)
        async with queue.iterator() as buried:
            async for message in buried:
                await stored(partial(bury, message.body, f"the broker gave it up: {_reason(message)}"))
                await message.ack()

    async def _listening(self, connection: AbstractConnection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True, auto_delete=True)
        for message_type in {message_type for message_type, _ in self._listeners}:
            await queue.bind(topology.EVENTS_EXCHANGE, message_type)
        async with queue.iterator(no_ack=True) as heard:
            async for message in heard:
                with contextlib.suppress(Unreadable):
                    tell(self._listeners, read(message.body))

    async def close(self) -> None:
        """Stop delivering and disconnect."""
        if self._running is not None:
            await ended([self._running], again_s=2 * CONNECT_S)  # it closes a connection meanwhile
            self._running = None
        self._connected.clear()


def _reason(message: AbstractIncomingMessage) -> str:
    deaths = message.headers.get("x-death")
    first = deaths[0] if isinstance(deaths, list) and deaths else {}
    return str(first.get("reason", "no reason given")) if isinstance(first, dict) else "no reason given"


async def _watch(channel: AbstractChannel) -> None:
    """Return or raise when the channel closes."""
    await channel.closed()
    raise ConnectionError("the broker closed a channel")


async def _first(*jobs: Coroutine[Any, Any, None]) -> None:
    """Run jobs until one ends, and end the others."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await ended(tasks)


async def _closed(connection: AbstractConnection) -> None:
    with contextlib.suppress(*LOST):
        await asyncio.wait_for(connection.close(), CONNECT_S)
