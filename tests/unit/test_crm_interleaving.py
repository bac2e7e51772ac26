"""Whichever system's event comes first, an order's file ends in the same state."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from services.contract import Status
from tests import crm
from tests.crm import FACTS, START, Desk, running

if TYPE_CHECKING:
    from services.bus import Message

PATHS: Final = (
    (Status.PRICE_CALCULATING, Status.PRICE_CALCULATED),
    (Status.PRICE_CALCULATING, Status.PRICE_FAILED, Status.PRICE_CALCULATING, Status.PRICE_CALCULATED),
    (Status.PRICE_CALCULATED, Status.PRICE_CALCULATED, Status.MANUFACTURING_STARTED),
    (Status.PRICE_CALCULATED, Status.MANUFACTURING_STARTED, Status.MANUFACTURING_COMPLETED, Status.SHIPPED),
    (Status.PRICE_CALCULATING, Status.PRICE_FAILED),
)
SHOP: Final = (Status.INITIATED, Status.SUBMITTED)
PARTIAL: Final = FACTS.model_copy(update={"customer_name": None, "item": None})
hours = st.lists(st.integers(-6, 6), min_size=6, max_size=6).map(sorted)


def messages(desk: Desk, order: str, statuses: tuple[Status, ...], moments: list[int], amount: int) -> list[Message]:
    """Return one system's events: hours around the moment at which the desk decides."""
    made = []
    for status, hour in zip(statuses, moments, strict=False):
        said: dict[str, Any] = {}
        if status is Status.PRICE_CALCULATED:
            said = {"price": {"amount": str(amount), "currency": "EUR"}, "valid_until": START + timedelta(days=1)}
        facts = FACTS if status in SHOP else PARTIAL
        made.append(desk.event(order, status, facts=facts, at=START + timedelta(hours=hour), **said))
    return made


async def end(desk: Desk, order: str, turns: list[bool], shop: list[Message], mes: list[Message]) -> Any:
    """Have the events of two systems come in turns (True: the workshop's), and return the file."""
    left = {True: list(mes), False: list(shop)}
    for turn in [*turns, *[False] * len(shop), *[True] * len(mes)]:
        if left[turn]:
            await desk.hear(left[turn].pop(0))
    found = await desk.order(order)
    del found["order"]
    return found


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(PATHS), hours, hours, st.sampled_from([500, 900]), st.booleans(), st.lists(st.booleans()))
def test_the_order_of_arrival_between_systems_does_not_matter(
    path: tuple[Status, ...],
    shop_hours: list[int],
    mes_hours: list[int],
    amount: int,
    good: bool,  # noqa: FBT001 - Hypothesis draws it
    turns: list[bool],
) -> None:
    async def check() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with running(crm.settings(Path(folder))) as desk:
                if good:
                    await desk.good()
                ends = []
                for order, way in (("first", []), ("second", turns)):
                    shop = messages(desk, order, SHOP, shop_hours, amount)
                    mes = messages(desk, order, path, mes_hours, amount)
                    ends.append(await end(desk, order, way, shop, mes))
                assert ends[0] == ends[1]

    asyncio.run(check())
