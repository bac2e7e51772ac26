"""A house of several services on one bus, on embedded or on real parts: what the suite is written against."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import aio_pika
import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.bus import BUS_MIGRATIONS, Bus, Database, EmbeddedTransport, RabbitTransport, Retry, held, topology

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from deploy.servers import RabbitServer
    from services.bus import Message, Transport
    from services.bus.held import Waiting

PATIENCE_S: Final = 120.0  # for a machine that is busy with others
TYPE: Final = "order.status.changed.v1"
SOON: Final = Retry(limit=5, first_s=0.02, longest_s=0.1)
_LOGIN: Final = ("guest", "guest")
_EFFECTS: Final = (
    "CREATE TABLE effects (number {number}, id TEXT NOT NULL, subject TEXT NOT NULL, source TEXT NOT NULL, "
    "sequence BIGINT, word TEXT)"
)
_NUMBERS: Final = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "postgresql": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}
_ADD: Final = text(
    "INSERT INTO effects (id, subject, source, sequence, word) VALUES (:id, :subject, :source, :n, :word)"
)


async def eventually(holds: Callable[[], Awaitable[bool]], patience_s: float = PATIENCE_S) -> None:
    """Wait until a condition holds."""
    until = time.monotonic() + patience_s
    while not await holds():
        assert time.monotonic() < until, "it did not come true in time"
        await asyncio.sleep(0.02)


@dataclass
class Clock:
    """The time, which a test can put forward."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC) + self.ahead


@dataclass
class End:
    """One service's end of the bus. Its handler records each message as an effect, unless ``trouble`` raises."""

    name: str
    database: Database
    clock: Clock
    trouble: Callable[[Message], None] = lambda _message: None
    tried: list[str] = field(default_factory=list)
    bus: Bus = field(init=False)
    transport: Transport = field(init=False)

    async def record(self, connection: AsyncConnection, message: Message) -> None:
        """Handle a message."""
        self.tried.append(message.id)
        self.trouble(message)
        values = {"id": message.id, "subject": message.subject, "source": message.source, "n": message.sequence}
        await connection.execute(_ADD, values | {"word": message.data.get("word")})

    async def say(self, *orders: str, **data: Any) -> list[Message]:
        """Publish one event of each order, in one transaction."""

        async def work(connection: AsyncConnection) -> list[Message]:
            return [await self.bus.publish(connection, TYPE, order, data) for order in orders]

        return await self.database.write(work)

    async def ask(self, queue: str, *subjects: str) -> None:
        """Send one command about each subject, in one transaction."""

        async def work(connection: AsyncConnection) -> None:
            for subject in subjects:
                await self.bus.send(connection, queue, "do.v1", subject, {})

        await self.database.write(work)

    async def effects(self) -> list[tuple[str, str, int | None]]:
        """Return (subject, source, sequence) of what was handled, in the order that it was."""
        rows = await self.rows("SELECT subject, source, sequence FROM effects ORDER BY number")
        return [(subject, source, sequence) for subject, source, sequence in rows]

    async def done(self) -> int:
        """Return how many effects there are."""
        (count,) = (await self.rows("SELECT count(*) FROM effects"))[0]
        return int(count)

    async def by_stream(self) -> dict[tuple[str, str], list[int | None]]:
        """Return the sequences handled of each stream, in the order that they were."""
        found: dict[tuple[str, str], list[int | None]] = {}
        for subject, source, sequence in await self.effects():
            found.setdefault((subject, source), []).append(sequence)
        return found

    async def state(self) -> str:
        """Return a hash of all that this service has made of what it heard."""
        rows = await self.rows(
            "SELECT id, subject, source, sequence, word FROM effects ORDER BY subject, source, number"
        )
        inbox = await self.rows("SELECT * FROM bus_inbox ORDER BY consumer, subject, source")
        holds = await self.rows("SELECT consumer, subject, source, place, id FROM bus_held ORDER BY 1, 2, 3, 4")
        return hashlib.sha256(repr((rows, inbox, holds)).encode()).hexdigest()

    async def rows(self, query: str) -> Sequence[Any]:
        """Ask the database."""
        async with self.database.reading() as connection:
            return (await connection.execute(text(query))).all()

    async def waiting(self) -> Waiting:
        """Count what is held."""
        async with self.database.reading() as connection:
            return await self.bus.waiting(connection)

    async def dead(self) -> list[dict[str, Any]]:
        """Return the dead letters."""
        async with self.database.reading() as connection:
            return await held.dead(connection, self.bus.consumer, "", 100_000)

    async def busy(self) -> bool:
        """Whether anything is unsent here, or waits for a try."""
        async with self.database.reading() as connection:
            if (await self.bus.backlog(connection)).pending:
                return True
            return await held.next_due(connection, self.bus.consumer) is not None

    async def until(self, done: int) -> None:
        """Wait until so many effects are there."""

        async def enough() -> bool:
            return await self.done() >= done

        await eventually(enough)


class House:
    """Makes ends, and takes them down."""

    real = False

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Clock()
        self.ends: list[End] = []
        self._shared = EmbeddedTransport()

    async def end(
        self,
        name: str,
        *,
        commands: Sequence[str] = (),
        hears: bool = True,
        of: End | None = None,
        start: bool = True,
        relay: bool = True,
        **more: Any,
    ) -> End:
        """Make a service's end. ``of``: a further process of this end's service, on its database."""
        database = of.database if of else Database(await self.address(name), BUS_MIGRATIONS)
        end = End(name, database, self.clock)
        if of is None:
            await database.start()
            number = _NUMBERS["sqlite" if database.embedded else "postgresql"]
            await database.write(lambda connection: connection.execute(text(_EFFECTS.format(number=number))))
        end.transport = self.transport()
        options: dict[str, Any] = {"retry": SOON, "clock": self.clock, "source": f"/{name}"} | more
        handlers = {TYPE: end.record} if hears else None
        asked: Mapping[str, Any] = {queue: {"do.v1": end.record} for queue in commands}
        end.bus = Bus(database, end.transport, handlers=handlers, commands=asked, **options)
        self.ends.append(end)
        if start:
            await self.start(end, relay=relay)
        return end

    async def start(self, end: End, *, relay: bool = True) -> None:
        """Start an end."""
        await end.bus.start(relay=relay)

    def transport(self) -> Transport:
        """Return what a new end is connected by."""
        return self._shared

    async def address(self, name: str) -> str:
        """Return the address of a new database."""
        return f"sqlite+aiosqlite:///{self.folder / f'{name}.db'}"

    async def deliver(self, end: End, *bodies: bytes, order: str = "4711") -> None:
        """Hand bodies to an end as its broker would."""
        del order
        await end.bus.receive(bodies)

    async def settled(self) -> None:
        """Wait until nothing moves: outboxes and queues are empty, and nothing waits for a try."""
        before: list[int] = []
        calm = 0
        until = time.monotonic() + PATIENCE_S
        while calm < 3:
            assert time.monotonic() < until, "messages are still on their way"
            await asyncio.sleep(0.05)
            counts = [sum(vars(end.bus.received).values()) for end in self.ends]
            moving = counts != before or await self.queued() or any([await end.busy() for end in self.ends])
            calm, before = (0 if moving else calm + 1), counts

    async def queued(self) -> int:
        """Return how many messages lie in the broker."""
        return 0

    async def close(self) -> None:
        """Take everything down."""
        for end in self.ends:
            await end.bus.stop()
            await end.transport.close()
        for end in self.ends:
            await end.database.close()


class RealHouse(House):
    """The same on PostgreSQL and RabbitMQ: a virtual host and databases of its own."""

    real = True

    def __init__(self, folder: Path, postgres: str, rabbitmq: RabbitServer, name: str) -> None:
        super().__init__(folder)
        self.server, self.rabbitmq, self.name = postgres, rabbitmq, name
        self.bus_address = f"{rabbitmq.address}{name}"
        self.options: dict[str, Any] = {}
        self._http = httpx.Client(base_url=rabbitmq.management, auth=_LOGIN, trust_env=False, timeout=30)
        self._raw: aio_pika.abc.AbstractConnection | None = None
        self._vhost("PUT")

    def _vhost(self, method: str) -> None:
        self._http.request(method, f"/api/vhosts/{self.name}").raise_for_status()

    async def start(self, end: End, *, relay: bool = True) -> None:
        """Start an end, and wait for its connection."""
        await end.bus.start(relay=relay)
        if isinstance(end.transport, RabbitTransport):
            await asyncio.wait_for(end.transport.connected(), PATIENCE_S)

    def transport(self) -> Transport:
        """Return a connection of this end's own."""
        return RabbitTransport(self.bus_address, **self.options)

    async def address(self, name: str) -> str:
        """Make a database."""
        database = f"{self.name}_{name}"
        engine = create_async_engine(f"{self.server}/postgres", isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(f'CREATE DATABASE "{database}"'))
        await engine.dispose()
        return f"{self.server}/{database}"

    async def raw(self) -> aio_pika.abc.AbstractConnection:
        """Return a connection to the broker beside the bus."""
        if self._raw is None or self._raw.is_closed:
            self._raw = await aio_pika.connect(self.bus_address)
        return self._raw

    async def deliver(self, end: End, *bodies: bytes, order: str = "4711") -> None:
        """Put bodies into the queues of an end."""
        async with (await self.raw()).channel() as channel:
            exchange = await channel.get_exchange(topology.events_exchange(end.bus.consumer), ensure=False)
            for body in bodies:
                message = aio_pika.Message(body, headers={topology.HASHED_BY: order}, delivery_mode=2)
                await exchange.publish(message, "raw")

    async def queued(self) -> int:
        """Return how many messages lie in the broker and are not with a consumer."""
        total = 0
        for end in self.ends:
            for queue in [topology.events_queue(end.bus.consumer, number) for number in range(6)]:
                total += await self.ready(queue) or 0
        return total

    async def ready(self, queue: str) -> int | None:
        """Return how many messages of a queue no consumer has; None without the queue."""
        channel = await (await self.raw()).channel()
        try:
            declared = await channel.declare_queue(queue, passive=True)
        except aio_pika.exceptions.ChannelClosed:
            return None
        await channel.close()
        return declared.declaration_result.message_count

    async def close(self) -> None:
        """Take everything down, and the virtual host with it."""
        await super().close()
        if self._raw is not None:
            with contextlib.suppress(Exception):
                await self._raw.close()
        self._vhost("DELETE")
        self._http.close()
