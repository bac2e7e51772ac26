"""What carries messages between services: RabbitMQ, or the process itself (embedded)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from services.bus.message import Message

LOG: Final = logging.getLogger("touchstone.bus")

# What a service does about a message, in the transaction that also says it was done. It never commits.
Handler = Callable[[AsyncConnection, Message], Awaitable[None]]
# Takes bodies, and returns when all of them are stored. What raises is delivered again.
Receive = Callable[[Sequence[bytes]], Awaitable[object]]
Listen = Callable[[Message], None]


class Outgoing(NamedTuple):
    """A message and whereto it goes, in the words of the outbox."""

    target: str
    message: Message


class Transport(Protocol):
    """Carries messages, at least once. What is registered before ``start`` begins with it."""

    def consume(self, consumer: str, receive: Receive, queues: int) -> None:
        """Hear every event, those of one subject in order, from ``queues`` queues that share the subjects by hash."""

    def work(self, queues: Mapping[str, int], receive: Receive, owner: str) -> None:
        """Take commands from queues that other workers take from too. ``queues``: each one's weight.

        What the broker gives up of them goes to the dead letters of the ``owner``, a consumer.
        """

    def bury(self, consumer: str, receive: Callable[[bytes, str], Awaitable[None]]) -> None:
        """Hear, with the reason, of messages to this consumer that the broker gave up by itself."""

    def listen(self, message_type: str, callback: Listen) -> None:
        """Hear events of a type in every process, from now on, best effort."""

    async def start(self) -> None:
        """Connect, and begin to deliver. Raises BadInput where the broker's address is none."""

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Send messages; return the places in ``messages`` of those that are stored on the other side."""

    async def close(self) -> None:
        """Stop delivering, and let go of everything."""


def tell(listeners: Iterable[tuple[str, Listen]], message: Message) -> None:
    """Call the listeners of a message's type; what fails there is their trouble alone."""
    for message_type, callback in listeners:
        if message.type == message_type:
            try:
                callback(message)
            except Exception:
                LOG.exception("a listener to %s failed", message_type)
