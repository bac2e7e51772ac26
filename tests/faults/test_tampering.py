"""Tampering doubles and shuffles what a relay sends, and loses nothing of it."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.bus import EmbeddedTransport, Message, Outgoing
from tests.faults.board import DOUBLED, SENT, SHUFFLED, Board
from tests.faults.tampering import Tampering

if TYPE_CHECKING:
    from collections.abc import Sequence

MESSAGES = 2_000
WINDOW = 20


class Unsteady(EmbeddedTransport):
    """Confirms most of what it gets, at random."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance, self.got = chance, []  # type: ignore[var-annotated]

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Confirm nine in ten."""
        confirmed = {place for place in range(len(messages)) if self.chance.random() < 0.9}
        self.got += [messages[place].message.id for place in sorted(confirmed)]
        return confirmed


def outgoing(number: int) -> Outgoing:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    return Outgoing("events", Message(str(number), "/shop", "t", "order", moment, {}, sequence=number))


async def sent_by_a_relay(seed: int) -> tuple[list[str], Board]:
    chance, board = random.Random(seed), Board()  # noqa: S311 - repeatable
    transport = Unsteady(chance)
    tampering = Tampering(transport, chance, lambda cell, number: board.add(0, cell, number))
    unsent = [outgoing(number) for number in range(1, MESSAGES + 1)]
    while unsent:
        window = unsent[:WINDOW]
        confirmed = await tampering.publish(window)
        unsent = [one for place, one in enumerate(window) if place not in confirmed] + unsent[WINDOW:]
    return transport.got, board


async def test_all_arrives_however_it_is_tampered_with() -> None:
    got, _ = await sent_by_a_relay(1)
    assert set(got) == {str(number) for number in range(1, MESSAGES + 1)}


async def test_a_tenth_is_doubled_and_three_tenths_are_shuffled() -> None:
    got, board = await sent_by_a_relay(2)
    offered = board.total(SENT)
    assert max(Counter(got).values()) > 1
    assert 0.08 < board.total(DOUBLED) / offered < 0.12
    assert board.total(SHUFFLED) / offered > 0.25
    assert got != sorted(got, key=int)
