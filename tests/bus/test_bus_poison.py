"""Poison: what no handler can take is set aside with its reason, and stops nothing but its own order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from tests.bus.house import eventually

if TYPE_CHECKING:
    from services.bus import Message
    from tests.bus.house import House

ORDERS: Final = 1_000
EACH: Final = 10
POISON: Final = 100


async def test_a_hundred_poisonous_events_in_ten_thousand(house: House) -> None:
    """Exactly they are dead letters, with reasons; exactly their successors are parked; after the fix all is done."""
    shop, crm = await house.end("shop", hears=False), await house.end("crm")
    chance = random.Random(4)  # noqa: S311 - a seeded choice
    poisonous = {f"o{order}": chance.randint(1, EACH) for order in chance.sample(range(ORDERS), POISON)}

    def trouble(message: Message) -> None:
        if poisonous.get(message.subject) == message.sequence:
            raise LookupError(f"no price for {message.subject}")

    crm.trouble = trouble
    orders = [f"o{order}" for order in range(ORDERS)]
    for _ in range(EACH):
        await shop.say(*orders)
    successors = sum(EACH - place for place in poisonous.values())

    async def all_but_those() -> bool:
        waiting = await crm.waiting()
        return (waiting.dead, waiting.parked, waiting.retrying) == (POISON, successors, 0)

    await eventually(all_but_those)
    await house.settled()
    letters = {(row["subject"], row["place"]): row["reason"] for row in await crm.dead()}
    assert letters == {key: f"LookupError: no price for {key[0]}" for key in poisonous.items()}
    assert await crm.waiting() == (successors, 0, POISON, 0, 0)
    done = await crm.by_stream()
    for order in orders:
        handled = list(range(1, poisonous.get(order, EACH + 1)))
        assert done.get((order, "/shop"), []) == handled

    crm.trouble = lambda _message: None
    assert await crm.bus.revive() == POISON
    await crm.until(ORDERS * EACH)
    await house.settled()
    assert await crm.by_stream() == {(order, "/shop"): list(range(1, EACH + 1)) for order in orders}
    assert await crm.waiting() == (0, 0, 0, 0, 0)
