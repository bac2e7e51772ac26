"""The demo's six weeks: what the services would have said, and what of it each of them finds in its own tables."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest
from sqlalchemy import text

from collectors.demo import Watcher
from instrumentation.errors import BadInput
from services.contract import MESSAGES, OWNER, STATUS_CHANGED, Status, StatusChanged
from services.demo.faults import FAULTS, NONE, fault_of, listed
from services.demo.loading import load
from services.demo.past import PROMISE
from services.shop.handlers import status_changed as shop_hears
from tests.demo import SmallWatcher, past_of, small_demo, state_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Message
    from services.demo.house import House
    from services.demo.past import Past

NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
BELIEFS: Final = {
    "shop": "SELECT id, status, source, sequence FROM orders",
    "crm": "SELECT order_id, status, source, sequence FROM files",
    "mes": "SELECT order_id, status, source, sequence FROM adapter_orders",
}


@pytest.fixture(scope="module")
def whole() -> Past:
    return past_of(Watcher(), NOW)


@contextlib.asynccontextmanager
async def loaded(folder: Path) -> AsyncIterator[tuple[House, Past]]:
    """Load a small past, and open the databases without the services' own tasks."""
    demo = small_demo(folder)
    past = past_of(SmallWatcher(), NOW)
    await load(demo.house, past)
    services = (demo.house.shop, demo.house.crm, demo.house.mes)
    for service in services:
        await service.database.start()
    try:
        yield demo.house, past
    finally:
        for service in services:
            await service.stop()


def statuses(past: Past) -> dict[str, list[tuple[Message, StatusChanged]]]:
    told = defaultdict(list)
    for message in past.messages:
        if message.type == STATUS_CHANGED:
            told[message.subject].append((message, StatusChanged.model_validate(message.data)))
    return dict(told)


def test_the_past_holds_orders_in_every_status(whole: Past) -> None:
    """Closed ones by the hundred, and open ones wherever an order can be."""
    last = [told[-1][1].status for told in statuses(whole).values()]
    assert set(last) >= {*Status} - {Status.PRICE_FAILED, Status.PRICE_CALCULATING, Status.SUBMITTED}
    assert last.count(Status.CLOSED) > 200


def test_the_past_keeps_the_contract(whole: Past) -> None:
    """Every message reads by its contract, comes from who owns its status, and none lies ahead."""
    for message in whole.messages:
        said = MESSAGES[message.type].model_validate(message.data)
        if isinstance(said, StatusChanged):
            assert OWNER[said.status] == message.source
    assert all(message.time < NOW for message in whole.messages)
    assert all(before.time <= after.time for before, after in pairwise(whole.messages))
    assert len({(message.source, message.id) for message in whole.messages}) == len(whole.messages)


def test_the_sequences_of_the_past_have_no_gaps(whole: Past) -> None:
    streams = defaultdict(list)
    for message in whole.messages:
        if message.sequence is not None:
            streams[message.stream].append(message.sequence)
    assert all(found == list(range(1, len(found) + 1)) for found in streams.values())


def test_orders_of_the_past_have_their_facts(whole: Past) -> None:
    """From the submission on they are promised for 21 days later, and a calculated price says what and until when."""
    for told in statuses(whole).values():
        submitted = next((message.time for message, said in told if said.status is Status.SUBMITTED), None)
        for message, said in told:
            assert (said.order.model is None) == (said.order.item is not None)
            if said.status is Status.PRICE_CALCULATED:
                assert said.price is not None
                assert said.price.amount > 0
                assert said.valid_until is not None
                assert said.valid_until > message.time
            promised = None if said.status is Status.INITIATED or submitted is None else submitted + PROMISE
            assert said.order.promised_at == promised


async def test_all_services_believe_the_same_of_every_order(tmp_path: Path) -> None:
    async with loaded(tmp_path) as (house, past):
        told = {
            order: (said[-1][1].status, said[-1][0].source, said[-1][0].sequence)
            for order, said in statuses(past).items()
        }
        for name, query in BELIEFS.items():
            async with getattr(house, name).database.reading() as connection:
                rows = (await connection.execute(text(query))).all()
            assert {order: tuple(rest) for order, *rest in rows} == told, name


async def test_the_vendor_and_the_desk_have_what_is_open(tmp_path: Path) -> None:
    """What waits for a decision is on the desk; what is made is on somebody's bench; nothing is left to send."""
    async with loaded(tmp_path) as (house, past):
        last = {order: told[-1][1].status for order, told in statuses(past).items()}
        waiting = {order for order, status in last.items() if status in {"PRICE_CALCULATED", "PRICE_FAILED"}}
        making = {order for order, status in last.items() if status in {"MANUFACTURING_STARTED", "PACKAGING"}}
        desk = await rows_of(house.crm, "SELECT order_id FROM files WHERE tray = 'waiting'")
        bench = await rows_of(
            house.mes, "SELECT reference FROM vendor_orders WHERE state IN (50, 70) AND operator <> ''"
        )
        assert {order for (order,) in desk} == waiting
        assert {order for (order,) in bench} == making
        for service in (house.shop, house.crm, house.mes):
            assert await rows_of(service, "SELECT * FROM bus_pending") == []
        assert await rows_of(house.mes, "SELECT * FROM adapter_calls WHERE done_at IS NULL") == []
        assert await rows_of(house.mes, "SELECT last FROM adapter_feed") == await rows_of(
            house.mes, "SELECT count(*) FROM vendor_changes"
        )


async def rows_of(service: Any, query: str) -> list[tuple[Any, ...]]:
    async with service.database.reading() as connection:
        return [tuple(row) for row in (await connection.execute(text(query))).all()]


async def test_replaying_the_whole_past_changes_nothing(tmp_path: Path) -> None:
    """To every consumer, twice, through its inbox."""
    async with loaded(tmp_path) as (house, past):
        bodies = [message.to_json() for message in past.messages if message.sequence is not None]
        for service in (house.shop, house.crm, house.mes):
            before = await state_of(service.database)
            for _ in range(2):
                received = await service.bus.receive(bodies)
                assert (received.applied, received.duplicates) == (0, len(bodies))
            assert await state_of(service.database) == before


async def test_handlers_would_have_written_the_same(tmp_path: Path) -> None:
    """Run once more on what was loaded, past the inbox, the handlers find all of it done."""
    async with loaded(tmp_path) as (house, past):
        handlers = {
            "shop": shop_hears,
            "crm": house.crm.bus.inbox.handlers[STATUS_CHANGED],
            "mes": house.mes.bus.inbox.handlers[STATUS_CHANGED],
        }
        for name, handler in handlers.items():
            database = getattr(house, name).database
            before = await state_of(database)

            async def again(connection: AsyncConnection, handler: Any = handler) -> None:
                for message in past.messages:
                    if message.type == STATUS_CHANGED:
                        await handler(connection, message)

            await database.write(again)
            assert await state_of(database) == before, name


async def test_what_is_said_next_goes_on_with_the_sequence(tmp_path: Path) -> None:
    async with loaded(tmp_path) as (house, past):
        order, told = next((order, told) for order, told in statuses(past).items() if told[-1][0].source == "/crm")
        message, said = told[-1]

        async def work(connection: AsyncConnection) -> Message:
            return await house.crm.bus.publish(connection, STATUS_CHANGED, order, said.document())

        assert (await house.crm.database.write(work)).sequence == (message.sequence or 0) + 1


def test_the_same_seed_tells_the_same_past(whole: Past) -> None:
    assert past_of(Watcher(), NOW).messages == whole.messages
    assert past_of(SmallWatcher(), NOW, seed=8).messages != past_of(SmallWatcher(), NOW).messages


def test_a_fault_has_a_name_and_a_line() -> None:
    """An unknown one is refused with the names of those that there are."""
    assert fault_of(None) is NONE
    assert all(fault_of(name) is fault for name, fault in FAULTS.items())
    assert len(listed().splitlines()) == len(FAULTS)
    with pytest.raises(BadInput, match="approvals-stopped, mes-down"):
        fault_of("gremlins")
