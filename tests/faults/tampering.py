"""A transport that doubles and shuffles what is published, and drops nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.faults import board as cells

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from services.bus import Outgoing, Transport
    from services.bus.transport import Listen, Receive

    Count = Callable[[int, int], None]

DOUBLED: Final = 0.10
SHUFFLED: Final = 0.30
_MOST_KEPT: Final = 200


class Tampering:
    """Stands before a transport. ``count(cell, number)`` hears of each message sent, doubled and shuffled."""

    def __init__(self, transport: Transport, chance: random.Random, count: Count) -> None:
        self._transport, self._chance, self._count = transport, chance, count
        self._copies: list[Outgoing] = []

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Send a window otherwise than told; return the places of what was confirmed, as a transport does.

        Of the shuffled, half change places within the window; the others stay unsent, so that the relay sends them in
        a later one. Of the doubled, half are sent twice in this window; of the others a copy follows in the next one.
        """
        places, shuffled, postponed = self._shuffled(len(messages))
        doubled = [place for place in places if self._chance.random() < DOUBLED]
        late = [place for place in doubled if self._chance.random() < 0.5]
        copies, self._copies = self._copies, [messages[place] for place in late][:_MOST_KEPT]
        window = [(place, messages[place]) for place in places]
        window += [(place, messages[place]) for place in doubled if place not in late]
        window += [(-1, copy) for copy in copies]
        confirmed = await self._transport.publish([outgoing for _, outgoing in window])
        self._count(cells.SENT, len(places))
        self._count(cells.DOUBLED, len(doubled))
        self._count(cells.SHUFFLED, len(shuffled))
        # Each of a doubled message's two must have arrived: else the relay sends it once more.
        failed = {place for at, (place, _) in enumerate(window) if at not in confirmed}
        return set(range(len(messages))) - postponed - failed

    def _shuffled(self, size: int) -> tuple[list[int], list[int], set[int]]:
        """Return the places to send, in which order; which are shuffled; and which of these are left for later."""
        chosen = [place for place in range(size) if self._chance.random() < SHUFFLED]
        postponed = {place for place in chosen if self._chance.random() < 0.5}
        moved = [place for place in chosen if place not in postponed]
        others = [place for place in range(size) if place not in chosen]
        for place in moved:
            others.insert(self._chance.randrange(len(others) + 1), place)
        return others, chosen, postponed

    def consume(self, consumer: str, receive: Receive, queues: int) -> None:
        """As the transport does."""
        self._transport.consume(consumer, receive, queues)

    def work(self, queues: Mapping[str, int], receive: Receive, owner: str) -> None:
        """As the transport does."""
        self._transport.work(queues, receive, owner)

    def bury(self, consumer: str, receive: Callable[[bytes, str], Awaitable[None]]) -> None:
        """As the transport does."""
        self._transport.bury(consumer, receive)

    def listen(self, message_type: str, callback: Listen) -> None:
        """As the transport does."""
        self._transport.listen(message_type, callback)

    async def start(self) -> None:
        """As the transport does."""
        await self._transport.start()

    async def close(self) -> None:
        """As the transport does."""
        await self._transport.close()
