"""The wire that drills break: what it shuffles comes in another order, some of it late, and all of it in the end."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from services.bus import Message, Outgoing, read
from services.bus.outbox import EVENTS
from services.demo.drilled import Wire

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
SAID: Final = [Outgoing(EVENTS, Message(f"m{place}", "/shop", "t", "R-1", NOON, {}, place)) for place in range(1, 21)]


async def come(wire: Wire) -> tuple[list[int], int]:
    """Return the places of messages in the order in which they came to a consumer, and how many tries that took."""
    came: list[int] = []

    async def receive(bodies: Sequence[bytes]) -> None:
        came.extend(read(body).place for body in bodies)

    wire.consume("crm", receive)
    left, tries = list(SAID), 0
    while left:
        confirmed = await wire.publish(left)
        left, tries = [one for place, one in enumerate(left) if place not in confirmed], tries + 1
    return came, tries


async def test_a_shuffling_wire_brings_everything_once_in_another_order_and_some_of_it_late() -> None:
    wire = Wire()
    wire.shuffles = random.Random(5)  # noqa: S311 - chance, not a secret
    came, tries = await come(wire)
    assert sorted(came) == list(range(1, 21))
    assert came != sorted(came)
    assert tries > 1
    assert len(wire.heard) == len(SAID)


async def test_a_sound_wire_brings_everything_in_order_at_once() -> None:
    assert await come(Wire()) == (list(range(1, 21)), 1)
