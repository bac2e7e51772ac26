"""The embedded transport: one process, no server.

A message is durable in the sender's outbox until each receiver has stored it in its own database.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from services.bus.outbox import COMMANDS, CONSUMER, EVENTS
from services.bus.transport import tell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from services.bus.transport import Listen, Outgoing, Receive

LOG: Final = logging.getLogger("touchstone.bus")
SHARE: Final = 100  # messages that a receiver gets before the next one has its turn


class EmbeddedTransport:
    """Hands messages to the receivers of this process. One object is shared by all services of the process."""

    def __init__(self) -> None:
        self._consumers: dict[str, Receive] = {}
        self._workers: dict[str, Receive] = {}
        self._listeners: list[tuple[str, Listen]] = []

    def consume(self, consumer: str, receive: Receive, queues: int = 1) -> None:
        """Hear every event. ``queues`` means nothing here: one process delivers one batch after the other."""
        del queues
        self._consumers[consumer] = receive

    def work(self, queues: Mapping[str, int], receive: Receive, owner: str) -> None:
        """Take commands, from all queues by turns whatever their weight."""
        del owner  # there is no broker that could give up a message
        self._workers |= dict.fromkeys(queues, receive)

    def bury(self, consumer: str, receive: Callable[[bytes, str], Awaitable[None]]) -> None:
        """Hear nothing: there is no broker that could give up a message."""

    def listen(self, message_type: str, callback: Listen) -> None:
        """Hear events of a type."""
        self._listeners.append((message_type, callback))

    async def start(self) -> None:
        """Nothing to connect to."""

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Deliver; a message is confirmed when all its receivers have stored it."""
        refused: set[int] = set()
        for receive, places in _turns(self._routes(messages, refused)):
            try:
                await receive([messages[place].message.to_json() for place in places])
            except Exception as error:  # noqa: BLE001 - whatever it is, the messages stay in the outbox
                LOG.warning("messages cannot be stored now: %s: %s", type(error).__name__, error)
                refused.update(places)
        for place, (target, message) in enumerate(messages):
            if target == EVENTS and place not in refused:
                tell(self._listeners, message)
        return set(range(len(messages))) - refused

    def _routes(self, messages: Sequence[Outgoing], refused: set[int]) -> list[tuple[Receive, list[int]]]:
        """Sort messages by receiver; add to ``refused`` what nobody here receives."""
        routes: dict[str, tuple[Receive, list[int]]] = {}
        for place, (target, _) in enumerate(messages):
            receivers = self._receivers(target)
            if not receivers:
                refused.add(place)
            for name, receive in receivers.items():
                routes.setdefault(name, (receive, []))[1].append(place)
        return list(routes.values())

    def _receivers(self, target: str) -> dict[str, Receive]:
        if target == EVENTS:
            return {CONSUMER + name: receive for name, receive in self._consumers.items()}
        if target.startswith(CONSUMER):
            receive = self._consumers.get(target.removeprefix(CONSUMER))
        else:
            receive = self._workers.get(target.removeprefix(COMMANDS))
        return {target: receive} if receive else {}

    async def close(self) -> None:
        """Deliver nothing any more."""
        self._consumers.clear()
        self._workers.clear()
        self._listeners.clear()


def _turns(routes: list[tuple[Receive, list[int]]]) -> Iterator[tuple[Receive, list[int]]]:
    """Yield each receiver's messages in shares, by turns."""
    for first in range(0, max((len(places) for _, places in routes), default=0), SHARE):
        for receive, places in routes:
            if places[first:]:
                yield receive, places[first : first + SHARE]
