"""Every handler of the adapter may run twice with the same message; what it hears late or wrong does no harm."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from services.bus import Message, Refusal
from services.contract import CRM, MES, ORDER_REQUOTE, SHOP, STATUS_CHANGED, OrderFacts, Status, StatusChanged
from services.mes import tables
from services.mes.handlers import COMMANDS, HANDLERS, bound
from services.mes.model import REACTIONS, Belief, believe, merged, micros, wait_us
from tests.mes import ANSWERS, ORDER, START, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mes import Room

FACTS = OrderFacts(channel="b2b", product="ring", promised_at=START + timedelta(days=21))
ALL = {**HANDLERS, **COMMANDS}


def message(kind: str, source: str, status: Status | None, minute: int) -> Message:
    """Return an event, or the command."""
    data: dict[str, Any] = {"model": "ab" * 32}
    if status is not None:
        data = StatusChanged(status=status, order=FACTS).document()
    sequence = None if status is None else minute
    return Message(f"m{minute}", source, kind, ORDER, START + timedelta(minutes=minute), data, sequence, None)


MESSAGES = [
    message(STATUS_CHANGED, SHOP, Status.INITIATED, 1),
    message(STATUS_CHANGED, SHOP, Status.SUBMITTED, 2),
    message(STATUS_CHANGED, MES, Status.PRICE_CALCULATED, 3),
    message(ORDER_REQUOTE, CRM, None, 4),
    message(STATUS_CHANGED, CRM, Status.AWAITING_CUSTOMER, 5),
    message(STATUS_CHANGED, CRM, Status.MANUFACTURING_APPROVED, 6),
    message(STATUS_CHANGED, CRM, Status.REJECTED, 7),
    message(STATUS_CHANGED, CRM, Status.CANCELLED, 8),
]


async def handle(room: Room, heard: Message) -> None:
    """Run a handler in a transaction of its own, past the inbox."""
    handler = bound(room.service.asking, ALL)[heard.type]
    await room.service.database.write(lambda connection: handler(connection, heard))


async def state(room: Room) -> list[Any]:
    """Return all that the adapter has stored."""
    async with room.service.database.reading() as connection:
        rows = [(await connection.execute(select(table))).all() for table in (tables.orders, tables.calls)]
    return [tuple(row) for found in rows for row in found]


def test_every_handler_is_run_twice_here() -> None:
    """Those of the workers' answers are run twice in every order, in test_mes_pricing.py."""
    assert {heard.type for heard in MESSAGES} | set(ANSWERS) == set(ALL)
    assert {(heard.source, heard.data.get("status")) for heard in MESSAGES} > set(REACTIONS)


@pytest.mark.parametrize("twice", MESSAGES, ids=lambda heard: heard.data.get("status", "requote"))
async def test_a_message_handled_twice_leaves_the_state_that_once_leaves(tmp_path: Path, twice: Message) -> None:
    async with running(tmp_path) as room:
        for heard in MESSAGES:
            await handle(room, heard)
            if heard is twice:
                once = await state(room)
                await handle(room, heard)
                assert await state(room) == once
        before = await state(room)
        await handle(room, twice)
        assert await state(room) == before


async def test_events_of_two_systems_in_either_order_end_in_one_state(tmp_path: Path) -> None:
    """What the CRM decided is believed, whether the shop's earlier word comes before or after it."""
    ends = []
    for name, heard in (("forth", MESSAGES), ("back", MESSAGES[::-1])):
        folder = tmp_path / name
        folder.mkdir()
        async with running(folder) as room:
            for one in heard:
                if one.type == STATUS_CHANGED:
                    await handle(room, one)
            found = await room.get("/statuses", "riku")
            ends.append(found["orders"])
    assert ends[0] == ends[1]
    assert ends[0][0]["status"] == "CANCELLED"


@pytest.mark.parametrize("data", [{}, {"status": "MELTED", "order": FACTS.document()}, {"status": "SUBMITTED"}])
async def test_an_event_that_cannot_be_read_is_refused_with_the_field(tmp_path: Path, data: dict[str, Any]) -> None:
    heard = Message("m", SHOP, STATUS_CHANGED, ORDER, START, data, 1, None)
    async with running(tmp_path) as room:
        with pytest.raises(Refusal, match=r"`data\.(status|order)` of order\.status\.changed\.v1"):
            await handle(room, heard)


async def test_a_requote_of_an_order_not_heard_of_yet_is_tried_again_later(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        with pytest.raises(LookupError, match="nothing was heard of the order"):
            await handle(room, MESSAGES[3])


def test_believing_takes_news_of_the_owner_only() -> None:
    at = micros(START)
    before = Belief(Status.PRICE_CALCULATING, at, at, MES, 1)
    later = Belief(Status.PRICE_CALCULATING, at + 5, at + 5, MES, 2)
    assert believe(None, before) == before
    assert believe(before, Belief(Status.SUBMITTED, at, at, SHOP, 9)) == before
    assert believe(before, Belief(Status.PRICE_CALCULATED, at, at, MES, 2)) == Belief(
        Status.PRICE_CALCULATED, at, at, MES, 2
    )
    assert believe(before, Belief(Status.SHIPPED, at + 9, at + 9, CRM, 2)) == before
    assert believe(before, later) == Belief(Status.PRICE_CALCULATING, at, at + 5, MES, 2)
    assert believe(later, before) == later


def test_a_source_whose_clock_was_set_back_is_believed_by_its_sequence() -> None:
    at = micros(START)
    before = Belief(Status.PRICE_CALCULATED, at, at, MES, 4)
    again = believe(before, Belief(Status.PRICE_CALCULATING, at - 9, at - 9, MES, 5))
    assert again == Belief(Status.PRICE_CALCULATING, at, at, MES, 5)


def test_facts_fill_in_what_was_missing_and_change_nothing() -> None:
    known = OrderFacts(channel="b2b", product="ring", customer="c1")
    heard = OrderFacts(channel="shop", product="pendant", customer="c2", model="ab")
    assert merged(known, heard) == OrderFacts(channel="b2b", product="ring", customer="c1", model="ab")


def test_waits_double_up_to_five_minutes_and_chance_keeps_callers_apart() -> None:
    seconds = [wait_us(attempts, 1) / 1e6 for attempts in range(12)]
    assert seconds == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert wait_us(3, 0) == wait_us(3, 1) / 2
    assert wait_us(10_000, 1) == 300_000_000
