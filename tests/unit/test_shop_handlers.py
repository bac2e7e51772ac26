"""What the shop hears: once or twice, early or late, from whomever: the same state."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from services.bus import Message, Refusal
from services.contract import CRM, MES, OWNER, SHOP, STATUS_CHANGED, Status
from services.shop.handlers import HANDLERS
from services.shop.model import Heard, standing
from services.shop.tables import metadata
from tests.unit.test_shop import PRICE, START, running

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from tests.unit.test_shop import Shop

FACTS = {"channel": "b2b", "product": "ring", "customer": "c1", "promised_at": "2026-04-01T00:00:00Z"}
EXAMPLES: dict[str, dict[str, Any]] = {
    STATUS_CHANGED: {
        "status": "PRICE_CALCULATED",
        "order": FACTS,
        "price": {"amount": "412.50", "currency": "EUR"},
        "reason": "by weight",
        "problems": ["The band is 0.4 mm thin.", "A gap is narrow."],
        "picture": "ef" * 32,
    },
}


async def _state(shop: Shop) -> dict[str, list[Any]]:
    async with shop.service.database.reading() as connection:
        return {
            table.name: sorted(map(str, (await connection.execute(select(table))).all()))
            for table in metadata.sorted_tables
        }


async def _handle(shop: Shop, message: Message) -> None:
    """Run the handler as it is, past the inbox that would let a message through once only."""

    async def work(connection: AsyncConnection) -> None:
        await HANDLERS[message.type](connection, message)

    await shop.service.database.write(work)


@pytest.mark.parametrize("message_type", HANDLERS)
async def test_a_handler_that_runs_twice_leaves_the_state_of_once(tmp_path: Path, message_type: str) -> None:
    message = Message("m1", MES, message_type, "X-1", START, EXAMPLES[message_type], 1)
    async with running(tmp_path) as shop:
        before = await _state(shop)
        await _handle(shop, message)
        once = await _state(shop)
        assert once != before
        await _handle(shop, message)
        assert await _state(shop) == once


@pytest.mark.parametrize("message_type", HANDLERS)
async def test_data_that_no_retry_can_mend_is_refused_with_its_field(tmp_path: Path, message_type: str) -> None:
    async with running(tmp_path) as shop:
        with pytest.raises(Refusal, match=r"data\.status"):
            await _handle(shop, Message("m1", MES, message_type, "X-1", START, {"status": "LOST", "order": FACTS}, 1))


async def test_its_own_events_come_back_harmlessly(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        own: list[Message] = []
        shop.service.bus.on_broadcast(STATUS_CHANGED, own.append)
        _, headers = await shop.customer()
        order = await shop.submitted(headers)
        while len(own) < 2:
            await shop.service.bus.relay.once()
        before = await _state(shop)
        for message in own:
            await _handle(shop, message)
        assert await _state(shop) == before
        assert len((await shop.get(f"/orders/{order}", headers))["events"]) == 2


async def test_sources_may_come_in_any_order_among_each_other(tmp_path: Path) -> None:
    """Events of an order that the shop has not heard of: whichever source comes first, the state is the same."""
    states = []
    for place, order_of_sources in enumerate(permutations((SHOP, MES, CRM))):
        folder = tmp_path / str(place)
        folder.mkdir()
        async with running(folder) as shop:
            told = [
                shop.says(SHOP, "X-1", Status.INITIATED),
                shop.says(SHOP, "X-1", Status.SUBMITTED),
                shop.says(MES, "X-1", Status.PRICE_CALCULATING, progress=0.5),
                shop.says(MES, "X-1", Status.PRICE_CALCULATED, price=PRICE),
                shop.says(CRM, "X-1", Status.MANUFACTURING_APPROVED),
            ]
            for source in order_of_sources:
                await shop.hear(*(message for message in told if message.source == source))
            state = await _state(shop)
            states.append((state["orders"], state["order_statuses"]))
    assert len(states) == 6
    assert all(state == states[0] for state in states)
    assert "MANUFACTURING_APPROVED" in states[0][0][0]
    assert "412.50" in states[0][0][0]


def _heard(*told: tuple[str, int, Status, float], **more: Any) -> Sequence[Heard]:
    return [Heard(source, place, status, START + timedelta(hours=at), **more) for source, place, status, at in told]


def test_of_one_moment_the_higher_rank_came_last() -> None:
    found = standing(_heard((MES, 1, Status.PRICE_CALCULATED, 1), (SHOP, 1, Status.SUBMITTED, 1)))
    assert found["status"] is Status.PRICE_CALCULATED


def test_a_time_that_runs_backwards_within_a_source_is_that_of_the_event_before() -> None:
    told = _heard((MES, 1, Status.MANUFACTURING_STARTED, 5), (MES, 2, Status.MANUFACTURING_COMPLETED, 4))
    found = standing(told)
    assert (found["status"], found["since"]) == (Status.MANUFACTURING_COMPLETED, START + timedelta(hours=5))


def test_of_one_source_and_moment_the_higher_sequence_came_last() -> None:
    told = _heard((MES, 1, Status.PRICE_CALCULATED, 5), (MES, 2, Status.PRICE_CALCULATING, 4))
    assert standing(told)["status"] is Status.PRICE_CALCULATING


def test_progress_does_not_begin_a_status_again_but_rework_does() -> None:
    told = (
        (MES, 1, Status.PRICE_CALCULATING, 1),
        (MES, 2, Status.PRICE_FAILED, 2),
        (MES, 3, Status.PRICE_CALCULATING, 3),
        (MES, 4, Status.PRICE_CALCULATING, 4),
    )
    found = standing(_heard(*told))
    assert (found["since"], found["sequence"]) == (START + timedelta(hours=3), 4)


def test_the_latest_price_counts_whatever_status_came_after() -> None:
    priced = _heard((MES, 1, Status.PRICE_CALCULATED, 1), price=PRICE)
    found = standing([*_heard((CRM, 1, Status.MANUFACTURING_APPROVED, 2)), *priced])
    assert (found["status"], found["price"]) == (Status.MANUFACTURING_APPROVED, PRICE)


def test_problems_and_picture_are_of_the_last_price_and_gone_while_another_is_calculated() -> None:
    """The model may be another one then; what follows the price changes nothing."""
    found: dict[str, Any] = {"problems": ("thin",), "picture": "ef" * 32}
    priced = _heard((MES, 1, Status.PRICE_CALCULATED, 1), **found)
    asked = [*priced, *_heard((CRM, 1, Status.AWAITING_CUSTOMER, 2))]
    assert {name: standing(asked)[name] for name in found} == found
    again = standing([*asked, *_heard((MES, 2, Status.PRICE_CALCULATING, 3))])
    assert (again["problems"], again["picture"]) == ((), None)


def test_every_status_has_an_owner_that_the_shop_would_hear() -> None:
    assert set(OWNER) == set(Status)
