"""The inbox: each message is applied once and in its stream's order, whatever the broker delivers.

The inbox of a consumer is the last applied place of each stream, under that row's lock, and a table of the messages
that it holds: those that came early, those whose handler failed and is tried again, and the dead ones. Once a batch
is received everything of it is in the database, so the broker may forget it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import sqlite3
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import DBAPIError

from services.bus import held as store
from services.bus.database import undone
from services.bus.held import Held, Place
from services.bus.message import Message, Refusal, Stream, Unreadable, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus.database import Database
    from services.bus.transport import Handler

    Consuming = Callable[[Message], contextlib.AbstractContextManager[Any]]

LOG: Final = logging.getLogger("touchstone.bus")
SECOND: Final = 1_000_000
REASON_KEPT: Final = 2_000
RETRIED_AT_ONCE: Final = 100
# What databases say when the machine, not the message, is at fault: SQLite's codes, and PostgreSQL's classes of
# SQLSTATE (connections, resources, an operator's hand, the system; PostgreSQL, appendix A).
_MACHINE: Final = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
}
_MACHINE_CLASSES: Final = ("08", "53", "57", "58")
_CANCELED: Final = "57014"  # a statement that took too long: that may well be the message's fault
_MACHINE_ERRNOS: Final = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE}


class HandlerFailed(Exception):
    """A handler failed at this message."""

    def __init__(self, message: Message, body: bytes, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.message, self.body, self.cause = message, body, cause

    @property
    def reason(self) -> str:
        """What went wrong, as any database can store it."""
        return str(self).encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")[:REASON_KEPT]


@dataclass(frozen=True)
class Retry:
    """When a failed message is tried again: ``first_s`` later, then each time twice as late, ``limit`` times in all."""

    limit: int = 5
    first_s: float = 0.5
    longest_s: float = 60.0

    def wait_us(self, failures: int) -> int:
        """Return the time until the next try."""
        return round(min(self.first_s * (1 << (failures - 1)), self.longest_s) * SECOND)


@dataclass
class Received:
    """What became of a batch."""

    applied: int = 0
    duplicates: int = 0
    parked: int = 0
    failed: int = 0
    died: int = 0
    unreadable: int = 0

    def add(self, other: Received) -> None:
        """Count another batch's outcome too."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class _State:
    """A stream during a batch: how far it is applied, and what of it is held, by place."""

    applied: int
    held: dict[int, Held] = field(default_factory=dict)


class Inbox:
    """Receives for one consumer, in one service's database."""

    def __init__(
        self,
        consumer: str,
        database: Database,
        handlers: Mapping[str, Handler],
        clock: Callable[[], int],
        retry: Retry | None = None,
        consuming: Consuming | None = None,
    ) -> None:
        """``clock``: microseconds since 1970 UTC. ``consuming``: what surrounds each call of a handler (tracing)."""
        self.consumer, self.database, self.handlers, self.clock = consumer, database, handlers, clock
        self.retry = retry or Retry()
        self.consuming = consuming or (lambda _message: contextlib.nullcontext())

    async def receive(self, bodies: Sequence[bytes]) -> Received:
        """Apply or hold messages; on return all of it is stored. Raises where the database cannot be used."""
        messages: list[tuple[Message, bytes]] = []
        total = Received()
        for body in bodies:
            try:
                messages.append((read(body), body))
            except Unreadable as error:
                await self.database.write(partial(self._bury_unreadable, body, str(error)))
                total.unreadable += 1
        await self._take_in(messages, total)
        return total

    async def _take_in(self, messages: Sequence[tuple[Message, bytes]], total: Received) -> None:
        while messages:
            try:
                total.add(await self.database.write(partial(self._apply, messages)))
            except HandlerFailed as error:
                failure = error
            except DBAPIError as error:
                if _not_its_fault(error):
                    raise
                if len(messages) > 1:
                    # No handler raised it (a constraint may be checked at commit): each alone shows whose fault it is.
                    for one in messages:
                        await self._take_in([one], total)
                    return
                failure = HandlerFailed(*messages[0], error)
            else:
                return
            # What the batch did is undone. The one that failed is held now, and the rest goes again without it.
            total.add(await self._failed(failure))
            messages = [(message, body) for message, body in messages if _place(message) != _place(failure.message)]

    async def retry_due(self) -> Received:
        """Try again what is due."""
        async with self.database.glancing() as connection:
            bodies = await store.due(connection, self.consumer, self.clock(), RETRIED_AT_ONCE)
        return await self.receive(bodies)

    async def _apply(self, messages: Sequence[tuple[Message, bytes]], connection: AsyncConnection) -> Received:
        streams = sorted({message.stream for message, _ in messages})
        applied = await store.lock(connection, self.consumer, streams)
        states = {stream: _State(place) for stream, place in applied.items()}
        for one in await store.of_streams(connection, self.consumer, streams):
            states[Stream(one.subject, one.source)].held[one.place] = one
        work = _Work(self, connection, states)
        for message, body in messages:
            await work.take(message, body)
        await store.move(
            connection, self.consumer, {s: states[s].applied for s in streams if states[s].applied > applied[s]}
        )
        await store.release(connection, self.consumer, work.released)
        await store.shelve(connection, self.consumer, work.shelved)
        await store.hold(connection, self.consumer, list(work.parked.values()), self.clock())
        return work.received

    async def handle(self, connection: AsyncConnection, message: Message, body: bytes) -> None:
        """Run the handler of a message, if there is one. Raises HandlerFailed where that is to blame."""
        handler = self.handlers.get(message.type)
        if handler is None:
            return
        try:
            with self.consuming(message):
                await handler(connection, message)
        except Exception as error:
            if _not_its_fault(error):
                raise
            raise HandlerFailed(message, body, error) from error

    async def _failed(self, failure: HandlerFailed) -> Received:
        """Record that a handler failed: the message is held, to be tried again or, after too many tries, as dead."""
        message, now = failure.message, self.clock()
        given_up = isinstance(failure.cause, Refusal)

        async def work(connection: AsyncConnection) -> int | None:
            applied = (await store.lock(connection, self.consumer, [message.stream]))[message.stream]
            if message.place <= applied:  # another process has got it done meanwhile
                return None
            before = await store.find(connection, self.consumer, _place(message))
            failures = 1 + (before["failures"] if before else 0)
            dead = given_up or failures >= self.retry.limit
            row = {
                **_place(message)._asdict(),
                "id": message.id,
                "type": message.type,
                "body": failure.body,
                "arrived_at": before["arrived_at"] if before else now,
                "failures": failures,
                "due_at": None if dead else now + self.retry.wait_us(failures),
                "dead_at": now if dead else None,
                "reason": failure.reason,
            }
            await store.put(connection, self.consumer, row)
            return failures if dead else None

        died = await self.database.write(work)
        fields = {"order_id": message.subject, "message_id": message.id, "consumer": self.consumer}
        if died is not None:
            LOG.error("a message is dead after %d failures: %s", died, failure, extra=fields, exc_info=failure.cause)
            return Received(failed=1, died=1)
        LOG.warning("a handler failed and will be tried again: %s", failure, extra=fields)
        return Received(failed=1)

    async def _bury_unreadable(self, body: bytes, reason: str, connection: AsyncConnection) -> None:
        now = self.clock()
        key = f"sha256:{hashlib.sha256(body).hexdigest()}"
        row = Held(key, key, "", store.UNREADABLE, body, dead_at=now)._asdict() | {"arrived_at": now, "reason": reason}
        await store.put(connection, self.consumer, row)
        LOG.error("a message cannot be read, so some order lacks it: %s", reason, extra={"consumer": self.consumer})

    async def bury_foreign(self, body: bytes, reason: str) -> None:
        """Record a message that the broker gave up by itself as dead, unless it has been dealt with."""

        async def work(connection: AsyncConnection) -> None:
            try:
                message = read(body)
            except Unreadable as error:
                await self._bury_unreadable(body, str(error), connection)
                return
            applied = (await store.lock(connection, self.consumer, [message.stream]))[message.stream]
            if message.place <= applied or await store.find(connection, self.consumer, _place(message)):
                return
            now = self.clock()
            row = Held(message.id, *_place(message), body, dead_at=now)._asdict()
            row |= {"arrived_at": now, "type": message.type, "reason": reason}
            await store.put(connection, self.consumer, row)
            fields = {"order_id": message.subject, "message_id": message.id, "consumer": self.consumer}
            LOG.error("the broker gave up a message: %s", reason, extra=fields)

        await self.database.write(work)


class _Work:
    """One batch in its transaction."""

    def __init__(self, inbox: Inbox, connection: AsyncConnection, states: dict[Stream, _State]) -> None:
        self.inbox, self.connection, self.states = inbox, connection, states
        self.now = inbox.clock()
        self.received = Received()
        self.parked: dict[Place, Held] = {}
        self.released: list[Place] = []
        self.shelved: list[Place] = []

    async def take(self, message: Message, body: bytes) -> None:
        """Apply a message and whatever waited for it, or hold it, or drop it as a duplicate."""
        state = self.states[message.stream]
        known = state.held.get(message.place)
        if message.place == state.applied + 1 and (known is None or self._due(known)):
            await self._run(state, message, body)
            await self._drain(state)
        elif message.place > state.applied and known is None:
            early = Held(message.id, *_place(message), body)
            state.held[message.place] = self.parked[_place(message)] = early
            self.received.parked += 1
        elif known is not None and known.due_at is not None and message.place > state.applied and self._due(known):
            # It failed once, and now the one before it fails or is missing: its turn comes after that one.
            state.held[message.place] = known._replace(due_at=None)
            self.shelved.append(_place(message))
        else:
            self.received.duplicates += 1
            if known is not None and message.place <= state.applied:
                self.released.append(_place(message))

    def _due(self, held: Held) -> bool:
        return held.dead_at is None and (held.due_at is None or held.due_at <= self.now)

    async def _drain(self, state: _State) -> None:
        """Apply what waited, as far as there is no gap."""
        while (waiting := state.held.get(state.applied + 1)) is not None and self._due(waiting):
            await self._run(state, read(waiting.body), waiting.body)

    async def _run(self, state: _State, message: Message, body: bytes) -> None:
        await self.inbox.handle(self.connection, message, body)
        state.applied = message.place
        self.received.applied += 1
        held = state.held.pop(message.place, None)
        if held is not None and self.parked.pop(_place(message), None) is None:
            self.released.append(_place(message))


def _place(message: Message) -> Place:
    return Place(*message.stream, message.place)


def _not_its_fault(error: Exception) -> bool:
    """Whether an error says that the machine or the database, not the message, is in trouble."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError) and error.errno in _MACHINE_ERRNOS
    code = getattr(error.orig, "sqlite_errorcode", None)
    state = str(getattr(error.orig, "sqlstate", None) or "")
    trouble = state.startswith(_MACHINE_CLASSES) and state != _CANCELED
    trouble = trouble or (code is not None and code & 0xFF in _MACHINE)
    return error.connection_invalidated or undone(error) or trouble
