"""One service's end of the bus: what it says goes through its outbox, what it hears through its inbox."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from services.bus import held, outbox, partitions
from services.bus.inbox import Inbox, Received, Retry
from services.bus.outbox import Entry
from services.bus.relay import Relay
from services.bus.watch import GAP_AFTER_US, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus.database import Database
    from services.bus.held import Waiting
    from services.bus.inbox import Consuming
    from services.bus.message import Message
    from services.bus.outbox import Backlog
    from services.bus.transport import Handler, Listen, Transport

LOG: Final = logging.getLogger("touchstone.bus")
RETRY_EVERY_S: Final = 0.25
HOUSEKEEPING_S: Final = 6 * 3_600
SECOND: Final = 1_000_000
QUEUES: Final = 4


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return an id that no other message has."""
    return str(uuid.uuid4())


class Bus:
    """Publishes in the caller's transactions, and runs handlers in transactions of its own."""

    def __init__(  # noqa: PLR0913 - the composition root of an end; callers name each part
        self,
        database: Database,
        transport: Transport,
        *,
        source: str,
        consumer: str | None = None,
        handlers: Mapping[str, Handler] | None = None,
        commands: Mapping[str, Mapping[str, Handler]] | None = None,
        weights: Mapping[str, int] | None = None,
        queues: int = QUEUES,
        clock: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = new_id,
        retry: Retry | None = None,
        traceparent: Callable[[], str | None] = lambda: None,
        consuming: Consuming | None = None,
    ) -> None:
        """Put the ends together.

        ``source`` stands in what it says (`/crm`); ``consumer`` names its inbox (`crm`; None: it hears no events).
        ``handlers``: by message type; other types are let pass. ``commands``: for each queue, its handlers by type;
        ``weights``: how the queues share a batch, each alike if left out.
        ``traceparent`` gives the present trace, to be sent along; ``consuming`` surrounds each handler.
        """
        self.database, self.transport, self.source = database, transport, source
        self.consumer = consumer or source.strip("/")
        self.clock, self.new_id, self.traceparent = clock, new_id, traceparent
        known = dict(handlers or {})
        for of_queue in (commands or {}).values():
            known |= of_queue
        self.inbox = Inbox(self.consumer, database, known, self.now_us, retry, consuming)
        self.relay = Relay(database, transport, self.now_us)
        self.watch = Watch(database, self.consumer, self.now_us)
        self.received = Received()
        self._tasks: list[asyncio.Task[None]] = []
        if handlers is not None:
            transport.consume(self.consumer, self.receive, queues)
        if commands:
            transport.work(weights or dict.fromkeys(commands, 1), self.receive, self.consumer)
        if handlers is not None or commands:
            transport.bury(self.consumer, self.inbox.bury_foreign)

    def now_us(self) -> int:
        """Return the present moment in microseconds since 1970 UTC."""
        return round(self.clock().timestamp() * SECOND)

    def on_broadcast(self, message_type: str, callback: Listen) -> None:
        """Have every running process of this service hear events of a type, best effort: for caches."""
        self.transport.listen(message_type, callback)

    async def start(self, *, relay: bool = True) -> None:
        """Begin to hear, to try again, and to send (unless a relay of its own does that). The database is open."""
        await self.database.write(lambda connection: partitions.ensure(connection, self.clock()))
        await self.transport.start()
        jobs = [self._retrying(), self._housekeeping(), self.watch.run(), *([self.relay.run()] if relay else [])]
        self._tasks = [asyncio.create_task(job) for job in jobs]

    async def stop(self) -> None:
        """Stop everything; the transport is closed by whoever made it."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def publish(
        self,
        connection: AsyncConnection,
        message_type: str,
        subject: str,
        data: dict[str, Any],
        time: datetime | None = None,
    ) -> Message:
        """Say in this transaction that something happened (``time``: when; now, if left out)."""
        return await outbox.publish(connection, self._entry(message_type, subject, data, time), self.now_us())

    async def send(
        self, connection: AsyncConnection, queue: str, message_type: str, subject: str, data: dict[str, Any]
    ) -> Message:
        """Ask the workers of a queue, in this transaction, to do something."""
        return await outbox.send(connection, queue, self._entry(message_type, subject, data, None), self.now_us())

    def _entry(self, message_type: str, subject: str, data: dict[str, Any], moment: datetime | None) -> Entry:
        now = moment or self.clock()
        return Entry(self.new_id(), message_type, subject, self.source, data, now, self.traceparent())

    async def replay(self, connection: AsyncConnection, consumer: str, subjects: Sequence[str] | None = None) -> int:
        """Send what was recorded of some subjects (None: of all) once more, to one consumer; return how many events."""
        return await outbox.again(connection, consumer, subjects)

    async def receive(self, bodies: Sequence[bytes]) -> Received:
        """Take in messages."""
        received = await self.inbox.receive(bodies)
        self.received.add(received)
        return received

    async def waiting(self, connection: AsyncConnection) -> Waiting:
        """Count what is held."""
        return await held.waiting(connection, self.consumer, self.now_us() - GAP_AFTER_US)

    async def backlog(self, connection: AsyncConnection) -> Backlog:
        """Count what is unsent."""
        return await outbox.backlog(connection)

    async def revive(self, ids: Sequence[str] | None = None) -> int:
        """Try dead letters (some, or all) again; return how many. Those that cannot be read stay dead."""
        work = partial(self._revive, ids)
        return await self.database.write(work)

    async def _revive(self, ids: Sequence[str] | None, connection: AsyncConnection) -> int:
        return await held.revive(connection, self.consumer, ids, self.now_us())

    async def retry_due(self) -> Received:
        """Try again what is due now."""
        received = await self.inbox.retry_due()
        self.received.add(received)
        return received

    async def _retrying(self) -> None:
        while True:
            try:
                received = await self.retry_due()
            except Exception as error:  # noqa: BLE001 - whatever it is, messages wait and the loop goes on
                LOG.warning("held messages cannot be tried now: %s: %s", type(error).__name__, error)
                received = Received()
            if not received.applied:
                await asyncio.sleep(RETRY_EVERY_S)

    async def _housekeeping(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            try:
                await self.database.write(lambda connection: partitions.ensure(connection, self.clock()))
            except Exception as error:  # noqa: BLE001 - the default partition serves meanwhile
                LOG.warning("partitions could not be made: %s: %s", type(error).__name__, error)


async def settle(*buses: Bus, patience_s: float = 30.0) -> None:
    """Return when every outbox is empty and nothing waits for a try (dead letters and what is behind them may stay).

    For tests and embedded use. Raises TimeoutError where that does not come true.
    """
    until = time.monotonic() + patience_s
    while True:
        for bus in buses:
            while await bus.relay.once():
                pass
            await bus.retry_due()
        if not [bus for bus in buses if await _busy(bus)]:
            return
        if time.monotonic() > until:
            raise TimeoutError("messages are still on their way")
        await asyncio.sleep(0.01)


async def _busy(bus: Bus) -> bool:
    async with bus.database.reading() as connection:
        if (await outbox.backlog(connection)).pending:
            return True
        return await held.next_due(connection, bus.consumer) is not None
